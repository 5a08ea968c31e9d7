import type { Schema } from './schema.ts';

/** One possible answer. */
export interface DocumentedAnswer {
  readonly description: string;
  /** Absent: no body, or one that is not JSON. */
  readonly schema?: Schema;
  /** Content type, if it is not `application/json`. */
  readonly contentType?: string;
}

/** Documentation of a route, beside the schemas that validate its requests. */
export interface RouteDocumentation {
  readonly summary: string;
  readonly tag: 'executions' | 'definitions' | 'callbacks' | 'operations';
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** Schema of a body that another component validates; other body schemas come from the route. */
  readonly body?: Schema;
  /** Request headers that the route interprets. */
  readonly headers?: Readonly<Record<string, string>>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly documentation?: RouteDocumentation;
  }
}

/** The answers of a route: successful ones, and the statuses of its possible errors. */
export function answers(
  good: Readonly<Record<number, DocumentedAnswer>>,
  errors: readonly number[],
  errorSchema: Schema,
): RouteDocumentation['answers'] {
  const failed = errors.map((status) => [
    status,
    { description: failureWords[status] ?? 'Error.', schema: errorSchema },
  ]);
  return { ...good, ...(Object.fromEntries(failed) as RouteDocumentation['answers']) };
}

const failureWords: Readonly<Record<number, string>> = {
  400: 'Malformed or invalid.',
  401: 'No good credentials.',
  403: 'The credentials do not allow this.',
  404: 'Unknown.',
  405: 'Another method is needed.',
  409: 'Not possible in this state.',
  410: 'No longer waiting.',
  412: 'The execution has changed since the state that If-Match names.',
  413: 'Too large.',
  415: 'Not JSON.',
  422: 'The Idempotency-Key was used with another request.',
  429: 'Too many; see Retry-After.',
  503: 'Away or overloaded; try again after Retry-After seconds.',
};
