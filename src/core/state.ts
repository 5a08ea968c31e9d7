import type { Outcome } from './context/context.ts';
import type { RetryError } from './plan.ts';

/** The version of this layout. A worker leaves a state of a higher version to newer workers. */
export const stateFormat = 1;

/** Statuses of an execution that is over. */
export type TerminalStatus = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'CORRUPTED' | 'TERMINATED';

/** What a client sees as the status of an execution. */
export type ExecutionStatus = TerminalStatus | 'IN_PROGRESS' | 'WAITING_CALLBACK' | 'SLEEPING' | 'COMPENSATING';

/** Why an execution did not succeed; the values of the `reason` label of `saga_failed_total`. */
export type FailureReason =
  | 'status_4xx'
  | 'status_5xx'
  | 'timeout'
  | 'connect'
  | 'body'
  | 'unsent'
  | 'callback_timeout'
  | 'callback_failure'
  | 'execution_timeout'
  | 'visits'
  | 'fail_node'
  | 'compensation'
  | 'engine'
  | 'cancelled'
  | 'terminated';

/** The failure of one attempt, as retries and the verdict need it. */
export interface AttemptFailure {
  readonly outcome: Exclude<Outcome, 'succeeded'>;
  readonly reason: FailureReason;
  /** One sentence for people. */
  readonly description: string;
  /** The sentence for logs, where the description holds what came from data or from people. */
  readonly logged?: string;
  readonly statusCode?: number;
  readonly error?: RetryError;
  /** The host that was called, with its port where that is not the usual one; absent where no call failed. */
  readonly host?: string;
}

/**
 * Why a call does not go out: an operator holds its host or definition, the circuit of its host is open, or as many calls
 * to its host are under way as may be.
 */
export type BlockCause = 'hold' | 'circuit' | 'slots';

/** A call that must not go out yet. It was not sent, so that no attempt is spent. */
export interface Blocked {
  /** Since when, over all tries. */
  readonly since: number;
  readonly cause: BlockCause;
  /** For people, such as `circuit of http://host:80 open`. */
  readonly detail: string;
  /** The host of the call, as in {@link AttemptFailure}; absent where the call has none. */
  readonly host?: string;
}

/** A compensation that could not be completed. */
export interface FailedCompensation {
  readonly nodeId: string;
  readonly visit: number;
  /** As in {@link AttemptFailure}. */
  readonly host?: string;
}

/** How many of them a state names; the others are counted in {@link State.troubles} alone. */
export const maxNamedTroubles = 8;

/** A visit of a switch that has not come to its end. */
export interface Choosing {
  readonly visit: number;
  /** The number of the case whose condition is next; those before it do not hold. */
  readonly next: number;
  /** What is to be told of those before it, for people. */
  readonly problems: readonly string[];
}

/** A place in the history. */
export interface OutputRef {
  readonly nodeId: string;
  readonly ord: number;
}

/** A call that is made until it succeeds or is given up: of a visit, a compensation or a hook. */
export interface Attempting {
  readonly startedAt: number;
  /** When the running or latest attempt began. */
  readonly attemptAt: number;
  /** Calls made so far, the running one included: the number of the attempt. 0 while the first one is blocked. */
  readonly attempt: number;
  /** Retries spent of the policy's `maxAttempts`. */
  readonly retries: number;
  /** Waits for a Retry-After, which spend no retry. */
  readonly waits: number;
  /** How the latest attempt that was answered failed. */
  readonly failure?: AttemptFailure;
  /** While its next call may not go out; kept while that is tried, until a call is answered. */
  readonly blocked?: Blocked;
}

