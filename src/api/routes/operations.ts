import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import { jsonTextBody } from '../context.ts';
import { errorRegistry } from '../error-registry.ts';
import { ApiError } from '../http/failure.ts';
import { answers } from '../documents/route-documentation.ts';
import { errorDocument } from '../documents/documents.ts';

/** The health of the process. Both lists are empty if it is healthy. Must not throw and must be quick. */
export interface Health {
  /** Stalled loops; if there are any, the process should be replaced. */
  live(): readonly string[];
  /** Reasons to send no traffic. `api`: only what the API needs. */
  ready(scope: 'all' | 'api'): readonly string[];
}

/** Data sources of these routes. */
export interface OperationParts {
  readonly health: Health;
  /** Prometheus text; absent if metrics are off. */
  readonly metrics?: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** The API's description; absent if the API is not served. */
  readonly description?: ApiDescription;
}

/** Machine-readable descriptions of the API. */
interface ApiDescription {
  /** JSON text, built on first use. */
  readonly openApi: () => string;
  /** JSON text. */
  readonly definitionSchema: string;
}

const readyQuery = shape.object({ scope: shape.optional(shape.oneOf(['api'])) }, { additionalProperties: false });
const plain = 'text/plain; charset=utf-8';

/** Registers the routes for operators and tools: liveness, readiness, metrics, and the API's description. */
export function operationRoutes(server: FastifyInstance, parts: OperationParts): void {
  const healthAnswers = (word: string): ReturnType<typeof answers> =>
    answers({ 200: { description: `The text \`${word}\`.`, contentType: 'text/plain' } }, [503], errorDocument);
  server.get(
    '/healthz',
    {
      exposeHeadRoute: true,
      config: {
        documentation: { summary: 'Whether the process lives', tag: 'operations', answers: healthAnswers('ok') },
      },
    },
    (_request, reply) => {
      const problems = parts.health.live();
      if (problems.length > 0) throw new ApiError('not_ready', ...problems);
      reply.type(plain);
      return 'ok';
    },
  );
  server.get(
    '/readyz',
    {
      exposeHeadRoute: true,
      schema: { querystring: readyQuery },
      config: {
        documentation: {
          summary: 'Whether traffic may come; with scope=api only what the API needs counts',
          tag: 'operations',
          answers: healthAnswers('ready'),
        },
      },
    },
    (request, reply) => {
      const { scope = 'all' } = request.query as { scope?: 'api' };
      const reasons = parts.health.ready(scope);
      if (reasons.length === 0) {
        reply.type(plain);
        return 'ready';
      }
      const body = { errors: [errorRegistry.not_ready.meaning], code: 'not_ready', reasons, requestId: request.id };
      return jsonTextBody(reply.header('retry-after', '1'), JSON.stringify(body), 503);
    },
  );
  const { metrics } = parts;
  if (metrics !== undefined) {
    server.get(
      '/metrics',
      {
        config: {
          documentation: {
            summary: 'Metrics for Prometheus',
            tag: 'operations',
            answers: { 200: { description: 'Prometheus text.', contentType: 'text/plain' } },
          },
        },
      },
      async (_request, reply) => {
        const { contentType, text } = await metrics();
        reply.type(contentType);
        return text;
      },
    );
  }
  if (parts.description !== undefined) descriptionRoutes(server, parts.description);
}

function descriptionRoutes(server: FastifyInstance, { openApi, definitionSchema }: ApiDescription): void {
  const json = shape.object({}, { additionalProperties: true });
  server.get(
    '/openapi.json',
    {
      config: {
        documentation: {
          summary: 'This document',
          tag: 'operations',
          answers: { 200: { description: 'OpenAPI 3.1.', schema: json } },
        },
      },
    },
    (_request, reply) => jsonTextBody(reply, openApi()),
  );
  server.get(
    '/schema/definition.json',
    {
      config: {
        documentation: {
          summary: 'The JSON Schema of definitions, for editors',
          tag: 'operations',
          answers: { 200: { description: 'JSON Schema 2020-12.', schema: json } },
        },
      },
    },
    (_request, reply) => {
      reply.type('application/schema+json; charset=utf-8');
      return definitionSchema;
    },
  );
}
