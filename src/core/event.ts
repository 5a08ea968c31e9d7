import type { WakeRequest } from './transition/wakes.ts';
import type { Json } from './value/json.ts';
import type { CallPhase, ResponseView } from './context/context.ts';
import type { Exchange } from './history.ts';
import type { BlockCause, FailureReason, TerminalStatus, UndoTarget } from './state.ts';

/** The result of a call, before the core determines its outcome. */
export type CallResult =
  | {
      readonly kind: 'response';
      readonly response: ResponseView;
      /** Why the body could not be read, as a sentence. The response has no body then. */
      readonly bodyProblem?: string;
    }
  /**
   * The request was certainly not sent. `reason` is a sentence; `logged` is the sentence for logs if `reason` contains
   * data. `retryable` is false if a repetition would fail in the same way.
   */
  | { readonly kind: 'unsent'; readonly reason: string; readonly logged?: string; readonly retryable: boolean }
  /** The request may have been sent, so the outcome is unknown. `reason` and `logged` as above. */
  | {
      readonly kind: 'failed';
      readonly error: 'timeout' | 'connect' | 'body';
      readonly reason: string;
      readonly logged?: string;
    };

/**
 * An event that happens to an execution, the input of `apply`. The union is closed: a new event does not compile until
 * every transition handles it.
 */
export type Event =
  /** The first event of an execution, at or after its `startAt`. */
  | { readonly type: 'started' }
  /** A worker took the execution over. Calls that are in flight in the state get an attempt of unknown outcome. */
  | { readonly type: 'resumed' }
  /** Lets `ready` tokens continue after a checkpoint that stopped them. */
  | { readonly type: 'continued' }
  /** Time has passed; everything due at `env.now` happens. With `tryBlocked`, blocked calls are due as well. */
  | { readonly type: 'timer'; readonly tryBlocked?: true }
  /**
   * A forward call was rendered, possibly again after a load and before `resumed`. The change need not be durable
   * before the call is sent, since rendering again gives the same result.
   */
  | {
      readonly type: 'prepared';
      readonly callId: number;
      /** Hash of the stable rendering; mutating forward calls only. */
      readonly fingerprint?: string;
      /** The standing effect of an earlier round whose key is sent instead. */
      readonly reused?: ReusedEffect;
    }
  | {
      readonly type: 'answered';
      readonly callId: number;
      readonly result: CallResult;
      readonly exchange?: Exchange;
      /** The Retry-After of a 429 or 503 in milliseconds from now, not capped yet. */
      readonly retryAfterMillis?: number;
    }
  /** The call was blocked and not sent. It waits until `until` at most, and spends no attempt. */
  | {
      readonly type: 'blocked';
      readonly callId: number;
      readonly until: number;
      readonly cause: BlockCause;
      /** Explanation for operators. */
      readonly detail: string;
      /** The host of the call, masked; absent if it has none. */
      readonly host?: string;
      /** The hold that blocks the call. */
      readonly holdId?: string;
    }
  /** The answer to the command `findUndo`: the next compensation, or none. */
  | { readonly type: 'undoFound'; readonly tokenId: number; readonly target?: UndoTarget }
  | CallbackEvent
  /** `parentId`: the execution that started this one cancels it, not an operator. */
  | { readonly type: 'cancelled'; readonly inboxId?: string; readonly reason?: string; readonly parentId?: string }
  | { readonly type: 'terminated'; readonly inboxId?: string }
  | ({ readonly type: 'woken'; readonly inboxId?: string } & WakeRequest)
  | ResolvedEvent
  /** The execution that a `workflow` visit starts is stored. */
  | {
      readonly type: 'childStarted';
      readonly childId: string;
      readonly version: string;
      readonly definitionHash: string;
      /** Hash of the definition and the payload. */
      readonly fingerprint: string;
    }
  /**
   * Instead of a new execution, the visit takes over one that an earlier round started for the same node with the same definition and
   * payload, since effects of it stand.
   */
  | {
      readonly type: 'childFound';
      /** Id of the execution that would have been started. */
      readonly childId: string;
      readonly fingerprint: string;
      /** The earlier execution: its id, the ord of the row that names it, and the number of its latest end. */
      readonly found: { readonly id: string; readonly ord: number; readonly ends: number };
    }
  /**
   * A child that is to be taken back is not over; its next end is awaited. `isCancellable` if it does not compensate yet. `after` is that of the
   * question: an answer to an earlier question counts no more.
   */
  | { readonly type: 'childRuns'; readonly childId: string; readonly isCancellable: boolean; readonly after?: number }
  /** The execution that a `workflow` visit starts cannot be started; nothing of it is stored. */
  | {
      readonly type: 'childRefused';
      readonly childId: string;
      /** One sentence for people. */
      readonly reason: string;
      /** The sentence for logs, if the reason contains data. */
      readonly logged?: string;
    }
  | ChildEndedEvent
  /** All children of an execution that was terminated are told to end. */
  | { readonly type: 'childrenTold' }
  /** The parent begins a new round and goes on with this execution: it begins a new round, too; terminal executions only. */
  | { readonly type: 'renewed'; readonly parentId: string }
  /** The parent takes this execution back; terminal executions only. */
  | { readonly type: 'takenBack'; readonly parentId: string }
  /** Starts a new round, or retries the failed compensations; terminal executions only. */
  | { readonly type: 'retried'; readonly force: boolean }
  /**
   * Takes back an execution that is over: one that has SUCCEEDED or, only for the parent of a child, one that was
   * TERMINATED.
   */
  | { readonly type: 'undone'; readonly reason: string; readonly from?: 'SUCCEEDED' | 'TERMINATED' }
  /** Calls the hook of the end again immediately, with `force` also if it was delivered; terminal executions only. */
  | { readonly type: 'redelivered'; readonly force: boolean }
  /** The engine failed on this execution too often. */
  | { readonly type: 'quarantined'; readonly description: string };

