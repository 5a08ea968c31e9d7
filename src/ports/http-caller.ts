/**
 * One outbound HTTP call: what the engine asks for and what it learns.
 *
 * The port takes a callback rather than a promise and hands back a handle rather than taking an abort signal: a promise
 * and an `AbortController` per call cost more than the call's own bookkeeping.
 *
 * The engine's outcome hangs on one bit, {@link CallFailure.sent}: it is false only when it is certain that not one
 * byte of the request left. Everything else that did not bring a whole answer is unknown.
 */
import type { Json } from '../core/value/json.ts';

/** A request, rendered and complete. */
export interface OutboundRequest {
  /** Absolute `http:` or `https:` URL. User information in it is refused; a fragment is dropped. */
  readonly url: string;
  readonly verb: string;
  /** All headers, merged; the caller adds only `accept-encoding` and `user-agent`, where absent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From `start` to the end of the answer, waiting for a free connection included. At least 1. */
  readonly timeoutMillis: number;
  /** Whether the URL's host or port comes from payload, labels or a response: stricter egress rules apply. */
  readonly authorityFromData: boolean;
}

/** A whole answer, whatever its status. Redirects are answers. */
export interface CallResponse {
  readonly kind: 'response';
  readonly status: number;
  /** Names in lower case; a repeated header's values are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The decoded text; empty when there was no body, or none that can be read. */
  readonly body: string;
  /** Parsed, digits kept, where the content type says JSON and it parses; null when empty; else the text. */
  readonly bodyJson: Json;
  /** Why the body that came cannot be read (its content coding, its charset): one sentence, without anything of the body. */
  readonly bodyProblem?: string;
  readonly latencyMillis: number;
}

/**
 * Why there is no whole answer: `timeout` (the total one), `connect` (no connection, or it broke before an answer
 * began), `body` (the answer was too large, cut off or no HTTP), `aborted` (by the handle or by `close`),
 * `refused` (egress policy, or no HTTP request can be made of it; asking again never helps).
 */
export type CallError = 'timeout' | 'connect' | 'body' | 'aborted' | 'refused';

/** No whole answer. */
export interface CallFailure {
  readonly kind: 'failed';
  readonly error: CallError;
  /** False only when the request certainly did not leave. */
  readonly sent: boolean;
  /** One sentence for people; may name host and address, never holds a body or a header's value. */
  readonly message: string;
  /** The status of an answer whose body failed. */
  readonly status?: number;
  readonly latencyMillis: number;
}

/** How a call ended. */
export type CallAnswer = CallResponse | CallFailure;

/** The sender's last word on a call: it may have waited for a connection longer than its sender may act. The methods must not throw. */
export interface LastWord {
  /** Asked when the connection stands and the first byte is about to be written, in the same turn of the event loop. */
  mayLeave(): boolean;
  /** It might not, so nothing has left, and nothing will; called instead of `done`. */
  withheld(): void;
}

/** A call under way. */
export interface CallHandle {
  /** Ends the call now; its answer is `aborted`. Harmless when it has ended or was aborted before. */
  abort(): void;
}

/** Makes single calls: no retries, no redirects. */
export interface HttpCaller {
  /**
   * Starts a call. `done` is called exactly once (not where the last word withholds the call), never before `start` or `abort` has returned. It must not throw.
   * Never throws itself: a request that cannot be made is answered as `refused`.
   */
  start(request: OutboundRequest, done: (answer: CallAnswer) => void, lastWord?: LastWord): CallHandle;
  /**
   * Aborts every call under way and closes all connections; resolves once all are answered and closed. A second call
   * resolves alike; a `start` afterwards is answered `aborted`, unsent.
   */
  close(): Promise<void>;
}
