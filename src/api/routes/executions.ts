import type { FastifyInstance, FastifyReply } from 'fastify';
import * as shape from '../documents/schema.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { BadCursor } from '../../ports/store.ts';
import type { Page, PageRequest } from '../../ports/records.ts';
import type { Answer } from '../../app/answer.ts';
import { listChildren } from '../../app/family/family-fields.ts';
import { listCalls, listSteps } from '../../app/queries/history.ts';
import { cancelPreview, maxPreviews, retryPreview, undoPreview } from '../../app/previews.ts';
import { pinnedDefinition, statusDocument } from '../../app/queries/status.ts';
import { listExecutions } from '../../app/view/summaries.ts';
import { type ApiContext, jsonBody, jsonListBody, jsonTextBody } from '../context.ts';
import {
  callDocument,
  childDocument,
  errorDocument,
  executionDocument,
  previewDocument,
  stepDocument,
  summaryDocument,
} from '../documents/documents.ts';
import { type FilterQuery, filterFields, filterOf } from '../execution-filter.ts';
import { refusalBody } from '../http/failure.ts';
import { clamp, idOf, idParameters, offsetField, pageFields, pageOf, type PageQuery } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

const listLimits = { default: 50, max: 200 };
const historyLimits = { default: 1000, max: 1000 };

const listQuery = shape.object(
  { ...filterFields, ...pageFields(listLimits.default, listLimits.max), ...offsetField },
  { additionalProperties: false },
);

const childrenQuery = shape.object(pageFields(listLimits.default, listLimits.max), {
  additionalProperties: false,
});

const historyQuery = shape.object(pageFields(historyLimits.default, historyLimits.max), {
  additionalProperties: false,
});

const { limit, cursor } = pageFields(maxPreviews, maxPreviews);
const previewQuery = shape.object(
  { limit: limit as shape.Schema, cursor: cursor as shape.Schema },
  { additionalProperties: false },
);

/**
 * Registers the routes that read executions, below the plugin's prefix: the list, the status document, the history,
 * previews.
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
      return pageBody(reply, page);
    },
  );
  server.get(
    '/:id',
    {
      schema: { params: idParameters },
      config: {
        documentation: {
          summary: 'The status document of an execution',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'The execution.', schema: executionDocument } },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => answerBody(reply, await statusDocument(api.appFor(request), idOf(request.params))),
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
      return answer.ok ? pageBody(reply, answer.value) : refusalBody(reply, answer);
    },
  );
  const histories = [
    ['steps', 'A row per node visit and phase, oldest first', stepDocument, listSteps],
    ['steps/calls', 'A row per attempt, oldest first', callDocument, listCalls],
  ] as const;
  for (const [path, summary, schema, list] of histories) {
    server.get(
      `/:id/${path}`,
      {
        schema: { params: idParameters, querystring: historyQuery },
        config: {
          documentation: {
            summary,
            tag: 'executions',
            answers: answers(
              { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(schema) } },
              [400, 404, 503],
              errorDocument,
            ),
          },
        },
      },
      async (request, reply) => {
        const page: PageRequest = { order: 'asc', ...pageOf(request.query as PageQuery, historyLimits) };
        const answer = await list(api.appFor(request), idOf(request.params), page);
        return answer.ok ? pageBody(reply, answer.value) : refusalBody(reply, answer);
      },
    );
  }
  const previews = [
    ['cancel-preview', 'The compensations that a cancel would run, in order', cancelPreview],
    ['retry-preview', 'The effects that stand, or the compensations that a retry would run', retryPreview],
    ['undo-preview', 'The compensations that an undo would run, in order', undoPreview],
  ] as const;
  for (const [path, summary, preview] of previews) {
    server.get(
      `/:id/${path}`,
      {
        schema: { params: idParameters, querystring: previewQuery },
        config: {
          documentation: {
            summary,
            tag: 'executions',
            answers: answers(
              {
                200: {
                  description:
                    'Rendered and redacted requests; X-Next-Cursor leads to those that this page has no room for.',
                  schema: shape.array(previewDocument),
                },
              },
              [400, 404, 409, 503],
              errorDocument,
            ),
          },
        },
      },
      async (request, reply) => {
        const query = request.query as PageQuery;
        const range = { skip: skipOf(query.cursor), limit: clamp(query.limit ?? maxPreviews, 1, maxPreviews) };
        const answer = await preview(api.appFor(request), idOf(request.params), range);
        if (!answer.ok) return refusalBody(reply, answer);
        const { items, next } = answer.value;
        return pageBody(reply, { items, ...(next !== undefined && { cursor: String(next) }) });
      },
    );
  }
}

/** A preview is computed anew for each page, so its cursor is the number of requests to skip. */
function skipOf(cursor: string | undefined): number {
  if (cursor === undefined || cursor === '') return 0;
  if (!/^\d{1,6}$/.test(cursor)) throw new BadCursor('The cursor is none of a preview.');
  return Number(cursor);
}

function pageBody(reply: FastifyReply, { items, cursor }: Page<JsonObject>): Promise<string> {
  if (cursor !== undefined) reply.header('x-next-cursor', cursor);
  return jsonListBody(reply, items);
}

function answerBody(reply: FastifyReply, answer: Answer<JsonObject | readonly JsonObject[]>): string {
  return answer.ok ? jsonBody(reply, answer.value) : refusalBody(reply, answer);
}
