import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import { listChildren } from '../../app/family/family-fields.ts';
import { pinnedDefinition, revisedStatus } from '../../app/queries/status.ts';
import { listExecutions } from '../../app/view/summaries.ts';
import { type ApiContext, jsonBody, jsonPageBody, jsonTextBody } from '../context.ts';
import { childDocument, errorDocument, executionDocument, summaryDocument } from '../documents/documents.ts';
import { type FilterQuery, filterFields, filterOf } from '../execution-filter.ts';
import { knownBy, revisedAnswers, revisionHeaders, unchangedBody, withRevision } from '../http/caching/conditional.ts';
import { refusalBody } from '../http/failure.ts';
import { bodiesField, idOf, idParameters, offsetField, pageFields, pageOf, type PageQuery } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

const listLimits = { default: 50, max: 200 };

const listQuery = shape.object(
  { ...filterFields, ...pageFields(listLimits.default, listLimits.max), ...offsetField },
  { additionalProperties: false },
);

const childrenQuery = shape.object(pageFields(listLimits.default, listLimits.max), {
  additionalProperties: false,
});

const statusQuery = shape.object(bodiesField, { additionalProperties: false });

/**
 * Registers the routes that read executions, below the plugin's prefix: the list, the status document, the definition,
 * the children.
 */
export function executionRoutes(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '',
    {
      schema: { querystring: listQuery },
      config: {
        documentation: {
          summary: 'List executions, newest first',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(summaryDocument) } },
            [400, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const query = request.query as FilterQuery & PageQuery;
      const page = await listExecutions(api.appFor(request), filterOf(query), pageOf(query, listLimits));
      // Tells how far a page came whose filter no index answers.
      if (page.scanned !== undefined && page.cursor !== undefined) reply.header('x-scanned', String(page.scanned));
      return jsonPageBody(reply, page);
    },
  );
  server.get(
    '/:id',
    {
      schema: { params: idParameters, querystring: statusQuery },
      config: {
        documentation: {
          summary: 'The status document of an execution',
          tag: 'executions',
          headers: revisionHeaders,
          answers: answers(
            { 200: { description: 'The execution.', schema: executionDocument }, ...revisedAnswers },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const withoutBodies = (request.query as { readonly bodies?: 'none' }).bodies === 'none';
      const asked = { withoutBodies, isKnown: knownBy(request) };
      const answer = await revisedStatus(api.appFor(request), idOf(request.params), asked);
      if (!answer.ok) return refusalBody(reply, answer);
      const { value } = answer.value;
      withRevision(reply, answer.value);
      return value === undefined ? unchangedBody(reply) : jsonBody(reply, value);
    },
  );
  server.get(
    '/:id/definition',
    {
      schema: { params: idParameters },
      config: {
        documentation: {
          summary: 'The definition that an execution is pinned to',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'As submitted.', schema: shape.object({}, { additionalProperties: true }) } },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const answer = await pinnedDefinition(api.appFor(request), idOf(request.params));
      return answer.ok ? jsonTextBody(reply, answer.value) : refusalBody(reply, answer);
    },
  );
  server.get(
    '/:id/children',
    {
      schema: { params: idParameters, querystring: childrenQuery },
      config: {
        documentation: {
          summary: 'The executions that an execution started, by their start',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(childDocument) } },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const page = pageOf(request.query as PageQuery, listLimits);
      const answer = await listChildren(api.appFor(request), idOf(request.params), page);
      return answer.ok ? jsonPageBody(reply, answer.value) : refusalBody(reply, answer);
    },
  );
}
