import type { RefusalCode } from '../app/answer.ts';

/** Errors that the API detects outside the use cases. */
export type ApiErrorCode =
  | 'malformed_http'
  | 'malformed_json'
  | 'invalid_cursor'
  | 'loopback_only'
  | 'unauthenticated'
  | 'forbidden'
  | 'auth_unavailable'
  | 'unknown_route'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'too_large'
  | 'unsupported_media_type'
  | 'unsupported_content_coding'
  | 'too_many_waiting'
  | 'headers_too_large'
  | 'internal'
  | 'store_unavailable'
  | 'overloaded'
  | 'not_ready'
  | 'shutting_down';

/** Every code. */
export type ErrorCode = RefusalCode | ApiErrorCode;

/** Properties of a code. */
export interface ErrorEntry {
  readonly status: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** One sentence; the default message. */
  readonly meaning: string;
}

/**
 * Every error of the API: a stable code, its HTTP status, whether the same request may succeed later, and its meaning.
 * `docs/errors.md` lists the same codes; a test compares the two.
 */
export const errorRegistry: Readonly<Record<ErrorCode, ErrorEntry>> = {
  malformed_http: { status: 400, retryable: false, meaning: 'The request is not valid HTTP.' },
  malformed_json: { status: 400, retryable: false, meaning: 'The body is not valid JSON.' },
  invalid_request: {
    status: 400,
    retryable: false,
    meaning: 'A field, parameter or header is missing, unknown or wrong.',
  },
  invalid_definition: { status: 400, retryable: false, meaning: 'The definition has problems; every one is listed.' },
  invalid_payload: {
    status: 400,
    retryable: false,
    meaning: 'The payload lacks a value that the definition requires.',
  },
  invalid_cursor: {
    status: 400,
    retryable: false,
    meaning: 'The cursor does not come from an earlier page of this list.',
  },
  unstorable: { status: 400, retryable: false, meaning: 'The request holds data that cannot be stored.' },
  callback_malformed: {
    status: 400,
    retryable: false,
    meaning: 'The callback has no token, or its token or body is malformed.',
  },
  callback_signature: {
    status: 401,
    retryable: false,
    meaning: 'The callback token was not made for this execution and node, or its signature does not hold.',
  },
  unauthenticated: {
    status: 401,
    retryable: false,
    meaning: 'The request needs valid credentials.',
  },
  forbidden: { status: 403, retryable: false, meaning: 'The credentials are good, but do not allow this.' },
  loopback_only: {
    status: 403,
    retryable: false,
    meaning:
      'Without authentication the server answers only requests to hosts of server.allowedHosts, and none from pages of other origins.',
  },
  unknown_route: { status: 404, retryable: false, meaning: 'There is nothing at this method and path.' },
  method_not_allowed: {
    status: 405,
    retryable: false,
    meaning: 'This address takes another method; Allow says which.',
  },
  unknown_execution: { status: 404, retryable: false, meaning: 'There is no such execution, or it is no longer kept.' },
  unknown_call: { status: 404, retryable: false, meaning: 'The execution has no such attempt.' },
  unknown_definition: { status: 404, retryable: false, meaning: 'There is no such definition.' },
  unknown_hold: { status: 404, retryable: false, meaning: 'There is no such hold, or it has ended.' },
  request_timeout: { status: 408, retryable: true, meaning: 'The request did not arrive completely in time.' },
  state_conflict: {
    status: 409,
    retryable: false,
    meaning: 'The execution is in a state in which this is not possible.',
  },
  state_changed: {
    status: 412,
    retryable: false,
    meaning: 'The execution has changed since the state that If-Match names.',
  },
  nothing_to_undo: {
    status: 409,
    retryable: false,
    meaning: 'Nothing of the execution has a compensation that is due.',
  },
  definition_conflict: {
    status: 409,
    retryable: false,
    meaning: 'Another definition has this id, or this name and version.',
  },
  too_many_holds: { status: 409, retryable: false, meaning: 'There are as many holds as there may be.' },
  callback_other_body: {
    status: 409,
    retryable: false,
    meaning: 'The callback token was used before with another body.',
  },
  callback_earlier_operation: {
    status: 409,
    retryable: false,
    meaning: 'The callback token belongs to an earlier operation of the node.',
  },
  callback_not_waiting: { status: 410, retryable: false, meaning: 'The node no longer waits for this callback.' },
  too_large: { status: 413, retryable: false, meaning: 'The body is larger than allowed.' },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    meaning: 'The body must be JSON, with Content-Type application/json.',
  },
  unsupported_content_coding: {
    status: 415,
    retryable: false,
    meaning: 'The body has a Content-Encoding that the server cannot undo; Accept-Encoding lists those that it can.',
  },
  idempotency_key_reused: {
    status: 422,
    retryable: false,
    meaning: 'The Idempotency-Key was used before with another request.',
  },
  too_many_waiting: { status: 429, retryable: true, meaning: 'Too many requests wait for executions at this server.' },
  rate_limited: {
    status: 429,
    retryable: true,
    meaning: 'Too many such requests came from this address, or for this execution; see Retry-After.',
  },
  callback_rate_limited: {
    status: 429,
    retryable: false,
    meaning: 'Too many callbacks of this operation were judged pending; one that decides is still taken.',
  },
  headers_too_large: { status: 431, retryable: false, meaning: 'The headers are larger than allowed.' },
  internal: {
    status: 500,
    retryable: true,
    meaning: 'Something went wrong inside; the log has more under this request id.',
  },
  store_unavailable: { status: 503, retryable: true, meaning: 'The store cannot answer now.' },
  auth_unavailable: {
    status: 503,
    retryable: true,
    meaning: 'The keys of the token issuer are unavailable, so the token cannot be checked.',
  },
  overloaded: { status: 503, retryable: true, meaning: 'The server has more work than it can take on now.' },
  not_ready: { status: 503, retryable: true, meaning: 'The server is not ready; the reasons are listed.' },
  shutting_down: { status: 503, retryable: true, meaning: 'The server is shutting down.' },
};
