import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import { topDocument, topLimits } from '../../app/queries/top.ts';
import { type ApiContext, jsonBody } from '../context.ts';
import { errorDocument } from '../documents/documents.ts';
import { type FilterQuery, filterFields, filterOf } from '../execution-filter.ts';
import { topDocument as document } from '../documents/operator-documents.ts';
import { clamp } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

const { maxCounted, rows } = topLimits;
const query = shape.object(
  {
    ...filterFields,
    limit: shape.optional(
      shape.integer({
        description: `Rows of each list: 1 to ${String(rows.max)}, clamped; ${String(rows.default)} when absent.`,
      }),
    ),
  },
  { additionalProperties: false },
);

/** Registers the route that counts executions, below the plugin's prefix. */
export function topRoutes(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '/top',
    {
      schema: { querystring: query },
      config: {
        documentation: {
          summary: `Count executions by status, definition, reason, node, host and wait: the newest ${String(maxCounted)} that match`,
          tag: 'executions',
          answers: answers(
            { 200: { description: 'Without a status: all that did not succeed.', schema: document } },
            [400, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { limit = rows.default, ...filter } = request.query as FilterQuery & { readonly limit?: number };
      const wanted = clamp(limit, 1, rows.max);
      return jsonBody(reply, await topDocument(api.appFor(request), filterOf(filter), wanted));
    },
  );
}
