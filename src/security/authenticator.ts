import type { IncomingHttpHeaders } from 'node:http';
import { addressGroup } from './addresses.ts';
import { digestOf, type ApiKeys } from './api-keys.ts';
import { looksLikeJwt } from './jwt-form.ts';
import type { JwtVerifier } from './jwt-verifier.ts';
import type { Principal } from './principal.ts';
import { RateLimiter } from './rate-limiter.ts';
import { KeysUnavailable } from './remote-key-set.ts';

/** The outcome of checking a request's credentials. */
export type Authentication =
  | { readonly kind: 'known'; readonly principal: Principal }
  /** The request has no credentials. */
  | { readonly kind: 'missing' }
  /** The credentials are unknown, expired or forged; the answer does not reveal which. */
  | { readonly kind: 'invalid' }
  /** The credentials match no API key, and this address made too many failed attempts to have a token verified. */
  | { readonly kind: 'limited'; readonly retryAfterMillis: number }
  /** The keys of the token issuer are unavailable. */
  | { readonly kind: 'unavailable' };

/** Options of {@link Authenticator}. */
export interface AuthenticatorParts {
  readonly keys: ApiKeys;
  readonly jwt?: Pick<JwtVerifier, 'verify'>;
  readonly clock: { now(): number; monotonic(): number };
  /** Failed attempts per minute and address; as many may come at once. */
  readonly failuresPerMinute: number;
}

const maxAddresses = 10_000;
const maxRemembered = 1000;
const rememberedMillis = 10 * 60_000;

/**
 * Authenticates requests by API key or token.
 *
 * Failed attempts are limited per address. API keys are compared regardless of the limit: a comparison costs one digest
 * and 256 bits cannot be guessed, so a flood of wrong credentials does not lock out a valid key from the same address.
 * Above the limit, token signatures are no longer verified, except for tokens that this process recently accepted.
 */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #failures: RateLimiter;
  /** When tokens were last accepted, by digest, oldest first. */
  readonly #good = new Map<string, number>();

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    const { failuresPerMinute, clock } = parts;
    const limit = { perSecond: failuresPerMinute / 60, burst: failuresPerMinute, maxKeys: maxAddresses };
    this.#failures = new RateLimiter(limit, () => clock.monotonic());
  }

  /**
   * Answers at once for API keys. Never throws because of the request's content. `address` is the caller's, without a
   * port.
   */
  authenticate(headers: IncomingHttpHeaders, address: string): Authentication | Promise<Authentication> {
    const credential = credentialOf(headers);
    if (credential === undefined) return { kind: 'missing' };
    const digest = digestOf(credential);
    const owner = this.#parts.keys.find(digest, this.#parts.clock.now());
    if (owner !== undefined) return { kind: 'known', principal: owner };
    return this.#judgeToken(credential, digest, address);
  }

  async #judgeToken(credential: string, digest: Buffer, address: string): Promise<Authentication> {
    const party = addressGroup(address);
    const retryAfterMillis = this.#failures.wait(party);
    if (retryAfterMillis > 0 && !this.#wasGood(digest)) return { kind: 'limited', retryAfterMillis };
    try {
      const principal = await this.#ownerOfToken(credential);
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

  async #ownerOfToken(credential: string): Promise<Principal | undefined> {
    const { jwt } = this.#parts;
    return jwt === undefined || !looksLikeJwt(credential) ? undefined : jwt.verify(credential);
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

/** The bearer token, else the API key. Ignores other schemes, such as those of a proxy. */
function credentialOf({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | undefined {
  const bearer = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  const given = bearer ?? (typeof apiKey === 'string' ? apiKey.trim() : undefined);
  return given === '' ? undefined : given;
}
