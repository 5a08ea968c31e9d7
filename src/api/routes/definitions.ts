import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as shape from '../documents/schema.ts';
import type { Schema } from '../documents/schema.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/value/json.ts';
import { type Answer, granted } from '../../app/answer.ts';
import {
  deleteDefinition,
  findDefinition,
  listDefinitionNames,
  listDefinitions,
  putDefinition,
  validateDefinition,
} from '../../app/definitions.ts';
import { type ApiContext, jsonBody, jsonListBody, jsonPageBody } from '../context.ts';
import {
  definitionName,
  definitionRecord,
  definitionReport,
  definitionSummary,
  errorDocument,
} from '../documents/documents.ts';
import { ApiError, refusalBody } from '../http/failure.ts';
import {
  filterText,
  idOf,
  idParameters,
  maxFilterLength,
  offsetField,
  pageFields,
  pageOf,
  type PageQuery,
} from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

const listLimits = { default: 50, max: 200 };
/** Names in a filter. */
const maxNames = 50;
const listQuery = shape.object(
  {
    ...pageFields(listLimits.default, listLimits.max),
    ...offsetField,
    name: shape.optional({
      type: 'array',
      items: shape.string({ maxLength: maxFilterLength }),
      maxItems: maxNames,
      description: 'Repeatable: any of these names.',
    }),
    q: filterText('Part of a name, in any case.'),
    view: shape.optional({
      ...shape.oneOf(['summary']),
      description: 'summary: without the definition, with description, labels, nodes and bytes.',
    }),
  },
  { additionalProperties: false },
);

const namesQuery = shape.object(pageFields(listLimits.default, listLimits.max), { additionalProperties: false });

interface ListQuery extends PageQuery {
  readonly name?: readonly string[];
  readonly q?: string;
  readonly view?: 'summary';
}
const nameParameters = shape.object({ name: shape.string(), version: shape.string({ description: 'Or latest.' }) });

/**
 * Registers the routes of stored definitions below the plugin's prefix. The body of POST and PUT is the definition
 * itself, which the definition compiler checks. `definition` is its schema, for the documentation.
 */
export function definitionRoutes(server: FastifyInstance, api: ApiContext, definition: Schema): void {
  const stored = answers(
    { 200: { description: 'The record.', schema: definitionRecord } },
    [400, 409, 413, 415, 503],
    errorDocument,
  );
  const found = answers(
    { 200: { description: 'The record.', schema: definitionRecord } },
    [400, 404, 503],
    errorDocument,
  );

  server.post(
    '/definitions',
    {
      config: {
        documentation: { summary: 'Store a definition', tag: 'definitions', body: definition, answers: stored },
      },
    },
    (request, reply) => put(api, request, reply),
  );
  server.put(
    '/definitions/:id',
    {
      schema: { params: idParameters },
      config: {
        documentation: {
          summary: 'Store a definition under an id',
          tag: 'definitions',
          body: definition,
          answers: stored,
        },
      },
    },
    (request, reply) => put(api, request, reply, idOf(request.params)),
  );
  server.post(
    '/definitions/validate',
    {
      config: {
        documentation: {
          summary: 'Check a definition without storing it',
          tag: 'definitions',
          body: definition,
          answers: answers(
            { 200: { description: 'What was found.', schema: definitionReport } },
            [400, 413, 415],
            errorDocument,
          ),
        },
      },
    },
    (request, reply) => {
      const { valid, errors, warnings } = validateDefinition(api.appFor(request), bodyOf(request.body));
      return jsonBody(reply, { valid, errors, warnings });
    },
  );
  server.get(
    '/definitions',
    {
      schema: { querystring: listQuery },
      config: {
        documentation: {
          summary: 'List definitions, newest first',
          tag: 'definitions',
          answers: answers(
            {
              200: {
                description: 'A page; X-Next-Cursor leads to the next.',
                schema: shape.array(shape.anyOf([definitionRecord, definitionSummary])),
              },
            },
            [400, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { name, q, view, ...page } = request.query as ListQuery;
      const { items, cursor } = await listDefinitions(api.appFor(request), {
        page: pageOf(page, listLimits),
        ...(name !== undefined && { names: name }),
        ...(q !== undefined && { part: q }),
        isSummary: view === 'summary',
      });
      if (cursor !== undefined) reply.header('x-next-cursor', cursor);
      return jsonListBody(reply, items);
    },
  );
  server.get(
    '/definitions/names',
    {
      schema: { querystring: namesQuery },
      config: {
        documentation: {
          summary: 'List the names of definitions, with what runs of each, by name',
          tag: 'definitions',
          answers: answers(
            { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(definitionName) } },
            [400, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const page = { order: 'asc', ...pageOf(request.query as PageQuery, listLimits) } as const;
      return jsonPageBody(reply, await listDefinitionNames(api.appFor(request), page));
    },
  );
  server.get(
    '/definitions/:id',
    {
      schema: { params: idParameters },
      config: { documentation: { summary: 'A definition by id', tag: 'definitions', answers: found } },
    },
    async (request, reply) =>
      answerBody(reply, await findDefinition(api.appFor(request), { id: idOf(request.params) })),
  );
  server.get(
    '/definitions/:name/:version',
    {
      schema: { params: nameParameters },
      config: { documentation: { summary: 'A definition by name and version', tag: 'definitions', answers: found } },
    },
    async (request, reply) =>
      answerBody(reply, await findDefinition(api.appFor(request), request.params as { name: string; version: string })),
  );
  server.delete(
    '/definitions/:id',
    {
      schema: { params: idParameters },
      config: {
        documentation: {
          summary: 'Remove a definition; running executions keep theirs',
          tag: 'definitions',
          answers: answers({ 204: { description: 'Gone, or was never there.' } }, [400, 503], errorDocument),
        },
      },
    },
    async (request, reply) => {
      const id = idOf(request.params);
      await api.audit.change(request, { action: 'definition.delete', target: id }, async (app) =>
        granted(await deleteDefinition(app, id)),
      );
      reply.code(204);
      return '';
    },
  );
}

async function put(api: ApiContext, request: FastifyRequest, reply: FastifyReply, id?: string): Promise<string> {
  const definition = bodyOf(request.body);
  const { name, version } = isJsonObject(definition) ? definition : {};
  const change = {
    action: 'definition.put',
    target: id ?? '',
    details: { ...(name !== undefined && { name }), ...(version !== undefined && { version }) },
  };
  return answerBody(reply, await api.audit.change(request, change, (app) => putDefinition(app, definition, id)));
}

function bodyOf(body: unknown): Json {
  if (body === undefined || body === null)
    throw new ApiError('invalid_request', 'request: Must be a definition as JSON.');
  return body as Json;
}

function answerBody(reply: FastifyReply, answer: Answer<JsonObject>): string {
  return answer.ok ? jsonBody(reply, answer.value) : refusalBody(reply, answer);
}
