import type { Signal, Transition } from '../../core/run.ts';
import { callsOf } from '../../core/call/ending-call.ts';
import type { CallRow, StepRow } from '../../core/history.ts';
import { placesOf } from '../../core/context/scope.ts';
import type { Json } from '../../core/value/json.ts';
import type { State, Token } from '../../core/state.ts';
import { nodeName, type NodePath } from '../names.ts';
import type { CallEntry, TracedRequest, TraceEntry } from '../trace.ts';
import { taskOf, timerOf } from './waiting.ts';

/** A call under way. */
export interface Flight {
  readonly sentAt: number;
  /** Absent when it could not be rendered. */
  readonly request?: TracedRequest;
  /** Absent when no answer will come. */
  readonly responseBody?: Json;
  readonly item?: readonly number[] | undefined;
}

/** The trace of a simulation, which all of its executions share. */
export interface Telling {
  readonly trace: TraceEntry[];
  /** When the root began. */
  readonly startedAt: number;
}

/** The name of an execution in an entry; none for the root. */
interface Named {
  readonly run?: string;
}

function named(path: NodePath): Named {
  return path.length === 0 ? {} : { run: nodeName(path) };
}

/** Records the transitions of one execution in a trace, in the order in which they happened. */
export class Narrator {
  readonly #telling: Telling;
  /** The names of the execution and of its parent; see {@link TraceEntry}. */
  readonly #run: Named;
  readonly #parent: Named;
  readonly #flights = new Map<number, Flight>();

  constructor(telling: Telling, path: NodePath) {
    this.#telling = telling;
    this.#run = named(path);
    this.#parent = named(path.slice(0, -1));
  }

  /** A call goes out. */
  sent(callId: number, flight: Flight): void {
    this.#flights.set(callId, flight);
  }

  /** An event without a row in the history happened. */
  say(entry: TraceEntry): void {
    this.#telling.trace.push({ ...entry, ...this.#run });
  }

  /** Milliseconds from the start of the root. */
  elapsed(now: number): number {
    return now - this.#telling.startedAt;
  }

  /** Records the rows and signals of a transition. */
  tell(transition: Transition): void {
    const { steps, signals, state } = transition;
    const calls = callsOf(transition);
    const told = [
      ...calls.map((row) => ({ ord: row.ord, entry: this.#call(row, state), isOfParent: false })),
      ...steps.flatMap((row) => {
        const entry = this.#step(row, state);
        if (entry === undefined) return [];
        // What the parent does to the execution is told of the parent's node.
        return [{ ord: row.ord, entry, isOfParent: row.phase === 'WORKFLOW' && row.index === -1 }];
      }),
    ];
    for (const { entry, isOfParent } of told.sort((a, b) => a.ord - b.ord)) {
      this.#telling.trace.push({ ...entry, ...(isOfParent ? this.#parent : this.#run) });
    }
    const settled = new Set([...calls, ...steps].map((row) => row.nodeId));
    for (const signal of signals) this.#signal(signal, settled, state);
  }

  #call(row: CallRow, state: State): CallEntry {
    const { nodeId, visit, round, phase, attempt, outcome, statusCode, idempotencyKey, error } = row;
    const flight = this.#flights.get(row.callId);
    this.#flights.delete(row.callId);
    const { request, responseBody, item } = flight ?? {};
    const until = outcome === 'succeeded' ? undefined : untilRepeated(row, state);
    return {
      kind: 'call',
      atMillis: this.elapsed(state.now),
      nodeId,
      ...(item === undefined ? undefined : { item }),
      visit,
      round,
      phase,
      attempt,
      outcome,
      ...(statusCode === undefined ? undefined : { statusCode }),
      sentAtMillis: this.elapsed(flight?.sentAt ?? row.attemptAt),
      ...(idempotencyKey === undefined ? undefined : { idempotencyKey }),
      ...(request === undefined ? undefined : { request }),
      ...(responseBody === undefined || statusCode === undefined ? undefined : { responseBody }),
      ...(until === undefined ? undefined : { retryInMillis: until - state.now }),
      ...(error === undefined ? undefined : { note: error }),
    };
  }

  /** The call itself has already recorded everything in its row. */
  #step(
    { nodeId, visit, round, phase, outcome, note, at, repeat, scope }: StepRow,
    state: State,
  ): TraceEntry | undefined {
    if (repeat === true || phase === 'UP' || phase === 'DOWN' || phase === 'HOOK') return undefined;
    const item = placesOf(scope);
    const said = { ...(item === undefined ? undefined : { item }), ...(note === undefined ? undefined : { note }) };
    const entry = { kind: 'step', atMillis: this.elapsed(at), nodeId, visit, round, phase, outcome, ...said } as const;
    if (phase !== 'CALLBACK' || outcome !== 'rejected') return entry;
    const until = untilRepeated({ nodeId, visit, phase: 'UP' }, state);
    return until === undefined ? entry : { ...entry, retryInMillis: until - state.now };
  }

  /** A callback that never came leaves no row while its request is to be repeated. */
  #signal(signal: Signal, settled: ReadonlySet<string>, state: State): void {
    const atMillis = this.elapsed(state.now);
    if (signal.kind === 'finished') {
      const description = state.end?.description;
      const said = description === undefined ? undefined : { note: description };
      this.say({ kind: 'end', atMillis, status: signal.status, ...said });
    } else if (signal.kind === 'attempt' && signal.phase === 'UP' && !settled.has(signal.nodeId)) {
      const token = state.tokens.find(({ nodeId, stage }) => nodeId === signal.nodeId && stage.kind === 'backoff');
      const until = token === undefined ? undefined : timerOf(token);
      this.say({
        kind: 'step',
        atMillis,
        nodeId: signal.nodeId,
        visit: taskOf(token)?.visit ?? 1,
        round: state.round,
        phase: 'CALLBACK',
        outcome: signal.outcome,
        ...(until === undefined ? undefined : { retryInMillis: until - state.now }),
        ...(signal.description === undefined ? undefined : { note: signal.description }),
      });
    }
  }
}

type Attempted = Pick<CallRow, 'nodeId' | 'visit' | 'phase'>;

/** When the call of a row is repeated; undefined when it is not. */
function untilRepeated(row: Attempted, state: State): number | undefined {
  const token = state.tokens.find((candidate) => isOf(candidate, row));
  return token === undefined ? undefined : timerOf(token);
}

function isOf({ nodeId, stage }: Token, row: Attempted): boolean {
  switch (row.phase) {
    case 'UP':
      return stage.kind === 'backoff' && nodeId === row.nodeId && stage.task.visit === row.visit;
    case 'DOWN':
      return stage.kind === 'unwinding' && stage.undo?.target.nodeId === row.nodeId;
    case 'HOOK':
      return stage.kind === 'hook';
    default:
      return row.phase satisfies never;
  }
}
