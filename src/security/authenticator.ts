/**
 * Who is it? Credentials of a request against API keys and tokens.
 *
 * Failed attempts are limited per address. Past the limit, credentials of that address are no longer looked at, so that
 * nobody can go on guessing; except those that this process found good a while ago, so that nobody can lock out others
 * who come from behind the same address.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { digestOf, type ApiKeys } from './api-keys.ts';
import { looksLikeJwt } from './jwt-form.ts';
import type { JwtVerifier } from './jwt-verifier.ts';
import type { Principal } from './principal.ts';
import { addressGroup, RateLimiter } from './rate-limiter.ts';
import { KeysUnavailable } from './remote-key-set.ts';

/** What the credentials of a request are worth. */
export type Authentication =
  | { readonly kind: 'known'; readonly principal: Principal }
  /** There are none. */
  | { readonly kind: 'missing' }
  /** They are not good: unknown, expired, forged. Which, nobody is told. */
  | { readonly kind: 'invalid' }
  /** Too many failed attempts came from this address. */
  | { readonly kind: 'limited'; readonly retryAfterMillis: number }
  /** The token issuer's keys are away. */
  | { readonly kind: 'unavailable' };

/** See the file header. */
export interface AuthenticatorParts {
  readonly keys: ApiKeys;
  readonly jwt?: JwtVerifier;
  readonly clock: { now(): number; monotonic(): number };
  /** Failed attempts of one address per minute, after as many at once. */
  readonly failuresPerMinute: number;
}

const maxAddresses = 10_000;
const maxRemembered = 1000;
const rememberedMillis = 10 * 60_000;

/** See the file header. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #failures: RateLimiter;
  /** When credentials were last found good, by digest, the longest ago first. */
  readonly #good = new Map<string, number>();

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    const { failuresPerMinute, clock } = parts;
    const limit = { perSecond: failuresPerMinute / 60, burst: failuresPerMinute, maxKeys: maxAddresses };
    this.#failures = new RateLimiter(limit, () => clock.monotonic());
  }

  /** Never throws for what the request holds. `address` is that of the peer. */
  async authenticate(headers: IncomingHttpHeaders, address: string): Promise<Authentication> {
    const credential = credentialOf(headers);
    if (credential === undefined) return { kind: 'missing' };
    const digest = digestOf(credential);
    const party = addressGroup(address);
    const retryAfterMillis = this.#failures.wait(party);
    if (retryAfterMillis > 0 && !this.#wasGood(digest)) return { kind: 'limited', retryAfterMillis };
    try {
      const principal = await this.#find(credential, digest);
      if (principal !== undefined) {
        this.#remember(digest);
        return { kind: 'known', principal };
      }
    } catch (error) {
      if (error instanceof KeysUnavailable) return { kind: 'unavailable' };
      throw error;
    }
    this.#failures.take(party);
    return { kind: 'invalid' };
  }

  async #find(credential: string, digest: Buffer): Promise<Principal | undefined> {
    const { keys, jwt, clock } = this.#parts;
    const owner = keys.find(digest, clock.now());
    if (owner !== undefined || jwt === undefined || !looksLikeJwt(credential)) return owner;
    return jwt.verify(credential);
  }

  #wasGood(digest: Buffer): boolean {
    const at = this.#good.get(digest.toString('base64'));
    return at !== undefined && this.#parts.clock.monotonic() - at < rememberedMillis;
  }

  #remember(digest: Buffer): void {
    const key = digest.toString('base64');
    this.#good.delete(key);
    this.#good.set(key, this.#parts.clock.monotonic());
    if (this.#good.size <= maxRemembered) return;
    const oldest = this.#good.keys().next();
    if (oldest.done !== true) this.#good.delete(oldest.value);
  }
}

/** The bearer token, else the API key. Another scheme (of a proxy, say) is none of ours. */
function credentialOf({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | undefined {
  const bearer = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  const given = bearer ?? (typeof apiKey === 'string' ? apiKey.trim() : undefined);
  return given === '' ? undefined : given;
}
