import type { Outcome } from '../context/context.ts';
import type { RetryError } from '../plan.ts';

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
  | 'child'
  | 'cancelled'
  | 'terminated'
  | 'undone';

/** The failure of one attempt, for retries and the verdict. */
export interface AttemptFailure {
  readonly outcome: Exclude<Outcome, 'succeeded'>;
  readonly reason: FailureReason;
  /** One sentence for people. */
  readonly description: string;
  /** The sentence for logs, if the description contains data or text entered by people. */
  readonly logged?: string;
  readonly statusCode?: number;
  readonly error?: RetryError;
  /** The host of the call in lower case, always with its port; absent if no call failed. */
  readonly host?: string;
}

/** Why a branch failed, for the case that no other succeeds. */
export interface BranchFailure extends AttemptFailure {
  readonly nodeId: string;
}
