import { attemptingOf } from '../../core/call/attempting.ts';
import type { CallRow } from '../../core/history.ts';
import type { Plan } from '../../core/plan.ts';
import type { State, Token } from '../../core/state.ts';
import { currentNodes, summarize } from '../../core/summary.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { AppContext } from '../context.ts';
import { planOf } from '../queries/run-view.ts';
import { currentNodeDocuments } from './current-nodes.ts';

/** Events of each kind that are told per second; what happens faster is told by the latest ones alone. */
const perSecond = 20;

/** An event that is told while a stream is open, and not kept. */
export interface PassingEvent {
  readonly kind: 'call' | 'place';
  readonly data: JsonObject;
}

/**
 * What a stream tells of attempts and places while it is open: each attempt when it begins and ends, and where the execution stands whenever
 * that changes. Begins with the place at which it is opened. Nothing is told once the execution is over.
 */
export class PassingEvents {
  readonly #app: AppContext;
  readonly #of: { readonly id: string; readonly definitionHash: string };
  #plan: Plan | undefined;
  /** Attempts up to this ord were told, or were over when the stream was opened. */
  #ord: number;
  /** Ids of the calls that were told to have begun. */
  readonly #begun = new Set<number>();
  #shown = '';
  #shownAt = -Infinity;
  /** Whether a place is still to be told. */
  #isPending = false;

  constructor(app: AppContext, of: { readonly id: string; readonly definitionHash: string }, ord: number) {
    this.#app = app;
    this.#of = of;
    this.#ord = ord;
  }

  /** Milliseconds until a place is to be told that came too soon after the one before; undefined if there is none. */
  get waitMillis(): number | undefined {
    if (!this.#isPending) return undefined;
    return Math.max(1, this.#shownAt + 1000 / perSecond - this.#app.clock.monotonic());
  }

  /** What a state brings; the same one again brings the place that had to wait. */
  async after(state: State): Promise<readonly PassingEvent[]> {
    return [...(await this.#ended(state)), ...this.#began(state), ...(await this.#place(state))];
  }

  async #ended(state: State): Promise<readonly PassingEvent[]> {
    if (state.ord <= this.#ord) return [];
    const { id } = this.#of;
    // The latest ones, if there are more.
    const { items } = await this.#app.store.listCalls(id, { after: state.ord + 1, order: 'desc', limit: perSecond });
    const rows = items.filter(({ ord }) => ord > this.#ord).toReversed();
    this.#ord = state.ord;
    return rows.map((row) => {
      this.#begun.delete(row.callId);
      return { kind: 'call', data: this.#masked(endedCall(row)) };
    });
  }

  #began(state: State): readonly PassingEvent[] {
    const calls = new Set<number>();
    const events: PassingEvent[] = [];
    for (const token of state.tokens) {
      const { stage } = token;
      if (!('callId' in stage) || stage.callId === undefined) continue;
      calls.add(stage.callId);
      if (this.#begun.has(stage.callId)) continue;
      const data = begunCall(state, token);
      if (data !== undefined) events.push({ kind: 'call', data: this.#masked(data) });
    }
    this.#begun.clear();
    for (const call of calls) this.#begun.add(call);
    return events.slice(-perSecond);
  }

  async #place(state: State): Promise<readonly PassingEvent[]> {
    this.#isPending = false;
    if (state.end !== undefined) return [];
    this.#plan ??= await planOf(this.#app, this.#of);
    const { status } = summarize(state);
    const nodes = currentNodeDocuments(currentNodes(this.#plan, state));
    const data = this.#masked({ currentNodes: nodes, status });
    const text = JSON.stringify(data);
    if (text === this.#shown) return [];
    const now = this.#app.clock.monotonic();
    if (now - this.#shownAt < 1000 / perSecond) {
      this.#isPending = true;
      return [];
    }
    this.#shown = text;
    this.#shownAt = now;
    return [{ kind: 'place', data }];
  }

  #masked(data: JsonObject): JsonObject {
    return this.#app.masker.json(data) as JsonObject;
  }
}

function endedCall(row: CallRow): JsonObject {
  return {
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    attempt: row.attempt,
    phase: row.phase,
    state: 'ended',
    callId: String(row.ord),
    outcome: row.outcome,
    ...(row.statusCode !== undefined && { statusCode: row.statusCode }),
    latencyMs: row.exchange?.latencyMillis ?? Math.max(0, row.at - row.attemptAt),
  };
}

function begunCall(state: State, { nodeId, stage }: Token): JsonObject | undefined {
  const attempting = attemptingOf(stage);
  if (attempting === undefined) return undefined;
  const { attempt } = attempting;
  if (stage.kind === 'unwinding') {
    const target = stage.undo?.target;
    if (target === undefined) return undefined;
    const { nodeId: of, visit, round } = target;
    return { nodeId: of, visit, round, attempt, phase: 'DOWN', state: 'begun' };
  }
  const visit = stage.kind === 'hook' ? stage.run.visit : 'task' in stage ? stage.task.visit : 1;
  return { nodeId, visit, round: state.round, attempt, phase: stage.kind === 'hook' ? 'HOOK' : 'UP', state: 'begun' };
}
