import type { ExecutionHeader } from '../../core/run.ts';
import type { Plan } from '../../core/plan.ts';

/** A new execution, checked and ready to be stored. */
export interface Submission {
  readonly plan: Plan;
  readonly header: ExecutionHeader;
  /** JSON text of the definition. */
  readonly definition: string;
  /** Whether the definition must exist as a record at the insert; if not, the result is `gone`. */
  readonly mustBeStored?: boolean;
  /** JSON text of `header.payload`, digits kept. */
  readonly payload: string;
  readonly createdAt: number;
  /** The execution starts no earlier than this. */
  readonly startAt?: number;
  readonly traceparent?: string;
  /** Globs of the definitions that the family may start; absent: any. See `State.scope`. */
  readonly scope?: readonly string[];
  /** The claim under which the parent is held, which starts it; see `NewExecution.parentClaim`. */
  readonly parentClaim?: string;
  readonly startKey?: { readonly caller: string; readonly key: string; readonly fingerprint: string };
}
