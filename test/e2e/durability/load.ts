/** Sagas of several kinds under load, and the ledger that says whether what happened downstream fits how they ended. */
import type { AnswerBody } from '../../api-fixture.ts';
import { retries, type SagaBuilder } from '../stage/definitions.ts';
import type { Received } from '../stage/downstream.ts';
import { onWireMillis, type ReceivedCall, receivedCall, staleCalls } from './stale-calls.ts';

/** A kind of saga, and what its end must be. */
interface Kind {
  readonly definition: (saga: SagaBuilder) => object;
  readonly status: string;
  /** Nodes whose effect stays, in an order in which they may come first; those of one group in any order. */
  readonly effects: readonly (readonly string[])[];
}

const flaky = { failureHandling: retries(5) };

/** All kinds, by the name of their saga. */
export const kinds: Readonly<Record<string, Kind>> = {
  chain: {
    definition: (saga) => saga.linear(['a', 'b', 'c', 'd']),
    status: 'SUCCEEDED',
    effects: [['a'], ['b'], ['c'], ['d']],
  },
  rejected: {
    definition: (saga) => saga.linear(['a', 'b', 'rejects'], { compensationHandling: retries(5) }),
    status: 'FAILED',
    effects: [['a'], ['b'], ['rejects'], ['undo-rejects'], ['undo-b'], ['undo-a']],
  },
  asking: {
    definition: (saga) => saga.graph([saga.asyncTask('asks', { next: 'b' }), saga.task('b')]),
    status: 'SUCCEEDED',
    effects: [['asks'], ['b']],
  },
  parallel: {
    definition: (saga) =>
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['x', 'y'], join: 'merge' },
        saga.task('x'),
        saga.task('y'),
        { kind: 'join', id: 'merge', next: 'end' },
        saga.task('end'),
      ]),
    status: 'SUCCEEDED',
    effects: [['x', 'y'], ['end']],
  },
  sleepy: {
    definition: (saga) =>
      saga.graph([
        saga.task('a', { next: 'nap' }),
        { kind: 'sleep', id: 'nap', durationMillis: 60, next: 'b' },
        saga.task('b'),
      ]),
    status: 'SUCCEEDED',
    effects: [['a'], ['b']],
  },
  flaky: {
    definition: (saga) => saga.graph([saga.task('fails', { next: 'b', ...flaky }), saga.task('b')]),
    status: 'SUCCEEDED',
    effects: [['fails'], ['b']],
  },
};

/** A call as it came in. */
export interface Entry extends ReceivedCall {
  readonly failed: boolean;
}

/** Whether a call that had not failed may be followed by another under its key. */
type MayRepeat = (before: Entry, again: Entry) => boolean;

/** How much later than what forbids it a call may be received, in ms. */
type AllowedMillis = (call: ReceivedCall) => number;

/** What the downstream did, by execution. */
export class Ledger {
  readonly #entries = new Map<string, Entry[]>();
  readonly #mayRepeat: MayRepeat;
  readonly #allowedMillis: AllowedMillis;

  /** By default a call is repeated only by another process, and one that died sends nothing late. */
  constructor(
    mayRepeat: MayRepeat = (before, again) => before.life !== again.life,
    allowedMillis: AllowedMillis = () => onWireMillis.usually,
  ) {
    this.#mayRepeat = mayRepeat;
    this.#allowedMillis = allowedMillis;
  }

  note(request: Received, life: number | string, failed: boolean): void {
    const id = String(request.headers['trama-execution-id']);
    const entries = this.#entries.get(id) ?? [];
    this.#entries.set(id, entries);
    entries.push({ ...receivedCall(request, life), failed });
  }

  /** Whether the downstream has been called with this key before. */
  knows(request: Received): boolean {
    const entries = this.#entries.get(String(request.headers['trama-execution-id'])) ?? [];
    return entries.some(({ key }) => key === request.key);
  }

