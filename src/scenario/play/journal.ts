import type { Transition } from '../../core/run.ts';
import { callsOf } from '../../core/call/ending-call.ts';
import type { Command } from '../../core/event.ts';
import type { CallRow, StepRow, UndoState } from '../../core/history.ts';
import type { OutputQuery } from '../../core/context/outputs.ts';
import { isOfItem, isOfPlaces, isWithin, placesOf } from '../../core/context/scope.ts';
import type { Token, UndoTarget } from '../../core/state.ts';

/** An effect that a mutating call left downstream. */
export interface StandingEffect {
  readonly nodeId: string;
  /** The places of the items that the visit belongs to; absent outside of all loops. */
  readonly item?: readonly number[];
  readonly visit: number;
  readonly round: number;
  readonly outcome: 'succeeded' | 'unknown';
}

/** An effect of an earlier round. A later round recognises its own request by it. */
export interface EarlierEffect {
  readonly ord: number;
  readonly key: string;
  readonly fingerprint: string;
  readonly begunAt: number;
}

type FindUndo = Extract<Command, { type: 'findUndo' }>;

/** States of a compensation after which nothing is left downstream. */
const undone: ReadonlySet<UndoState> = new Set(['done', 'resolved', 'moved']);

/**
 * The history of one simulated execution, in memory: keeps every row, and answers what the core asks of a store.
 */
export class Journal {
  readonly steps: StepRow[] = [];
  readonly calls: CallRow[] = [];
  /** The present compensation state of rows that have one, by ord. */
  readonly #undo = new Map<number, UndoState>();

  /** Appends the rows of a transition. */
  append(transition: Transition): void {
    this.steps.push(...transition.steps);
    this.calls.push(...callsOf(transition));
    for (const row of transition.steps) if (row.undo !== undefined) this.#undo.set(row.ord, row.undo);
    for (const mark of transition.undo) {
      if (mark.kind === 'set') this.#undo.set(mark.ord, mark.undo);
      else this.#reopen(mark.round);
    }
  }

  #reopen(round: number): void {
    for (const row of this.steps) {
      if (row.round === round && this.#undo.get(row.ord) === 'failed') this.#undo.set(row.ord, 'reopened');
    }
  }

