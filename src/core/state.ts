import type { AttemptFailure, BranchFailure, FailureReason } from './call/failure-state.ts';
import type { ItemFailure, Loop } from './node/loop-state.ts';
import type { Outcome } from './context/context.ts';
import type { ChildStage, FamilyState, TakeBack } from './family/child-run.ts';

export type { AttemptFailure, BranchFailure, FailureReason } from './call/failure-state.ts';
export type { ItemEnd, ItemFailure, Loop } from './node/loop-state.ts';

/**
 * The greatest version of the state format that this release knows. Workers leave states with a greater one to newer workers.
 * Version 2 is that of definitions with values and operators that earlier releases do not have; see `Plan.format`.
 */
export const stateFormat = 2;

/** Statuses of executions that are over. */
export type TerminalStatus = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'CORRUPTED' | 'TERMINATED';

/** The status of an execution as clients see it. */
export type ExecutionStatus = TerminalStatus | 'IN_PROGRESS' | 'WAITING_CALLBACK' | 'SLEEPING' | 'COMPENSATING';

/**
 * Why a call is blocked: an operator holds its host or definition, the circuit of its host is open, or the host has its
 * maximum number of calls in progress.
 */
export type BlockCause = 'hold' | 'circuit' | 'slots';

/** A block of a call. The call was not sent, so no attempt is spent. */
export interface Blocked {
  /** When the call was first blocked, in ms since 1970; unchanged by further tries. */
  readonly since: number;
  readonly cause: BlockCause;
  /** Explanation for people, such as `circuit of http://host:80 open`. */
  readonly detail: string;
  /** The host of the call, as in {@link AttemptFailure}; absent if the call has none. */
  readonly host?: string;
  /** The hold that blocks the call. */
  readonly holdId?: string;
  /** An operator lets the next try probe an open circuit. */
  readonly probe?: true;
}

/** A compensation that could not be completed. */
export interface FailedCompensation {
  readonly nodeId: string;
  readonly visit: number;
  /** What is known of the effect that it was to undo. */
  readonly outcome: UndoTarget['outcome'];
  /** Of the last answer to it. */
  readonly statusCode?: number;
  /** As in {@link AttemptFailure}. */
  readonly host?: string;
}

/** Maximum number of failed compensations that a state names; {@link State.troubles} counts all. */
export const maxNamedTroubles = 8;

/** Maximum number of compensations whose begin the state keeps. */
export const maxBegunUndos = 256;

/** A visit of a switch that has not reached a decision yet. */
export interface Choosing {
  readonly visit: number;
  /** The index of the case to evaluate next; no earlier case holds. */
  readonly next: number;
  /** When the visit began, in ms since 1970. */
  readonly since: number;
  /** Errors of earlier conditions, for people. */
  readonly problems: readonly string[];
}

/** A reference to the output of a history row. */
export interface OutputRef {
  readonly nodeId: string;
  readonly ord: number;
}

/** A call that is repeated until it succeeds or is given up: of a visit, a compensation or a hook. */
export interface Attempting {
  readonly startedAt: number;
  /** When the current or latest attempt began. */
  readonly attemptAt: number;
  /** Number of the attempt: the calls made so far, including one in progress. 0 while the first one is blocked. */
  readonly attempt: number;
  /** Retries used of the policy's `maxAttempts`. */
  readonly retries: number;
  /** Number of waits for a Retry-After, which use no retry. */
  readonly waits: number;
  /** The failure of the latest answered attempt. */
  readonly failure?: AttemptFailure;
  /** Present while the next call is blocked; kept while a new try is in progress, until a call is answered. */
  readonly blocked?: Blocked;
}

/** The running visit of a task. */
export interface TaskRun extends Attempting {
  readonly visit: number;
  /** Id of the first call of the visit. Visits of unknown outcome are compensated in reverse order of it. */
  readonly startOrd: number;
  /** Number of the operation, from 1; a retry after a callback that reported failure begins the next one. */
  readonly operation: number;
  /** Random part of the callback token of this operation, without secrets; async only. */
  readonly nonce?: string;
  /** Id of the key that signs the callback token, the same for all attempts while the key is live; async only. */
  readonly keyId?: string;
  /** Whether an attempt of this operation was accepted, so that its callback decides the outcome. */
  readonly accepted?: boolean;
  /** Whether an attempt of this visit was accepted: its UP row exists, and a CALLBACK row will be its final row. */
  readonly parked?: boolean;
  /** Whether an attempt of this operation had an unknown outcome. */
  readonly unknown?: boolean;
  /** The idempotency key, if it is that of a standing effect of an earlier round instead of the visit's own. */
  readonly key?: string;
  /** Ord of the step row of the earlier round whose effect `key` names; this visit takes the effect over. */
  readonly supersedes?: number;
  /** When the visit of the earlier round began, in ms since 1970, with {@link key}: its body has the `now` of that. */
  readonly begunAt?: number;
  /** Hash of the stable rendering of the request, to recognise the same request in a later round. */
  readonly fingerprint?: string;
}

