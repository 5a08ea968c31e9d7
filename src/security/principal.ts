import { fitsGlobs } from '../core/value/name-globs.ts';
import type { Role } from './roles.ts';

/** Who a request comes from, once that is proven. */
export interface Principal {
  /** `key:<id>` or `jwt:<subject>`: stands in the audit log, and is the namespace of idempotency keys. */
  readonly id: string;
  readonly roles: readonly Role[];
  /** Globs of the definitions that it sees, runs and controls; absent: all. */
  readonly definitions?: readonly string[];
  /** When its credentials end, in ms since 1970; absent: never. */
  readonly expiresAt?: number;
}

/** Whether a principal may see data of the definition of this name. Without authentication every caller may. */
export function sees(principal: Principal | undefined, definitionName: string): boolean {
  return fitsGlobs(definitionName, principal?.definitions);
}
