import type { FastifyInstance } from 'fastify';
import { stringifyJson } from '../../../core/value/json.ts';
import { countExecutions, type CountKey, countKeys, maxCountKeys } from '../../../app/view/counts.ts';
import { type ApiContext, jsonTextBody } from '../../context.ts';
import { errorDocument } from '../../documents/documents.ts';
import { countsDocument } from '../../documents/operator-documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import * as shape from '../../documents/schema.ts';
import { filterFields, filterOf, type FilterQuery } from '../../execution-filter.ts';
import { SharedAnswers } from '../../http/caching/shared-answers.ts';

const query = shape.object(
  {
    ...filterFields,
    by: shape.optional({
      type: 'array',
      items: shape.oneOf([...countKeys]),
      maxItems: maxCountKeys,
      description: `Repeatable, at most ${String(maxCountKeys)}: the fields of a group. Absent: one group.`,
    }),
  },
  { additionalProperties: false },
);

/** Registers the route that counts executions in groups, below the plugin's prefix. */
export function countRoutes(server: FastifyInstance, api: ApiContext): void {
  const shared = new SharedAnswers(() => api.app.clock);
  server.get(
    '/counts',
    {
      schema: { querystring: query },
      config: {
        documentation: {
          summary: 'Count executions in groups, the newest first, within bounds',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'At most two seconds old; asOf says when it was made.', schema: countsDocument } },
            [400, 429, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { by = [], ...filter } = request.query as FilterQuery & { readonly by?: readonly CountKey[] };
      const wanted = filterOf(filter);
      const keys = [...new Set(by)];
      const { principal } = request;
      const scope = JSON.stringify([principal?.definitions ?? null, wanted, keys]);
      const text = await shared.answer(principal?.id ?? '', scope, async () =>
        stringifyJson(await countExecutions(api.appFor(request), wanted, keys)),
      );
      return jsonTextBody(reply, text);
    },
  );
}
