import type { ExecutionHeader } from '../../core/run.ts';
import type { Plan } from '../../core/plan.ts';

/** A new execution, checked and ready to be stored. */
export interface Submission {
  readonly plan: Plan;
  readonly header: ExecutionHeader;
  /** JSON text of the definition. */
  readonly definition: string;
  /** Whether it must be stored as a record at the insert; the result is `gone` otherwise. */
  readonly mustBeStored?: boolean;
  /** JSON text of `header.payload`, digits kept. */
  readonly payload: string;
  readonly createdAt: number;
  /** Not before this instant. */
  readonly startAt?: number;
  readonly traceparent?: string;
  readonly startKey?: { readonly caller: string; readonly key: string; readonly fingerprint: string };
}
