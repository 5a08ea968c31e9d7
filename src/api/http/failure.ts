import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { acceptedCodings } from '../../content/codings.ts';
import { maxProblems, saidOf } from '../../core/definition/problems.ts';
import { BadCursor, StoreUnavailable } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Refusal } from '../../app/answer.ts';
import { Overloaded } from '../../engine/settings.ts';
import { type ErrorCode, errorRegistry } from '../error-registry.ts';
import type { LingeringCloses } from './lingering-closes.ts';

/** The log of the API, for details that clients must not see. */
export type ApiLog = Pick<Telemetry, 'log' | 'logs'>;

/** Value of Retry-After in seconds. */
const retryAfterSeconds = 1;

/** An error with a registered code, thrown by request checks. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly errors: readonly string[];
  constructor(code: ErrorCode, ...errors: readonly string[]) {
    super(errors[0] ?? errorRegistry[code].meaning);
    this.code = code;
    this.errors = errors.length === 0 ? [errorRegistry[code].meaning] : errors;
  }
}

/** The body of an error answer: never a stack or anything internal. */
export function errorBody(code: ErrorCode, errors: readonly string[], requestId: string): string {
  return JSON.stringify({ errors, code, requestId });
}

/** Bounds the list; a last sentence counts the errors left out. A list that already ends so stays unchanged. */
function saidErrors(errors: readonly string[]): readonly string[] {
  if (errors.length <= maxProblems + 1) return errors;
  return saidOf(errors.slice(0, maxProblems), errors.length - maxProblems);
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Connections answered before their request was read. */
    closes: LingeringCloses;
    /** Masks secrets in sentences: a message about a request may quote some of it. */
    masked: (sentences: readonly string[]) => readonly string[];
  }
}

/** Returns the body of an error for the handler to return, and sets status and headers. */
function failureBody(reply: FastifyReply, code: ErrorCode, errors: readonly string[]): string {
  const { status } = errorRegistry[code];
  reply.server.closes.expect(reply.request.raw);
  if ((status === 503 || status === 429) && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', String(retryAfterSeconds));
  }
  // RFC 9110, 15.5.16: distinguishes this refusal from one of the media type.
  if (code === 'unsupported_content_coding') reply.header('accept-encoding', acceptedCodings);
  reply.code(status).type('application/json; charset=utf-8');
  return errorBody(code, reply.server.masked(saidErrors(errors)), reply.request.id);
}

/** Returns the body for a refused use case, for the handler to return. */
export function refusalBody(reply: FastifyReply, refusal: Refusal): string {
  return failureBody(reply, refusal.code, refusal.errors);
}

/** Answers with an error outside a handler. */
export function sendError(reply: FastifyReply, code: ErrorCode, errors: readonly string[]): void {
  void reply.send(failureBody(reply, code, errors));
}

const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_http',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_BAD_URL: 'malformed_http',
  FST_ERR_MAX_PARAM_LENGTH: 'malformed_http',
  FST_ERR_NOT_FOUND: 'unknown_route',
  ECONNRESET: 'malformed_http',
};

/**
 * Answers an error thrown by a handler or by Fastify. An unexpected error is a 500 whose details go to the log only.
 */
export function errorHandler(log: ApiLog): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    if (error instanceof ApiError) {
      sendError(reply, error.code, error.errors);
    } else if (error instanceof StoreUnavailable) {
      log.log('warn', 'store unavailable', { requestId: request.id, kind: error.kind, error: error.message });
      sendError(reply, 'store_unavailable', [errorRegistry.store_unavailable.meaning]);
    } else if (error instanceof BadCursor) {
      sendError(reply, 'invalid_cursor', [errorRegistry.invalid_cursor.meaning]);
    } else if (error instanceof Overloaded) {
      sendError(reply, 'overloaded', [errorRegistry.overloaded.meaning]);
    } else {
      const code = frameworkCodes[error.code];
      if (code === undefined) {
        log.log('error', 'request failed', { requestId: request.id, error: error.stack ?? error.message });
        sendError(reply, 'internal', [errorRegistry.internal.meaning]);
      } else sendError(reply, code, [errorRegistry[code].meaning]);
    }
  };
}
