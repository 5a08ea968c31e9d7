import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Principal } from './principal.ts';
import type { Role } from './roles.ts';

/** A configured API key. */
export interface ApiKeyEntry {
  readonly id: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly roles: readonly Role[];
  /** Globs of definition names; absent: all. */
  readonly definitions?: readonly string[];
  /** The key expires at this time, in ms since 1970. */
  readonly expiresAt?: number;
}

/**
 * Creates an API key: 256 random bits behind a prefix that scanners for leaked secrets recognise. Its entry keeps only
 * the digest.
 */
export function createApiKey(): string {
  return `trama_${randomBytes(32).toString('base64url')}`;
}

/** SHA-256 of a key as sent. A slow hash would protect guessable secrets; these keys cannot be guessed. */
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

  /**
   * The owner of the key with this digest, unless the key has expired. Takes the same time for every digest, known or
   * not.
   */
  find(digest: Buffer, now: number): Principal | undefined {
    let found: Principal | undefined;
    for (const { digest: other, principal } of this.#keys) {
      const isSame = timingSafeEqual(digest, other);
      if (isSame && now < (principal.expiresAt ?? Infinity)) found = principal;
    }
    return found;
  }
}
