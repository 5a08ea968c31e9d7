/** Callers for tests of authentication: each has an API key that follows from its id. */
import { createHash } from 'node:crypto';
import { type ApiKeyEntry, ApiKeys } from '../src/security/api-keys.ts';
import { Authenticator } from '../src/security/authenticator.ts';
import type { Role } from '../src/security/roles.ts';

/** What a caller may do. */
type Grant = readonly Role[] | Pick<ApiKeyEntry, 'roles' | 'definitions' | 'expiresAt'>;

/** The API key of a caller. */
export function apiKeyOf(id: string): string {
  return `trama_key-of-${id}`;
}

/** An authenticator that knows these callers. */
export function authenticatorOf(
  callers: Readonly<Record<string, Grant>>,
  options: { readonly now?: () => number; readonly failuresPerMinute?: number } = {},
): Authenticator {
  const { now = Date.now, failuresPerMinute = 1000 } = options;
  const entries = Object.entries(callers).map(([id, grant]) => ({
    id,
    sha256: createHash('sha256').update(apiKeyOf(id)).digest('hex'),
    ...('roles' in grant ? grant : { roles: grant }),
  }));
  return new Authenticator({
    keys: new ApiKeys(entries),
    clock: { now, monotonic: () => performance.now() },
    failuresPerMinute,
  });
}