/** A completed, unknown or rejected visit that is due for compensation. */
export interface UndoTarget {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  /** Ord of the final row of the visit; the compensation sees every node as it was then. */
  readonly ord: number;
  readonly scope: string;
  readonly outcome: Exclude<Outcome, 'unsent'>;
  /** The latest idempotency key of the forward call. */
  readonly key: string;
  /** The output that `prev` refers to in the compensation. */
  readonly prev?: OutputRef;
  /** Id of the execution that the visit started; only of `workflow` nodes. */
  readonly child?: string;
}

/** A running compensation. */
export interface UndoRun extends Attempting {
  readonly target: UndoTarget;
  /** Present while the compensation takes back the execution that the visit started. */
  readonly child?: TakeBack;
}

/** A running hook. */
export interface HookRun extends Attempting {
  readonly hook: 'onSuccessCallback' | 'onFailureCallback';
  readonly visit: number;
  /** Total time that operators have held the hook, in ms; it does not count towards the time limit of hooks. */
  readonly heldMillis?: number;
  /**
   * Present during the delivery after the end. `until` is its end in ms since 1970, not counting `heldMillis`, which
   * like `retries` restarts with the delivery.
   */
  readonly delivery?: { readonly until: number };
}

/** The final result of the hook of an execution that is over, and what is needed to call it again with the same key. */
export interface HookEnd extends Pick<HookRun, 'hook' | 'visit' | 'startedAt' | 'attemptAt' | 'attempt'> {
  readonly isDelivered: boolean;
}

/** The status of a branch of a forked token. */
export interface BranchEnd {
  /** CANCELLED: another branch was first, where that decides. */
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CORRUPTED' | 'CANCELLED';
  /** The last response within the branch. */
  readonly result?: OutputRef;
}

/** What an unwinding token does once all compensations are done. */
export type UnwindGoal =
  /**
   * Ends the execution by its verdict. `reopened`: runs only the compensations that a retry of a CORRUPTED execution
   * reopened; `thenPending`: after them those that were never begun.
   */
  | { readonly kind: 'end'; readonly reopened?: true; readonly thenPending?: true }
  /**
   * Ends a branch whose join continues after failures, or takes the first to succeed; `isLate`: another was first.
   * `failure` is why it failed, for a join that takes the first.
   */
  | { readonly kind: 'branch'; readonly isLate?: true; readonly failure?: BranchFailure }
  /** Ends an item whose loop continues after failures. */
  | { readonly kind: 'item'; readonly failure: ItemFailure }
  /** Compensates all items of a loop, then follows the `onFailure` route of the loop. */
  | { readonly kind: 'loop'; readonly nodeId: string; readonly target: string }
  /** Compensates a failed visit, then follows its `onFailure` route. */
  | { readonly kind: 'route'; readonly target: string; readonly visit: number };

/** The stage of a token. */
export type Stage =
  /** At `nodeId`, not entered yet: no call can have been sent. */
  /** `choosing`: it is within a switch whose conditions take more than one turn. */
  /** `isItemEnd`: the node is done, and so is its item, whose result is still to be made. */
  | { readonly kind: 'ready'; readonly choosing?: Choosing; readonly isItemEnd?: true }
  | { readonly kind: 'calling'; readonly callId: number; readonly task: TaskRun }
  | {
      /** Waits to repeat the call, or to try a blocked call (`task.blocked`) again. */
      readonly kind: 'backoff';
      readonly since: number;
      readonly until: number;
      readonly task: TaskRun;
      /** The call is repeated because its worker stopped, so this is not a retry. */
      readonly redelivery?: true;
    }
  /** The downstream accepted the request; the token waits for the callback or its timeout. */
  | { readonly kind: 'waiting'; readonly since: number; readonly until: number; readonly task: TaskRun }
  | { readonly kind: 'sleeping'; readonly since: number; readonly until: number; readonly visit: number }
  /** The parent of branches; `nodeId` is the split. */
  | {
      readonly kind: 'forked';
      readonly since: number;
      readonly visit: number;
      /** Ord of the SPLIT row: every branch sees all outputs before it. */
      readonly ord: number;
      readonly branches: Readonly<Record<string, BranchEnd>>;
      /** Why the latest branch failed, for a join that takes the first to succeed. */
      readonly failure?: BranchFailure;
    }
  /** The parent of items; `nodeId` is the loop. */
  | { readonly kind: 'looping'; readonly since: number; readonly loop: Loop }
  | ChildStage
  /** Failed or cancelled: waits until calls in flight within its scope are answered. */
  | { readonly kind: 'draining'; readonly since: number; readonly goal: UnwindGoal }
  /** Compensates; without `undo`, the next target is still to be found. */
  | {
      readonly kind: 'unwinding';
      readonly since: number;
      readonly goal: UnwindGoal;
      /** Number of compensations of this unwinding that failed. */
      readonly troubles: number;
      readonly undo?: UndoRun;
      readonly callId?: number;
      /** When `undo` is retried, or its blocked call is tried again. */
      readonly until?: number;
    }
  | { readonly kind: 'hook'; readonly run: HookRun; readonly callId?: number; readonly until?: number };

