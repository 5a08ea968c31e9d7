import type { CallPhase, Outcome } from '../core/context/context.ts';
import type { ExecutionStatus, FailureReason, ItemEnd, TerminalStatus } from '../core/state.ts';
import type { Tracer } from './tracer.ts';

/** Levels of log lines; `info` is for normal operation that an operator wants to see, `fatal` for errors that end the process. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Fields of a log line. No payloads, no secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Ways in which an execution is handed to a worker. */
export type Dispatch = 'direct' | 'queue';

/**
 * Why a worker lost an execution: its checkpoint found another claim, its lease expired, or a store read after a lapse showed
 * another claim.
 */
export type FencedReason = 'checkpoint' | 'lease' | 'lapse';

/**
 * Work that blocked the event loop: applying an event with its conditions and templates, rendering a call, a preview, a part
 * of an API request, or unmeasured work that a late timer revealed.
 */
export type LongTurnKind = 'apply' | 'render' | 'preview' | 'request' | 'other';

/** The result of a hook: delivered before the end, or late, after it; failed for good; or dropped because the execution continued. */
export type HookResult = 'delivered' | 'late' | 'failed' | 'dropped';

/** Counters and durations of one definition (name and version). The caller keeps it. */
export interface DefinitionTelemetry {
  /** An execution was enqueued or started directly. */
  enqueued(): void;
  /** An execution was handed to a worker. */
  dequeued(how: Dispatch): void;
  /** A real retry of a call was made. */
  retried(phase: CallPhase): void;
  /** An attempt of a call was recorded. */
  attempted(phase: CallPhase, outcome: Outcome): void;
  /** A node's visit ended. `nodeId` labels successful steps only. */
  stepped(nodeId: string, nodeKind: string, mode: 'sync' | 'async' | undefined, outcome: string, millis: number): void;
  /** A switch was decided. */
  switched(result: 'case' | 'default' | 'error'): void;
  /** An item of a loop ended. */
  itemEnded(status: ItemEnd['status']): void;
  /** A wait for a callback timed out. */
  callbackTimedOut(): void;
  /** An execution ended; `millis` counts from the start of its round. */
  finished(status: TerminalStatus, reason: FailureReason | undefined, millis: number): void;
  /** The undo of an execution ended; it counts as no failure and has no duration. */
  undone(status: TerminalStatus): void;
  /** A hook was settled; see the signal `hookEnded` of the core. */
  hookEnded(result: HookResult): void;
}

/**
 * Counters, durations and log lines of the engine, as typed methods. An implementation must be cheap and must not throw.
 * Callers get a {@link DefinitionTelemetry} once per plan and keep it, so that the hot path looks up no labels.
 *
 * Durations are in milliseconds.
 */
export interface Telemetry {
  /** Undefined while tracing is off; then callers must build no spans. */
  readonly tracer?: Tracer | undefined;
  /** Returns the handle of a definition. May be called again for the same one. */
  definition(name: string, version: string): DefinitionTelemetry;
  /** Whether lines of this level are written; if not, the caller need not build their fields. */
  logs(level: LogLevel): boolean;
  /** Writes a log line. */
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** An execution that another one started ended. */
  childEnded(status: TerminalStatus): void;
  /** A batch of checkpoints is durable. */
  committed(rows: number, millis: number): void;
  /** A batch of submissions is durable. */
  submitted(rows: number, millis: number): void;
  /** A call was sent `delayMillis` after it became due. */
  dispatched(delayMillis: number): void;
  /** An outbound call ended. */
  called(host: string, outcome: 'response' | 'unsent' | 'timeout' | 'connect' | 'body', millis: number): void;
  /** An operation of the store failed. */
  storeFailed(operation: string, kind: string): void;
  /** An operation of the queue failed. */
  queueFailed(operation: string): void;
  /** A worker lost an execution; see {@link FencedReason}. */
  fenced(reason: FencedReason): void;
  /** Reconciliation added `ids` executions of this status that were missing in the queue. */
  reconciled(status: ExecutionStatus, ids: number): void;
  /** A claim was sent to a shard of the queue. */
  claimScanned(): void;
  /** Work blocked the event loop for `millis`. Counts it and writes a `warn` line. */
  longTurn(kind: LongTurnKind, millis: number, fields: LogFields): void;
  /** A shard of the queue was filled from the store, for the first time or after its server lost it. */
  rebuilt(reason: 'first' | 'lost'): void;
}

const nothing = (): void => undefined;

const silentDefinition: DefinitionTelemetry = {
  enqueued: nothing,
  dequeued: nothing,
  retried: nothing,
  attempted: nothing,
  stepped: nothing,
  switched: nothing,
  itemEnded: nothing,
  callbackTimedOut: nothing,
  finished: nothing,
  undone: nothing,
  hookEnded: nothing,
};

/** Telemetry without a receiver. */
export const silentTelemetry: Telemetry = {
  definition: () => silentDefinition,
  logs: () => false,
  log: nothing,
  childEnded: nothing,
  committed: nothing,
  submitted: nothing,
  dispatched: nothing,
  called: nothing,
  storeFailed: nothing,
  queueFailed: nothing,
  fenced: nothing,
  reconciled: nothing,
  claimScanned: nothing,
  longTurn: nothing,
  rebuilt: nothing,
};
