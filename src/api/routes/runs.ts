import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as shape from '../documents/schema.ts';
import type { Json } from '../../core/value/json.ts';
import { EndWatch } from '../../app/queries/end-watch.ts';
import type { AppContext } from '../../app/context.ts';
import { start, type Started, type StartRequest } from '../../app/start.ts';
import { statusDocument } from '../../app/queries/status.ts';
import { answerMade, placeFor } from '../http/answer-places.ts';
import { type ApiContext, jsonBody, jsonTextBody } from '../context.ts';
import { errorDocument, executionDocument, startedDocument } from '../documents/documents.ts';
import { ApiError, refusalBody } from '../http/failure.ts';
import { openPlace } from '../http/open-requests.ts';
import { basePathOf } from '../base-path.ts';
import { clamp, headerOf, optional } from '../parameters.ts';
import { answers, type RouteDocumentation } from '../documents/route-documentation.ts';
import { optionalBody } from '../validation.ts';

/** Longest wait for the end of a run, in milliseconds. */
const maxWaitMillis = 60_000;
const maxKeyLength = 255;

const runFields = {
  payload: optional(shape.object({}, { additionalProperties: true })),
  labels: optional(shape.object({}, { additionalProperties: true, description: 'Texts by name.' })),
  startAt: optional(shape.string({ description: 'ISO 8601 time with offset; the run begins then.' })),
};
const inlineBody = shape.object(
  { definition: shape.object({}, { additionalProperties: true }), ...runFields },
  { additionalProperties: false },
);
const storedBody = shape.object(runFields, { additionalProperties: false, ...optionalBody });
const storedParameters = shape.object({ name: shape.string(), version: shape.string({ description: 'Or latest.' }) });
const query = shape.object(
  { waitMillis: shape.optional(shape.integer({ description: 'Wait for the end, at most 60000 ms (clamped).' })) },
  { additionalProperties: false },
);

interface RunBody {
  readonly definition?: Json;
  readonly payload?: Json;
  readonly labels?: Json;
  readonly startAt?: Json;
}

const documentation: Omit<RouteDocumentation, 'summary' | 'answers'> = {
  tag: 'executions',
  headers: { 'Idempotency-Key': 'The same key with the same request gives the same execution.' },
};
const begun = {
  200: {
    description: 'Started. With waitMillis: the status document.',
    schema: shape.anyOf([startedDocument, executionDocument]),
  },
};
const refusals = [400, 413, 415, 422, 429, 503];

/** Registers the routes that start executions, below the plugin's prefix. They are the hot path of the API. */
export function runRoutes(server: FastifyInstance, api: ApiContext): void {
  server.post(
    '/run',
    {
      schema: { body: inlineBody, querystring: query },
      config: {
        documentation: {
          summary: 'Run a definition given inline',
          ...documentation,
          answers: answers(begun, refusals, errorDocument),
        },
      },
    },
    (request, reply) => {
      const body = request.body as RunBody;
      return run(api, request, reply, { kind: 'inline', definition: body.definition ?? null }, body);
    },
  );
  server.post(
    '/definitions/:name/:version/run',
    {
      schema: { body: storedBody, querystring: query, params: storedParameters },
      config: {
        documentation: {
          summary: 'Run a stored definition',
          ...documentation,
          answers: answers(begun, [...refusals, 404], errorDocument),
        },
      },
    },
    (request, reply) => {
      const { name, version } = request.params as { name: string; version: string };
      return run(api, request, reply, { kind: 'stored', name, version }, request.body as RunBody);
    },
  );
}

function run(
  api: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  source: StartRequest['source'],
  body: RunBody,
): Promise<string> {
  const { waitMillis } = request.query as { waitMillis?: number };
  const key = idempotencyKeyOf(request);
  const asked: StartRequest = {
    source,
    payload: body.payload,
    labels: body.labels,
    startAt: body.startAt,
    traceparent: traceparentOf(request),
    startKey: key === undefined ? undefined : { caller: request.principal?.id ?? '', key },
  };
  const app = api.appFor(request);
  if (waitMillis !== undefined) return runToEnd(api, app, request, reply, asked, waitMillis);
  return start(app, asked).then((started) =>
    started.ok ? startedBody(request, reply, started.value) : refusalBody(reply, started),
  );
}

function startedBody(request: FastifyRequest, reply: FastifyReply, { id, status }: Started): string {
  reply.header('location', `${prefixOf(request)}/${id}`);
  return jsonTextBody(reply, `{"id":"${id}","status":"${status}"}`);
}

async function runToEnd(
  api: ApiContext,
  app: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: StartRequest,
  waitMillis: number,
): Promise<string> {
  // Takes the place to wait first: a started run must not be answered with "too many".
  const place = openPlace(api, request);
  const end = new EndWatch(app, place.signal);
  try {
    const started = await start(app, { ...asked, announce: (id) => end.watch(id) });
    if (!started.ok) return refusalBody(reply, started);
    const { id, isOver } = started.value;
    reply.header('location', `${prefixOf(request)}/${id}`);
    request.raw.once('close', () => {
      if (reply.raw.destroyed) place.abort();
    });
    const ended = isOver ? undefined : await end.end(clamp(waitMillis, 0, maxWaitMillis));
    // Never refused, because the run has started. The number of requests that wait for runs is bounded.
    await placeFor(api, request, reply, true);
    const document = await statusDocument(app, id, ended);
    const text = document.ok ? jsonBody(reply, document.value) : refusalBody(reply, document);
    answerMade(api, request, reply, text);
    return text;
  } finally {
    end.close();
    place.release();
  }
}

/** The prefix that the client used. */
function prefixOf(request: FastifyRequest): string {
  return `${basePathOf(request)}${request.url.startsWith('/sagas/') ? '/sagas' : '/workflows'}`;
}

function traceparentOf(request: FastifyRequest): string | undefined {
  const value = headerOf(request.headers, 'traceparent');
  return value !== undefined && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value) ? value : undefined;
}

function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = headerOf(request.headers, 'idempotency-key');
  if (key === undefined) return undefined;
  if (key === '' || key.length > maxKeyLength || !/^[\x20-\x7e]+$/.test(key)) {
    throw new ApiError(
      'invalid_request',
      `Idempotency-Key: Must have 1 to ${String(maxKeyLength)} printable ASCII characters.`,
    );
  }
  return key;
}
