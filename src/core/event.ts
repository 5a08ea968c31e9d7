/**
 * What can happen to an execution, and what the engine is asked to do next. Both unions are closed: a new kind does not
 * compile until every transition handles it.
 */
import type { Json } from './value/json.ts';
import type { CallPhase, ResponseView } from './context/context.ts';
import type { Exchange } from './history.ts';
import type { BlockCause, UndoTarget } from './state.ts';

/** How a call came back, before the core judges it. */
export type CallResult =
  | {
      readonly kind: 'response';
      readonly response: ResponseView;
      /** Why the body that came cannot be read: a sentence. The view has none then. */
      readonly bodyProblem?: string;
    }
  /**
   * `unsent`: surely nothing left; `reason` is a sentence. `retryable` is false for what would fail again alike. `logged` is the
   * sentence for logs, where `reason` holds something of the data.
   */
  | { readonly kind: 'unsent'; readonly reason: string; readonly logged?: string; readonly retryable: boolean }
  /** The request may have left: the outcome is unknown. `reason` and `logged` as above. */
  | {
      readonly kind: 'failed';
      readonly error: 'timeout' | 'connect' | 'body';
      readonly reason: string;
      readonly logged?: string;
    };

/** What the engine feeds into `apply`. */
export type Event =
  /** The first event of an execution, at or after its `startAt`. */
  | { readonly type: 'started' }
  /** A worker took the execution over: tokens found `calling` have an attempt of unknown outcome. */
  | { readonly type: 'resumed' }
  /** Let `ready` tokens go on (after a checkpoint that had to stop them). */
  | { readonly type: 'continued' }
  /** Time has passed: whatever is due at `env.now` happens. `tryBlocked`: what is blocked is tried again now, too. */
  | { readonly type: 'timer'; readonly tryBlocked?: true }
  /**
   * A forward call was rendered (also again, after a load, before `resumed`). Changes nothing that must be durable before
   * the call goes out: rendering again gives the same.
   */
  | {
      readonly type: 'prepared';
      readonly callId: number;
      /** Hash of the stable rendering, for mutating forward calls. */
      readonly fingerprint?: string;
      /** The key to send, where it is that of a standing effect of an earlier round, with that effect's row. */
      readonly reused?: { readonly key: string; readonly ord: number };
    }
  | {
      readonly type: 'answered';
      readonly callId: number;
      readonly result: CallResult;
      readonly exchange?: Exchange;
      /** Retry-After of a 429 or 503 in milliseconds from now, not yet capped. */
      readonly retryAfterMillis?: number;
    }
  /** The call must not go out yet and was not sent: it waits, at most until then, and spends no attempt. */
  | {
      readonly type: 'blocked';
      readonly callId: number;
      readonly until: number;
      readonly cause: BlockCause;
      /** For people. */
      readonly detail: string;
      /** The host of the call, masked; absent where it has none. */
      readonly host?: string;
    }
  /** Answer to the command `findUndo`: what to compensate next, or nothing left. */
  | { readonly type: 'undoFound'; readonly tokenId: number; readonly target?: UndoTarget }
  | CallbackEvent
  | { readonly type: 'cancelled'; readonly inboxId?: string; readonly reason?: string }
  | { readonly type: 'terminated'; readonly inboxId?: string }
  | { readonly type: 'woken'; readonly inboxId?: string }
  | ResolvedEvent
  /** A new round, or the unfinished compensations again; of a terminal execution only. */
  | { readonly type: 'retried'; readonly force: boolean }
  /** The hook of the end is called again, now: one that is not delivered, or with `force` one that is; of a terminal execution only. */
  | { readonly type: 'redelivered'; readonly force: boolean }
  /** The engine itself failed on this execution too often. */
  | { readonly type: 'quarantined'; readonly description: string };

/** A verified callback that was accepted into the inbox. */
export interface CallbackEvent {
  readonly type: 'callback';
  readonly inboxId: string;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly operation: number;
  readonly nonce: string;
  readonly body: Json;
  /** Judged by `pendingWhen` at its arrival. */
  readonly pending: boolean;
}

/** An operator settles by hand. */
export interface ResolvedEvent {
  readonly type: 'resolved';
  readonly inboxId?: string;
  readonly nodeId: string;
  readonly visit?: number;
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
  readonly body?: Json;
  readonly reason: string;
  /** For phase DOWN: the unfinished compensation's row, found by the caller. */
  readonly target?: UndoTarget;
}

/** What the engine does after the checkpoint is durable. */
export type Command =
  | CallCommand
  /** Give up the running call: its outcome has been recorded as unknown. */
  | { readonly type: 'abort'; readonly callId: number }
  /** Read the next target from the step rows: `undo` as asked, in this round, within the filter; lowest rank, highest sort first. */
  | {
      readonly type: 'findUndo';
      readonly tokenId: number;
      readonly round: number;
      /** Only rows of this scope or below. */
      readonly scope: string;
      /** Which rows: what may come, or what a retry of CORRUPTED made due again. */
      readonly undo: 'pending' | 'reopened';
      /** Only this visit. */
      readonly only?: { readonly nodeId: string; readonly visit: number };
    };

/** A call to make. Everything else it needs is in the state, the plan and the outputs; see `call.ts`. */
export interface CallCommand {
  readonly type: 'call';
  readonly callId: number;
  readonly tokenId: number;
  readonly phase: CallPhase;
  readonly nodeId: string;
  readonly visit: number;
  readonly attempt: number;
}
