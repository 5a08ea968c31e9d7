import type { Json } from '../core/value/json.ts';

/** A request, rendered and complete. */
export interface OutboundRequest {
  /** Absolute `http:` or `https:` URL. User information is refused; a fragment is dropped. */
  readonly url: string;
  readonly verb: string;
  /** All headers, merged; the caller only adds `accept-encoding` and `user-agent` if absent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From `start` to the end of the response, including the wait for a free connection. At least 1. */
  readonly timeoutMillis: number;
  /** Whether the URL's host or port comes from payload, labels or a response: stricter egress rules apply. */
  readonly authorityFromData: boolean;
}

/** A complete response with any status. Redirects are responses. */
export interface CallResponse {
  readonly kind: 'response';
  readonly status: number;
  /** Names in lower case; a repeated header's values are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The decoded text; empty when there was no body or it could not be decoded. */
  readonly body: string;
  /** The parsed body with digits preserved if the content type is JSON and it parses; null when empty; otherwise the text. */
  readonly bodyJson: Json;
  /** Why the body could not be decoded (content coding, charset): one sentence without any part of the body. */
  readonly bodyProblem?: string;
  readonly latencyMillis: number;
}

/**
 * Why there is no complete response: `timeout` (the total one), `connect` (no connection, or it broke before a response
 * began), `body` (the response was too large, cut off or not HTTP), `aborted` (by the handle or by `close`), `refused` (egress
 * policy, or not a valid HTTP request; a retry never helps).
 */
export type CallError = 'timeout' | 'connect' | 'body' | 'aborted' | 'refused';

/** A call without a complete response. */
export interface CallFailure {
  readonly kind: 'failed';
  readonly error: CallError;
  /** False only when it is certain that no byte of the request left. Otherwise the effect of the call is unknown. */
  readonly sent: boolean;
  /** One sentence for users; may name host and address, never contains a body or a header's value. */
  readonly message: string;
  /** The status of a response whose body failed. */
  readonly status?: number;
  readonly latencyMillis: number;
}

/** The result of a call. */
export type CallAnswer = CallResponse | CallFailure;

/** Lets the sender withhold a call that waited for a connection until the sender may no longer act. The methods must not throw. */
export interface LastWord {
  /** Called with the connection established, in the same turn of the event loop in which the first byte is written. */
  mayLeave(): boolean;
  /** Called instead of `done` after `mayLeave` returned false: no byte was or will be sent. */
  withheld(): void;
}

/** A call in progress. */
export interface CallHandle {
  /** Ends the call now with `aborted`. Does nothing when it has already ended. */
  abort(): void;
}

/**
 * Makes single calls: no retries, no redirects.
 *
 * It takes a callback and returns a handle because a promise and an `AbortController` per call cost more than the call's own
 * bookkeeping.
 */
export interface HttpCaller {
  /**
   * Starts a call. Calls `done` exactly once, or not at all when `lastWord` withholds the call, and never before `start` or
   * `abort` has returned. `done` must not throw. `start` never throws: an invalid request ends as `refused`.
   */
  start(request: OutboundRequest, done: (answer: CallAnswer) => void, lastWord?: LastWord): CallHandle;
  /**
   * Aborts all calls and closes all connections; resolves once every call has ended and every connection is closed. A second
   * call does the same. A later `start` ends as `aborted`, unsent.
   */
  close(): Promise<void>;
}
