import { isJsonObject, isRawNumber, numberText, type Json } from '../../../core/value/json.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallAnswer, HttpCaller, LastWord } from '../../../ports/http-caller.ts';
import { BoundedMap } from '../../bounded-map.ts';

/** The request for a token. It contains credentials and must never be written anywhere. */
export interface TokenGrant {
  /** Equal for the same token URL, client, secret, scope and audience. */
  readonly key: string;
  /** The host of the token URL, for people. */
  readonly host: string;
  readonly url: string;
  /** The `Authorization` header of the client. */
  readonly authorization: string;
  /** The form-encoded body. */
  readonly body: string;
}

/** An access token, compared by identity. */
export interface AccessToken {
  readonly value: string;
  /** Removes the token from a text, in any encoding. */
  readonly mask: (text: string) => string;
}

/** A token, or the reason why there is none: a sentence that quotes nothing from the token endpoint. */
export type TokenResult =
  | { readonly kind: 'token'; readonly token: AccessToken }
  | { readonly kind: 'failed'; readonly refused: boolean; readonly message: string };

/** A call that waits for a token. The methods must not throw. */
export interface TokenWaiter extends LastWord {
  done(result: TokenResult): void;
}

/** The dependencies and limits of a {@link TokenCache}. */
export interface TokenCacheParts {
  readonly http: HttpCaller;
  readonly clock: Clock;
  /** Masks a value in all output of the process from now on. Returns a function that removes it from a text. */
  readonly conceal: (value: string) => (text: string) => string;
  /** Timeout of a fetch. Waiting calls may give up earlier. */
  readonly fetchTimeoutMillis: number;
}

interface Kept {
  readonly token: AccessToken;
  /** Monotonic time after which the cache does not return the token. */
  readonly until: number;
}

const maxTokens = 64;
/** Lifetime of a token whose answer contains none. If the token expires earlier, a 401 replaces it. */
const defaultLifetimeMillis = 300_000;
const maxLifetimeMillis = 86_400_000;
/** A token is not used in the last tenth of its lifetime, at most half a minute, because a call takes time to arrive. */
const maxMarginMillis = 30_000;
/** RFC 6749, appendix A.12, without characters that JSON escapes. Shorter tokens cannot be masked, longer ones fit no header. */
const tokenPattern = /^[\x21\x23-\x5b\x5d-\x7e]{4,16384}$/;
/**
 * Masking searches for consecutive letters and digits. A token with fewer than four of them is not worth protecting.
 */
const tellingPattern = /[A-Za-z0-9]{4}/;

/**
 * Access tokens of OAuth 2.0 client credentials (RFC 6749, section 4.4), cached only in the memory of this process.
 *
 * Guarantees: one fetch at a time for each grant, regardless of the number of waiting calls. A token is used until shortly
 * before it expires, or until a call reports that it was refused. The cache is bounded and evicts the least recently used
 * grant. Every token is concealed before a call gets it. A fetch leaves only while one of the waiting calls may leave. It
 * uses the HTTP caller of all calls, with its egress policy, size limit and TLS, and does not follow redirects. Failures
 * are not cached: the next call fetches again.
 */
export class TokenCache {
  readonly #parts: TokenCacheParts;
  readonly #kept = new BoundedMap<string, Kept>(maxTokens);
  readonly #fetches = new Map<string, Set<TokenWaiter>>();

  constructor(parts: TokenCacheParts) {
    this.#parts = parts;
  }

  /** Whether the cache has a token, so that no fetch is needed. */
  has(grant: TokenGrant): boolean {
    const kept = this.#kept.get(grant.key);
    return kept !== undefined && this.#parts.clock.monotonic() < kept.until;
  }

  /**
   * Passes a token to `waiter.done`: at once if there is one, otherwise after a fetch. Never passes the `refused` token
   * again. Calls `waiter.withheld` instead if the fetch may not leave. Returns a function that removes the waiter; a late
   * call of it is harmless.
   */
  get(grant: TokenGrant, refused: AccessToken | undefined, waiter: TokenWaiter): () => void {
    const { clock } = this.#parts;
    const kept = this.#kept.get(grant.key);
    if (kept !== undefined && kept.token !== refused && clock.monotonic() < kept.until) {
      waiter.done({ kind: 'token', token: kept.token });
      return () => undefined;
    }
    const waiting = this.#fetches.get(grant.key) ?? this.#fetch(grant);
    waiting.add(waiter);
    return () => waiting.delete(waiter);
  }

  #fetch(grant: TokenGrant): Set<TokenWaiter> {
    const { http, clock, fetchTimeoutMillis } = this.#parts;
    const waiting = new Set<TokenWaiter>();
    this.#fetches.set(grant.key, waiting);
    const begun = clock.monotonic();
    const request = {
      url: grant.url,
      verb: 'POST',
      headers: {
        authorization: grant.authorization,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: grant.body,
      timeoutMillis: fetchTimeoutMillis,
      authorityFromData: false,
    };
    http.start(
      request,
      (answer) => {
        this.#fetches.delete(grant.key);
        const result = this.#judge(grant, answer, begun);
        for (const waiter of waiting) waiter.done(result);
      },
      {
        mayLeave: () => [...waiting].some((waiter) => waiter.mayLeave()),
        withheld: () => {
          this.#fetches.delete(grant.key);
          for (const waiter of waiting) waiter.withheld();
        },
      },
    );
    return waiting;
  }

  #judge(grant: TokenGrant, answer: CallAnswer, begun: number): TokenResult {
    if (answer.kind === 'failed') {
      return failed(`No access token came from ${grant.host}. ${answer.message}`, answer.error === 'refused');
    }
    if (answer.status !== 200) return failed(`The token endpoint ${grant.host} answered ${String(answer.status)}.`);
    if (answer.bodyProblem !== undefined)
      return failed(`No access token came from ${grant.host}. ${answer.bodyProblem}`);
    const body = isJsonObject(answer.bodyJson) ? answer.bodyJson : {};
    const { access_token: value, token_type: type, expires_in: lifetime } = body;
    if (typeof value !== 'string' || !tokenPattern.test(value) || !tellingPattern.test(value)) {
      return failed(`The answer of the token endpoint ${grant.host} has no usable access token.`);
    }
    if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
      return failed(`The token of ${grant.host} is no bearer token.`);
    }
    const token = { value, mask: this.#parts.conceal(value) };
    const millis = lifetimeOf(lifetime);
    const until = begun + millis - Math.min(maxMarginMillis, millis / 10);
    this.#kept.set(grant.key, { token, until });
    return { kind: 'token', token };
  }
}

/** `expires_in` in milliseconds; some endpoints write it as a string. */
function lifetimeOf(value: Json | undefined): number {
  const isNumber = typeof value === 'number' || isRawNumber(value);
  const seconds = isNumber
    ? Number(numberText(value))
    : typeof value === 'string'
      ? Number.parseFloat(value)
      : Number.NaN;
  return Number.isNaN(seconds) ? defaultLifetimeMillis : Math.min(Math.max(seconds, 0) * 1000, maxLifetimeMillis);
}

function failed(message: string, refused = false): TokenResult {
  return { kind: 'failed', refused, message };
}
