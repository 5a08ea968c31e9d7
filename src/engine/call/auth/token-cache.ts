import { isJsonObject, isRawNumber, numberText, type Json } from '../../../core/value/json.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { CallAnswer, HttpCaller, LastWord } from '../../../ports/http-caller.ts';
import { BoundedMap } from '../../bounded-map.ts';

/** What a token is fetched with. Holds credentials: never to be written anywhere. */
export interface TokenGrant {
  /** Equal for the same token URL, client, scope and audience. */
  readonly key: string;
  /** Of the token URL, for people. */
  readonly host: string;
  readonly url: string;
  /** The client's own `Authorization`. */
  readonly authorization: string;
  /** The form. */
  readonly body: string;
}

/** A token. Two are the same only when they are the same object. */
export interface AccessToken {
  readonly value: string;
  /** A text without the token, however it is encoded there. */
  readonly mask: (text: string) => string;
}

/** A token, or why there is none: a sentence without anything that the token endpoint said. */
export type TokenResult =
  | { readonly kind: 'token'; readonly token: AccessToken }
  | { readonly kind: 'failed'; readonly refused: boolean; readonly message: string };

/** A call that waits for a token. The methods must not throw. */
export interface TokenWaiter extends LastWord {
  done(result: TokenResult): void;
}

/** What the cache stands on. */
export interface TokenCacheParts {
  readonly http: HttpCaller;
  readonly clock: Clock;
  /** Masks a value from now on wherever it leaves; answers what takes it out of a text. */
  readonly conceal: (value: string) => (text: string) => string;
  /** Longest time of a fetch. Those who wait may give up before. */
  readonly fetchTimeoutMillis: number;
}

interface Kept {
  readonly token: AccessToken;
  /** Monotonic; from then on it is not given out any more. */
  readonly until: number;
}

const maxTokens = 64;
/** Of a token that comes without a lifetime; one that ends sooner is found out by its 401. */
const defaultLifetimeMillis = 300_000;
const maxLifetimeMillis = 86_400_000;
/** A token is not used in the last tenth of its life, at most half a minute: a call takes time to arrive. */
const maxMarginMillis = 30_000;
/** RFC 6749, appendix A.12, without what JSON would escape; shorter ones cannot be masked, longer ones fit no header. */
const tokenPattern = /^[\x21\x23-\x5b\x5d-\x7e]{4,16384}$/;
/** Masking looks for letters and digits in a row. An opaque token that had not even four would be no secret to speak of. */
const tellingPattern = /[A-Za-z0-9]{4}/;

/**
 * Access tokens of OAuth 2.0 client credentials (RFC 6749, section 4.4), kept in this process alone.
 *
 * Guarantees: one fetch at a time for each grant, whoever waits; a token is used until shortly before it expires, or until
 * somebody says that it was refused; the cache is bounded, and the grant used longest ago goes first. Every token is
 * concealed before anybody gets it. A fetch leaves only while one of those who wait for it may make its call. It goes through the same HTTP caller as every call, so the same egress policy,
 * size limit and TLS hold; redirects are not followed. Failures are not kept: the next who asks fetches again.
 */
export class TokenCache {
  readonly #parts: TokenCacheParts;
  readonly #kept = new BoundedMap<string, Kept>(maxTokens);
  readonly #fetches = new Map<string, Set<TokenWaiter>>();

  constructor(parts: TokenCacheParts) {
    this.#parts = parts;
  }

  /** Whether there is a token, so that nothing needs to be fetched. */
  has(grant: TokenGrant): boolean {
    const kept = this.#kept.get(grant.key);
    return kept !== undefined && this.#parts.clock.monotonic() < kept.until;
  }

  /**
   * Gives a token to `waiter.done`: at once when there is one, else when it has been fetched. One that is `refused` is not
   * given again. Where the fetch might not leave, `waiter.withheld` is called instead. Answers what makes it forget the
   * waiter; harmless when that was called.
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

/** `expires_in` in milliseconds; some endpoints write it as a text. */
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
