import type { CallPhase, Outcome } from '../core/context/context.ts';
import type { ExecutionStatus, FailureReason, TerminalStatus } from '../core/state.ts';
import type { Tracer } from './tracer.ts';

/** Levels of log lines; `info` is for what an operator wants to see of a healthy system, `fatal` for what ends the process. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Fields of a log line. No payloads, no secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Ways in which an execution is handed to a worker. */
export type Dispatch = 'direct' | 'queue';

/**
 * Why a worker lost an execution: its checkpoint found another claim, its lease was over, or the store, asked after a lapse,
 * said that another claim holds it.
 */
export type FencedReason = 'checkpoint' | 'lease' | 'lapse';

/**
 * Work that blocked the event loop: an event applied to an execution with its conditions and templates, a call rendered, a preview, a
 * part of a request to the API, or something that is not measured by itself and was noticed by a timer that came late.
 */
export type LongTurnKind = 'apply' | 'render' | 'preview' | 'request' | 'other';

/** What became of a hook: delivered before the end or late, after it; given up; or dropped, since the execution went on. */
export type HookResult = 'delivered' | 'late' | 'failed' | 'dropped';

/** Counters and durations of one definition (name and version). Kept by the caller. */
export interface DefinitionTelemetry {
  /** An execution was put into the queue, or a direct start replaced that. */
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
  /** A callback did not come in time. */
  callbackTimedOut(): void;
  /** An execution is over; `millis` counts from the start of its round. */
  finished(status: TerminalStatus, reason: FailureReason | undefined, millis: number): void;
  /** A hook was settled; see the signal `hookEnded` of the core. */
  hookEnded(result: HookResult): void;
}

/**
 * What the runtime tells about itself: counters, durations and log lines, as typed methods. An implementation must be
 * cheap and must not throw; handles ({@link DefinitionTelemetry}) are asked for once per plan and kept, so that the hot
 * path looks up no labels.
 *
 * Durations are in milliseconds.
 */
export interface Telemetry {
  /** Undefined while nothing is traced: then nothing may be built for it. */
  readonly tracer?: Tracer | undefined;
  /** The handle of a definition. May be called again for the same one. */
  definition(name: string, version: string): DefinitionTelemetry;
  /** Whether lines of this level go anywhere, so that the caller need not build their fields. */
  logs(level: LogLevel): boolean;
  /** Writes a log line. */
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** A batch of checkpoints is durable. */
  committed(rows: number, millis: number): void;
  /** A batch of submissions is durable. */
  submitted(rows: number, millis: number): void;
  /** A call was written this long after it became due. */
  dispatched(delayMillis: number): void;
  /** An outbound call ended. */
  called(host: string, outcome: 'response' | 'unsent' | 'timeout' | 'connect' | 'body', millis: number): void;
  /** An operation of the store failed. */
  storeFailed(operation: string, kind: string): void;
  /** An operation of the queue failed. */
  queueFailed(operation: string): void;
  /** A worker lost an execution to another one. */
  fenced(reason: FencedReason): void;
  /** The reconcile found so many ids of executions with this status missing in the queue, and added them. */
  reconciled(status: ExecutionStatus, ids: number): void;
  /** A shard of the queue was asked for what is due. */
  claimScanned(): void;
  /** A piece of work kept everything else in the process waiting for `millis`. Counts it and writes a line of level `warn`. */
  longTurn(kind: LongTurnKind, millis: number, fields: LogFields): void;
  /** A shard of the queue was filled from the store: the first time, or because its server had lost it. */
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
  callbackTimedOut: nothing,
  finished: nothing,
  hookEnded: nothing,
};

/** Telemetry without a receiver. */
export const silentTelemetry: Telemetry = {
  definition: () => silentDefinition,
  logs: () => false,
  log: nothing,
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