/** The running visit of a task. */
export interface TaskRun extends Attempting {
  readonly visit: number;
  /** Id of the visit's first call: unknown outcomes are compensated latest started first. */
  readonly startOrd: number;
  /** Number of the operation, from 1; a retry after a callback that said failure begins the next. */
  readonly operation: number;
  /** Secret-free random part of the callback token of this operation; async only. */
  readonly nonce?: string;
  /** Id of the key that signs that token, the same for all attempts while the key is live; async only. */
  readonly keyId?: string;
  /** Whether an attempt of this operation was accepted, so that its callback counts. */
  readonly accepted?: boolean;
  /** Whether an attempt of this visit was accepted, so that its UP row is written and a CALLBACK row decides it. */
  readonly parked?: boolean;
  /** Whether an attempt of this operation ended unknown. */
  readonly unknown?: boolean;
  /** The Idempotency-Key where it is not the canonical one: that of a standing effect of an earlier round. */
  readonly key?: string;
  /** The step row of an earlier round whose effect `key` names; this visit takes it over. */
  readonly supersedes?: number;
  /** Hash of the stable rendering of the request, to recognise it in a later round. */
  readonly fingerprint?: string;
}

/** A completed, unknown or rejected visit whose compensation is due. */
export interface UndoTarget {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  /** Ord of the visit's deciding row: the compensation sees every node as it stood then. */
  readonly ord: number;
  readonly scope: string;
  readonly outcome: Exclude<Outcome, 'unsent'>;
  /** The forward call's latest Idempotency-Key. */
  readonly key: string;
  /** What `prev` is to the compensation. */
  readonly prev?: OutputRef;
}

/** A running compensation. */
export interface UndoRun extends Attempting {
  readonly target: UndoTarget;
}

/** A running hook. */
export interface HookRun extends Attempting {
  readonly hook: 'onSuccessCallback' | 'onFailureCallback';
  readonly visit: number;
  /** How long operators have held it in all: not counted against the time that a hook has. */
  readonly heldMillis?: number;
  /** Present while it is delivered after the end: until when, in ms since 1970; `heldMillis` and `retries` count from then on. */
  readonly delivery?: { readonly until: number };
}

/** What became of the hook of an execution that is over, and what it takes to call it once more under the same key. */
export interface HookEnd extends Pick<HookRun, 'hook' | 'visit' | 'startedAt' | 'attemptAt' | 'attempt'> {
  readonly isDelivered: boolean;
}

/** How a branch of a forked token ended. */
export interface BranchEnd {
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CORRUPTED';
  /** The last response of the branch itself. */
  readonly result?: OutputRef;
}

/** What an unwinding token does when nothing is left to compensate. */
export type UnwindGoal =
  /** The whole execution: ends by its verdict. `reopened`: only the compensations that a retry of CORRUPTED made due again. */
  | { readonly kind: 'end'; readonly reopened?: true }
  /** A branch under a join that continues. */
  | { readonly kind: 'branch' }
  /** A visit that failed, before its `onFailure` route. */
  | { readonly kind: 'route'; readonly target: string; readonly visit: number };

/** Where a token stands. */
export type Stage =
  /** At `nodeId`, not entered yet: no call can have left. */
  /** `choosing`: it stands in the middle of a switch whose conditions took more than one turn. */
  | { readonly kind: 'ready'; readonly choosing?: Choosing }
  | { readonly kind: 'calling'; readonly callId: number; readonly task: TaskRun }
  | {
      /** Waits to call again, or until a blocked call (`task.blocked`) is tried again. */
      readonly kind: 'backoff';
      readonly since: number;
      readonly until: number;
      readonly task: TaskRun;
      /** The call is repeated because its worker stopped, which is no retry. */
      readonly redelivery?: true;
    }
  /** Accepted by the downstream; waits for the callback until its timeout. */
  | { readonly kind: 'waiting'; readonly since: number; readonly until: number; readonly task: TaskRun }
  | { readonly kind: 'sleeping'; readonly since: number; readonly until: number; readonly visit: number }
  /** Parent of branches; `nodeId` is the split. */
  | {
      readonly kind: 'forked';
      readonly since: number;
      readonly visit: number;
      /** Ord of the SPLIT row: what came before it every branch sees. */
      readonly ord: number;
      readonly branches: Readonly<Record<string, BranchEnd>>;
    }
  /** Failed or cancelled, waits until calls still in flight within its scope have been answered. */
  | { readonly kind: 'draining'; readonly since: number; readonly goal: UnwindGoal }
  /** Compensates; `undo` absent: the next target is to be found. */
  | {
      readonly kind: 'unwinding';
      readonly since: number;
      readonly goal: UnwindGoal;
      /** How many compensations of this unwinding could not be completed. */
      readonly troubles: number;
      readonly undo?: UndoRun;
      readonly callId?: number;
      /** Waiting for a retry of `undo`, or until its blocked call is tried again. */
      readonly until?: number;
    }
  | { readonly kind: 'hook'; readonly run: HookRun; readonly callId?: number; readonly until?: number };

