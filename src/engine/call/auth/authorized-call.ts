import type { Clock, Timer } from '../../../ports/clock.ts';
import type { CallAnswer, CallHandle, HttpCaller, LastWord, OutboundRequest } from '../../../ports/http-caller.ts';
import type { AccessToken, TokenCache, TokenGrant, TokenResult } from './token-cache.ts';
import { answerWithout } from './without-token.ts';

/** The outcome of an authorized call. */
export interface AuthorizedEnding {
  /** Does not contain the token. */
  readonly answer: CallAnswer;
  /** The request that was sent last, or would have been. */
  readonly request: OutboundRequest;
  /** False when the answer concerns the token endpoint and says nothing of the downstream. */
  readonly isOfDownstream: boolean;
}

/** What authorized calls need. */
export interface AuthorizedCallParts {
  readonly http: HttpCaller;
  readonly clock: Clock;
  readonly tokens: TokenCache;
}

/**
 * One call with an access token, as one attempt: token → request → answer. A 401 gets a new token and one more request;
 * the next answer is final. All of it takes place within the call's own time.
 *
 * When no token comes, no request has left towards the downstream and the call is unsent. When no second token comes,
 * the 401 stands. The answer reaches the caller without the token.
 */
export class AuthorizedCall implements CallHandle {
  readonly #parts: AuthorizedCallParts;
  readonly #request: OutboundRequest;
  readonly #grant: TokenGrant;
  readonly #done: (ending: AuthorizedEnding) => void;
  readonly #lastWord: LastWord;
  readonly #settled: () => void;
  readonly #deadline: number;
  #token: AccessToken | undefined;
  /** The answer that stands when no new token comes. */
  #unauthorized: AuthorizedEnding | undefined;
  #sent: CallHandle | undefined;
  #forget: (() => void) | undefined;
  #timer: Timer | undefined;
  #ended = false;

  /**
   * Starts the call. Calls `done` once, never before this method or `abort` has returned, and not where the last word
   * withholds the call. Calls `settled` when a token is there or will not come.
   */
  constructor(
    parts: AuthorizedCallParts,
    request: OutboundRequest,
    grant: TokenGrant,
    done: (ending: AuthorizedEnding) => void,
    lastWord: LastWord,
    settled: () => void = () => undefined,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#grant = grant;
    this.#done = done;
    this.#lastWord = lastWord;
    this.#settled = settled;
    this.#deadline = parts.clock.monotonic() + request.timeoutMillis;
    this.#obtain();
  }

  abort(): void {
    if (this.#sent === undefined) this.#withoutToken('aborted', 'The call was aborted.');
    else this.#sent.abort();
  }

  get #remainingMillis(): number {
    return Math.floor(this.#deadline - this.#parts.clock.monotonic());
  }

  #obtain(): void {
    const { clock, tokens } = this.#parts;
    this.#sent = undefined;
    this.#timer = clock.after(Math.max(0, this.#remainingMillis), () => {
      this.#withoutToken('timeout', `No access token came from ${this.#grant.host} in time.`);
    });
    const forget = tokens.get(this.#grant, this.#token, {
      done: (result) => {
        this.#timer?.cancel();
        this.#take(result);
      },
      mayLeave: () => this.#lastWord.mayLeave(),
      withheld: () => this.#withhold(),
    });
    if (this.#sent === undefined) this.#forget = forget;
  }

  #take(result: TokenResult): void {
    this.#forget = undefined;
    this.#settled();
    if (result.kind === 'failed') this.#withoutToken(result.refused ? 'refused' : 'connect', result.message);
    else if (this.#remainingMillis < 1) this.#withoutToken('timeout', 'The access token came too late.');
    else this.#send(result.token);
  }

  #send(token: AccessToken): void {
    const earlier = this.#token;
    this.#token = token;
    const request = {
      ...this.#request,
      headers: { ...this.#request.headers, authorization: `Bearer ${token.value}` },
      timeoutMillis: this.#remainingMillis,
    };
    this.#sent = this.#parts.http.start(
      request,
      (raw) => {
        const masked = answerWithout(raw, token.mask);
        const answer = earlier === undefined ? masked : answerWithout(masked, earlier.mask);
        const ending = { answer, request, isOfDownstream: true };
        if (answer.kind === 'response' && answer.status === 401 && earlier === undefined) {
          this.#unauthorized = ending;
          this.#obtain();
        } else {
          this.#end(ending);
        }
      },
      this.#lastWord,
    );
  }

  #withoutToken(error: 'aborted' | 'timeout' | 'refused' | 'connect', message: string): void {
    const answer: CallAnswer = { kind: 'failed', error, sent: false, message, latencyMillis: 0 };
    this.#end(this.#unauthorized ?? { answer, request: this.#request, isOfDownstream: false });
  }

  /**
   * The token must not be fetched, so the call must not leave. An earlier 401 has had no effect, so the whole call can
   * be repeated.
   */
  #withhold(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#lastWord.withheld();
  }

  #end(ending: AuthorizedEnding): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#forget?.();
    queueMicrotask(() => {
      this.#done(ending);
    });
  }
}
