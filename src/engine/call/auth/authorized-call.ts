import type { Clock, Timer } from '../../../ports/clock.ts';
import type { CallAnswer, CallHandle, HttpCaller, LastWord, OutboundRequest } from '../../../ports/http-caller.ts';
import type { AccessToken, TokenCache, TokenGrant, TokenResult } from './token-cache.ts';
import { answerWithout } from './without-token.ts';

/** The outcome of an authorized call. */
export interface AuthorizedEnding {
  /** The answer without the token. */
  readonly answer: CallAnswer;
  /** The last request, whether it was sent or not. */
  readonly request: OutboundRequest;
  /** False if the answer concerns the token endpoint instead of the downstream. */
  readonly isOfDownstream: boolean;
}

/** The dependencies of authorized calls. */
export interface AuthorizedCallParts {
  readonly http: HttpCaller;
  readonly clock: Clock;
  readonly tokens: TokenCache;
}

/**
 * One call with an access token, as one attempt: token → request → answer. After a 401 the call fetches a new token and
 * sends one more request, whose answer is final. The timeout of the call covers all steps.
 *
 * Without a token no request leaves, and the call is unsent. Without a second token the 401 is the answer. The call
 * removes the token from the answer.
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
  /** The 401 answer, which is final if there is no new token. */
  #unauthorized: AuthorizedEnding | undefined;
  #sent: CallHandle | undefined;
  #forget: (() => void) | undefined;
  #timer: Timer | undefined;
  #ended = false;

  /**
   * Starts the call. Calls `done` once, never before this constructor or `abort` has returned, and never if the last word
   * withholds the call. Calls `settled` once the call has its token or cannot get one.
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
   * Withholds the call, because the fetch of its token may not leave. The whole call can be repeated, because an earlier
   * 401 has had no effect.
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