  /** The calls of one process. */
  callsFrom(life: number | string): readonly Entry[] {
    return [...this.#entries.values()].flat().filter((entry) => entry.life === life);
  }

  get executions(): ReadonlySet<string> {
    return new Set(this.#entries.keys());
  }

  /**
   * What does not fit the document, as sentences: effects, their order, repeated and stale calls, the history. `endedAt`: when
   * its end was durable (of `Date.now()`), if that is to be judged.
   */
  problemsOf(
    document: AnswerBody,
    calls: readonly AnswerBody[],
    steps: readonly AnswerBody[],
    endedAt = Number.NaN,
  ): string[] {
    const kind = kinds[document.name];
    if (kind === undefined) return [`There is no kind ${document.name}.`];
    const entries = this.#entries.get(document.id) ?? [];
    const ends = new Map(Number.isNaN(endedAt) ? [] : [[1, endedAt - performance.timeOrigin]]);
    const rows = steps.map((step) => `${step.stepName} ${step.phase} ${step.visit} ${step.round}`);
    const problems = [
      ...(document.status === kind.status ? [] : [`Ended as ${document.status}: ${document.failureDescription}`]),
      ...(document.standing.length === 0 ? [] : ['Something stands.']),
      ...(new Set(rows).size === rows.length ? [] : [`A row is there twice: ${rows.join(', ')}.`]),
      ...wrongEffects(kind.effects, entries),
      ...wrongRepeats(kind.effects, entries, this.#mayRepeat),
      ...wrongCalls(calls, entries),
      ...staleCalls(entries, ends, this.#allowedMillis),
    ];
    return problems.map((problem) => `${document.name} ${document.id}: ${problem}`);
  }
}

/** Every effect under one key, in order. The compensation of the rejected node comes only where an attempt was unknown. */
function wrongEffects(groups: Kind['effects'], entries: readonly Entry[]): string[] {
  const first = [...new Map(entries.map(({ key, node }) => [key, node])).values()];
  let at = 0;
  for (const group of groups) {
    const expected = group.filter((node) => node !== 'undo-rejects' || first.includes(node)).toSorted();
    const found = first.slice(at, at + expected.length).toSorted();
    if (found.join(' ') !== expected.join(' ')) return [`The effects are ${first.join(', ')}.`];
    at += expected.length;
  }
  return first.length === at ? [] : [`The effects are ${first.join(', ')}.`];
}

/** A key comes again only after a failure or where it may, and never once a later step has begun. */
function wrongRepeats(groups: Kind['effects'], entries: readonly Entry[], mayRepeat: MayRepeat): string[] {
  const rank = (node: string): number => groups.findIndex((group) => group.includes(node));
  const last = new Map<string, Entry>();
  const problems: string[] = [];
  let furthest = -1;
  for (const entry of entries) {
    const before = last.get(entry.key);
    if (before !== undefined && !before.failed && !mayRepeat(before, entry)) {
      const after = Math.round(entry.at - before.at);
      problems.push(
        `${entry.node} of ${before.life} came again from ${entry.life} without a fault, after ${after} ms.`,
      );
    }
    if (before !== undefined && rank(entry.node) < furthest)
      problems.push(`${entry.node} came again after a later step.`);
    last.set(entry.key, entry);
    furthest = Math.max(furthest, rank(entry.node));
  }
  return problems;
}

/** Whatever came in has a row of its own; a row whose call never left is fine. */
function wrongCalls(calls: readonly AnswerBody[], entries: readonly Entry[]): string[] {
  return [...new Set(entries.map(({ key }) => key))].flatMap((key) => {
    const recorded = calls.filter((call) => call.idempotencyKey === key).map((call) => call.attempt);
    const came = entries.filter((entry) => entry.key === key).length;
    return recorded.length >= came && new Set(recorded).size === recorded.length
      ? []
      : [`${key} came ${came} times, and has the attempts ${recorded.join(', ')}.`];
  });
}