/** A standing effect of an earlier round that a visit takes over. */
export interface ReusedEffect {
  readonly key: string;
  /** Ord of its row. */
  readonly ord: number;
  /** When its visit began, in ms since 1970. */
  readonly begunAt: number;
}

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
  /** The result of `pendingWhen` when the callback arrived. */
  readonly pending: boolean;
}

/**
 * An execution that this one started is over. The transaction that ended it appended this event to the inbox; without `inboxId`, the
 * engine has found it so.
 */
export interface ChildEndedEvent {
  readonly type: 'childEnded';
  readonly inboxId?: string;
  readonly childId: string;
  /** Counts the ends of the child from 1; an end that another one has followed is old. */
  readonly end: number;
  readonly status: TerminalStatus;
  readonly reason?: FailureReason;
  readonly description?: string;
  readonly statusCode?: number;
  /** The result of the child; absent if it has none. */
  readonly result?: Json;
  /** Visits of the child and of all executions below it. */
  readonly visits: number;
  /** Whether effects of the child, or of executions below it, stand. */
  readonly standing: boolean;
}

/** An operator settles a visit or a compensation by hand. */
export interface ResolvedEvent {
  readonly type: 'resolved';
  readonly inboxId?: string;
  readonly nodeId: string;
  readonly visit?: number;
  /** The places of the items that the visit belongs to. */
  readonly item?: readonly number[];
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
  readonly body?: Json;
  readonly reason: string;
  /** For phase DOWN: the failed compensation, looked up by the caller. */
  readonly target?: UndoTarget;
}

/** A command that the engine performs once the checkpoint is durable. */
export type Command =
  | CallCommand
  /**
   * Stores the execution that a `workflow` visit starts, under the id that the token names, or renews the one that it takes over. The
   * answer is `childStarted`, `childFound`, `childRefused` or `childEnded`. `again`: it may have been stored already.
   */
  | { readonly type: 'startChild'; readonly tokenId: number; readonly childId: string; readonly again?: true }
  /**
   * Looks at a child that is to be taken back, and changes it if it is still at the end that the token names. The answer is
   * `childRuns` or `childEnded`.
   */
  | { readonly type: 'takeBack'; readonly tokenId: number; readonly childId: string }
  /** Gives the children that are not over a `terminated` event with this id. The answer is `childrenTold`. */
  | { readonly type: 'terminateChildren'; readonly eventId: string }
  /** Aborts a call in flight, whose outcome is already recorded as unknown. */
  | { readonly type: 'abort'; readonly callId: number }
  /**
   * Reads the next visit to compensate from the step rows: those of this round that match the filters, lowest rank
   * first, then highest sort key.
   */
  | {
      readonly type: 'findUndo';
      readonly tokenId: number;
      readonly round: number;
      /** Only rows of this scope and nested ones. */
      readonly scope: string;
      /** Either visits not compensated yet, or those that a retry of a CORRUPTED execution reopened. */
      readonly undo: 'pending' | 'reopened';
      /** Only this visit. */
      readonly only?: { readonly nodeId: string; readonly visit: number };
      /** Only rows after this ord, where all rows of the scope are. */
      readonly after?: number;
    };

/** A call to make. The state, the plan and the outputs contain everything else it needs; see `call.ts`. */
export interface CallCommand {
  readonly type: 'call';
  readonly callId: number;
  readonly tokenId: number;
  readonly phase: CallPhase;
  readonly nodeId: string;
  readonly visit: number;
  readonly attempt: number;
}