/** A current position of the execution. */
export interface Token {
  /** Unique within the execution. */
  readonly id: number;
  /** Path of split branches, `''` outside of all; see `scope.ts`. */
  readonly scope: string;
  readonly nodeId: string;
  /** The last completed node on the path of this token. */
  readonly prev?: OutputRef;
  readonly stage: Stage;
}

/** The status in which the execution will end, decided once per round. */
export interface Verdict {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly reason?: FailureReason;
  readonly description?: string;
  readonly nodeId?: string;
  readonly statusCode?: number;
  /** As in {@link AttemptFailure}. */
  readonly host?: string;
  /** The places of the items in which it failed, outermost first. */
  readonly item?: readonly number[];
}

/**
 * The durable state of one execution: small, bounded, plain JSON.
 *
 * It contains active tokens, counters and the verdict. Everything that grows with the number of visits (outputs, order
 * of completion, pending compensations, standing effects) is in the step rows that a checkpoint appends next to the
 * state (see `history.ts`), and is loaded when needed.
 *
 * A token is a current position of the execution. A linear run has one. A `split` turns its token into a waiting parent
 * (`forked`) with one child per branch. An unwinding (compensating) token replaces all tokens of its scope. In a stored
 * state, a token is `ready` (no call can have been sent), `calling` (the checkpoint that stored it released the call; a
 * worker that loads it first records an attempt of unknown outcome), or it waits for an instant or an event.
 *
 * Instants are milliseconds since 1970 (UTC). Ords are positions in the execution's own history, from 1.
 */
export interface State extends FamilyState {
  readonly format: number;
  /** From 1; a retry of a failed execution begins the next round. */
  readonly round: number;
  /** Ord of the latest history row. */
  readonly ord: number;
  /** Id of the latest call; answers to calls that are not pending are ignored. */
  readonly calls: number;
  /** Id of the latest token. */
  readonly lastToken: number;
  /** The latest applied `now`; time never goes backwards within an execution. */
  readonly now: number;
  /** When the round began. */
  readonly startedAt: number;
  /** `startAt` of an execution that has not begun yet. */
  readonly startAt?: number;
  /** When the round times out. */
  readonly deadline?: number;
  readonly tokens: readonly Token[];
  /** Visits per node id in this round. */
  readonly visits: Readonly<Record<string, number>>;
  readonly totalVisits: number;
  /** How many of {@link totalVisits} items of loops made; absent if there are none. */
  readonly itemVisits?: number;
  readonly verdict?: Verdict;
  /** Number of failed compensations of this round that are not settled. */
  readonly troubles: number;
  /** The first {@link maxNamedTroubles} of those, in the order of their failures; absent if there are none. */
  readonly failedCompensations?: readonly FailedCompensation[];
  /**
   * When compensations that read `now` and are not done were begun, in ms since 1970, by the ord of their visit's row:
   * whenever such a compensation is called again, also after a retry, it sends the same body. Absent if there are none.
   */
  readonly undoBegun?: Readonly<Record<string, number>>;
  /** Number of operator requests applied in all rounds; the audit log describes them. Absent if there are none. */
  readonly changes?: number;
  readonly hookVisits: Readonly<Record<string, number>>;
  readonly hookWarning?: string;
  /** The hook of the current end; absent while its delivery is pending, and if there is none. */
  readonly hook?: HookEnd;
  /** Node ids by first completion in this round; recorded only for plans that read it. */
  readonly completed?: readonly string[];
  /** The result of the run: its last response. */
  readonly result?: OutputRef;
  /**
   * Present if and only if the execution is over. `at` is the time of the end in ms since 1970, or `now` if absent: a
   * state changes after its end only while its hook is delivered.
   */
  readonly end?: {
    readonly status: TerminalStatus;
    readonly reason?: FailureReason;
    readonly description?: string;
    readonly at?: number;
  };
  /**
   * Globs of the definitions that the execution may start: those of the caller that started the root of its family. Absent: any.
   */
  readonly scope?: readonly string[];
  /** The reason of an accepted cancel. */
  readonly cancelReason?: string;
}