  /** The next visit to compensate: lowest rank first, then the latest. */
  findUndo({ round, scope, only, undo }: Omit<FindUndo, 'type' | 'tokenId'>): UndoTarget | undefined {
    let best: StepRow | undefined;
    for (const row of this.steps) {
      if (row.round !== round || this.#undo.get(row.ord) !== undo || !isWithin(row.scope, scope)) continue;
      if (only !== undefined && (row.nodeId !== only.nodeId || row.visit !== only.visit)) continue;
      if (best === undefined || comesBefore(row, best)) best = row;
    }
    return best === undefined ? undefined : targetOf(best);
  }

  /** A compensation of the round that could not be completed, as an operator names it. */
  findUnfinished(
    round: number,
    { nodeId, visit, item }: { readonly nodeId: string; readonly visit?: number; readonly item?: readonly number[] },
  ): UndoTarget | undefined {
    const row = this.steps.findLast(
      (step) =>
        step.round === round &&
        step.nodeId === nodeId &&
        this.#undo.get(step.ord) === 'failed' &&
        (visit === undefined || step.visit === visit) &&
        isOfPlaces(step.scope, item),
    );
    return row === undefined ? undefined : targetOf(row);
  }

  /** The rows of earlier rounds in which a node started executions of which something stands, oldest first. */
  findChildren(nodeId: string, round: number): (StepRow & { readonly child: string })[] {
    return this.steps.filter(
      (step): step is StepRow & { child: string } =>
        step.nodeId === nodeId &&
        step.round < round &&
        step.child !== undefined &&
        step.effect !== undefined &&
        !this.#isUndone(step),
    );
  }

  /** The rows of the latest visits that the queries ask for, in the order of their ords. */
  readOutputs(round: number, queries: readonly OutputQuery[]): readonly StepRow[] {
    const wanted = new Set<StepRow>();
    for (const { nodeId, before = Number.MAX_SAFE_INTEGER, at, within } of queries) {
      const own = this.steps.filter((row) => row.round === round && row.nodeId === nodeId);
      if (at !== undefined) {
        for (const row of own) if (row.ord === at) wanted.add(row);
        continue;
      }
      const rows = own.filter((row) => row.ord < before && row.refOnly !== true && isOfItem(row, within));
      const latest = rows.findLast(isAnswer)?.visit;
      for (const row of rows) if (row.visit === latest && (row.phase === 'DOWN' || isAnswer(row))) wanted.add(row);
    }
    return [...wanted].sort((a, b) => a.ord - b.ord);
  }

  /** Effects that were not compensated, oldest first. */
  standing(): readonly StandingEffect[] {
    return this.steps.flatMap((row) => {
      if (row.effect === undefined || this.#isUndone(row)) return [];
      const { nodeId, visit, round, effect: outcome } = row;
      const item = placesOf(row.scope);
      return [{ nodeId, ...(item === undefined ? undefined : { item }), visit, round, outcome }];
    });
  }

  /** The standing effect of an earlier round with the same request, within a loop: first that of the same place. */
  findEarlierOfItem(
    { nodeId, scope }: Pick<Token, 'nodeId' | 'scope'>,
    round: number,
    fingerprint: string,
    taken: ReadonlySet<number>,
  ): EarlierEffect | undefined {
    const found = this.steps.filter(
      (row) =>
        row.nodeId === nodeId &&
        row.round < round &&
        row.effect !== undefined &&
        row.fingerprint === fingerprint &&
        !this.#isUndone(row) &&
        !taken.has(row.ord) &&
        !['failed', 'reopened'].includes(this.#undo.get(row.ord) ?? ''),
    );
    const row = found.find((other) => isOfPlaces(other.scope, placesOf(scope))) ?? found[0];
    if (row?.key === undefined) return undefined;
    return { ord: row.ord, key: row.key, fingerprint, begunAt: row.begunAt ?? row.startedAt };
  }

  /** The latest standing effect of the same visit in an earlier round. */
  findEarlier(nodeId: string, visit: number, round: number): EarlierEffect | undefined {
    const row = this.steps.findLast(
      (step) =>
        step.nodeId === nodeId &&
        step.visit === visit &&
        step.round < round &&
        step.effect !== undefined &&
        !this.#isUndone(step),
    );
    // A compensation that was tried may have undone the effect.
    if (row !== undefined && ['failed', 'reopened'].includes(this.#undo.get(row.ord) ?? '')) return undefined;
    if (row?.key === undefined || row.fingerprint === undefined) return undefined;
    return { ord: row.ord, key: row.key, fingerprint: row.fingerprint, begunAt: row.begunAt ?? row.startedAt };
  }

  #isUndone(row: StepRow): boolean {
    const undo = this.#undo.get(row.ord);
    return undo !== undefined && undone.has(undo);
  }
}

/** Whether templates may read the row as a visit's own answer or key; a callback judged pending is no answer. */
function isAnswer({ phase, outcome, output, key }: StepRow): boolean {
  return phase !== 'DOWN' && outcome !== 'pending' && (output !== undefined || key !== undefined);
}

function comesBefore(a: StepRow, b: StepRow): boolean {
  const [rankA, rankB] = [a.undoRank ?? 3, b.undoRank ?? 3];
  return rankA === rankB ? (a.undoSort ?? a.ord) > (b.undoSort ?? b.ord) : rankA < rankB;
}

function targetOf(row: StepRow): UndoTarget {
  const { nodeId, visit, round, ord, scope, outcome, key, prev, child } = row;
  return {
    nodeId,
    visit,
    round,
    ord,
    scope,
    // Only actual visits have a compensation to run.
    outcome: outcome === 'unknown' || outcome === 'rejected' ? outcome : 'succeeded',
    key: key ?? '',
    ...(prev === undefined ? undefined : { prev }),
    ...(child === undefined ? undefined : { child }),
  };
}
