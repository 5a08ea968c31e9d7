/**
 * API keys. A key is 256 random bits behind a prefix that scanners for leaked secrets can find; only its SHA-256 is kept.
 * (A slow hash would protect guessable secrets; these cannot be guessed.)
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from './principal.ts';
import type { Role } from './roles.ts';

/** A key as it is configured. */
export interface ApiKeyEntry {
  readonly id: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly roles: readonly Role[];
  /** Globs of definitions; absent: all. */
  readonly definitions?: readonly string[];
  /** In ms since 1970; not good from then on. */
  readonly expiresAt?: number;
}

/** A new key; its entry does not reveal it. */
export function createApiKey(): string {
  return `trama_${randomBytes(32).toString('base64url')}`;
}

/** The digest that entries keep, of a key as it is sent. */
export function digestOf(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** The keys of one configuration. Immutable. */
export class ApiKeys {
  readonly #keys: readonly {
    readonly digest: Buffer;
    readonly principal: Principal;
  }[];

  constructor(entries: readonly ApiKeyEntry[]) {
    this.#keys = entries.map(({ id, sha256, roles, definitions, expiresAt }) => ({
      digest: Buffer.from(sha256, 'hex'),
      principal: {
        id: `key:${id}`,
        roles,
        ...(definitions !== undefined && { definitions }),
        ...(expiresAt !== undefined && { expiresAt }),
      },
    }));
  }

  /** The owner of the key with this digest, unless it has expired. Takes as long whichever key it is, or none. */
  find(digest: Buffer, now: number): Principal | undefined {
    let found: Principal | undefined;
    for (const { digest: other, principal } of this.#keys) {
      const isSame = timingSafeEqual(digest, other);
      if (isSame && now < (principal.expiresAt ?? Infinity)) found = principal;
    }
    return found;
  }
}