/** One place where the execution stands. */
export interface Token {
  /** Unique within the execution. */
  readonly id: number;
  /** Path of split branches, `''` outside of any; see `scope.ts`. */
  readonly scope: string;
  readonly nodeId: string;
  /** The node completed last on this token's path. */
  readonly prev?: OutputRef;
  readonly stage: Stage;
}

/** What the execution will end as, decided once per round. */
export interface Verdict {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly reason?: FailureReason;
  readonly description?: string;
  readonly nodeId?: string;
  readonly statusCode?: number;
  /** As in {@link AttemptFailure}. */
  readonly host?: string;
}

/**
 * The durable state of one execution: small, bounded, plain JSON.
 *
 * Active tokens, counters and the verdict live here. Whatever grows with the number of visits (outputs, order of
 * completion, what is to be compensated, standing effects) is in the step rows that a checkpoint appends beside the state
 * (see `history.ts`) and is read back when needed.
 *
 * A token is where the execution stands. A linear run has one; a `split` turns its token into a waiting parent (`forked`)
 * with one child per branch; an unwinding (compensating) token replaces all tokens of its scope. At rest a token is
 * `ready` (no call can have left), or `calling` (the checkpoint that wrote it let the call go: a worker that finds it so after
 * a load records an attempt of unknown outcome first), or it waits for an instant or an event.
 *
 * Instants are milliseconds since 1970 (UTC); ords are positions in the execution's own history, from 1.
 */
export interface State {
  readonly format: number;
  /** From 1; a retry of a failed execution begins the next. */
  readonly round: number;
  /** Ord of the latest history row. */
  readonly ord: number;
  /** Id of the latest call; an answer to any other than a pending one is ignored. */
  readonly calls: number;
  /** Id of the latest token. */
  readonly lastToken: number;
  /** The latest `now` that was applied: time never goes backwards within an execution. */
  readonly now: number;
  /** When the round began. */
  readonly startedAt: number;
  /** When the execution may begin (`startAt`), while it has not. */
  readonly startAt?: number;
  /** When the round times out. */
  readonly deadline?: number;
  readonly tokens: readonly Token[];
  /** Visits per node id in this round. */
  readonly visits: Readonly<Record<string, number>>;
  readonly totalVisits: number;
  readonly verdict?: Verdict;
  /** Compensations of this round that could not be completed and are not settled. */
  readonly troubles: number;
  /** The first {@link maxNamedTroubles} of those, in the order in which they failed; absent when there are none. */
  readonly failedCompensations?: readonly FailedCompensation[];
  /** How many changes that operators asked for were applied, in all rounds; the audit log says what they were. Absent: none. */
  readonly changes?: number;
  readonly hookVisits: Readonly<Record<string, number>>;
  readonly hookWarning?: string;
  /** The hook of the present end; absent while it is still to be delivered, and where there is none. */
  readonly hook?: HookEnd;
  /** Node ids by first completion in this round; kept only for plans that read it. */
  readonly completed?: readonly string[];
  /** The last response of the run: its result. */
  readonly result?: OutputRef;
  /**
   * Present exactly when the execution is over. `at` is when it ended, in ms since 1970; absent, it is `now`: a state changes
   * after its end only while its hook is delivered.
   */
  readonly end?: {
    readonly status: TerminalStatus;
    readonly reason?: FailureReason;
    readonly description?: string;
    readonly at?: number;
  };
  /** Reason given with an accepted cancel. */
  readonly cancelReason?: string;
}
