import { fitsGlobs } from '../core/value/name-globs.ts';
import type { Role } from './roles.ts';

/** The authenticated caller of a request. */
export interface Principal {
  /** `key:<id>` or `jwt:<subject>`. The audit log records it, and idempotency keys are scoped to it. */
  readonly id: string;
  readonly roles: readonly Role[];
  /** Globs of the definitions that the caller sees, runs and controls; absent: all. */
  readonly definitions?: readonly string[];
  /** When the credentials expire, in ms since 1970; absent: never. */
  readonly expiresAt?: number;
}

/** Whether a principal may see data of the definition with this name. Without authentication every caller may. */
export function sees(principal: Principal | undefined, definitionName: string): boolean {
  return fitsGlobs(definitionName, principal?.definitions);
}
