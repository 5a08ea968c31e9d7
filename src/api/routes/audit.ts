import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import { type JsonObject, parseJson } from '../../core/value/json.ts';
import type { AuditEntry } from '../../ports/audit.ts';
import type { Store } from '../../ports/store.ts';
import { executionAudit } from '../../app/queries/changes.ts';
import type { AppContext } from '../../app/context.ts';
import { type ApiContext, jsonBody } from '../context.ts';
import { auditDocument, errorDocument, executionAuditDocument } from '../documents/documents.ts';
import { refusalBody } from '../http/failure.ts';
import { filterText, idOf, idParameters, pageFields, pageOf, type PageQuery } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';
import { allows } from '../../security/roles.ts';

const limits = { default: 50, max: 200 };
const text = filterText();
const query = shape.object(
  { actor: text, action: text, id: text, ...pageFields(limits.default, limits.max) },
  { additionalProperties: false },
);

interface AuditQuery extends PageQuery {
  readonly actor?: string;
  readonly action?: string;
  readonly id?: string;
}

/** Registers the route that lists the audit log. */
export function auditRoutes(
  server: FastifyInstance,
  { store, app }: { readonly store: Pick<Store, 'listAudit'>; readonly app: AppContext },
): void {
  server.get(
    '/audit',
    {
      schema: { querystring: query },
      config: {
        documentation: {
          summary: 'Who changed what, newest first',
          tag: 'operations',
          answers: answers(
            { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(auditDocument) } },
            [400, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { actor, action, id, ...page } = request.query as AuditQuery;
      const filter = {
        ...(actor !== undefined && { actor }),
        ...(action !== undefined && { action }),
        ...(id !== undefined && { target: id }),
      };
      const { items, cursor } = await store.listAudit(filter, pageOf(page, limits));
      if (cursor !== undefined) reply.header('x-next-cursor', cursor);
      return jsonBody(reply, app.masker.json(items.map(entryDocument)));
    },
  );
}

const executionQuery = shape.object(pageFields(limits.default, limits.max), { additionalProperties: false });

/** Registers the route that lists the audit entries of one execution, below the plugin's prefix. */
export function executionAuditRoutes(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '/:id/audit',
    {
      schema: { params: idParameters, querystring: executionQuery },
      config: {
        documentation: {
          summary: 'Who changed an execution, newest first',
          tag: 'executions',
          answers: answers(
            {
              200: {
                description: 'A page; X-Next-Cursor leads to the next. Only administrators see addresses.',
                schema: shape.array(executionAuditDocument),
              },
            },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const page = pageOf(request.query as PageQuery, limits);
      const answer = await executionAudit(api.appFor(request), idOf(request.params), page);
      if (!answer.ok) return refusalBody(reply, answer);
      const { items, cursor } = answer.value;
      if (cursor !== undefined) reply.header('x-next-cursor', cursor);
      // Without authentication every caller is an administrator.
      const { principal } = request;
      const isAdmin = principal === null || allows(principal.roles, 'admin');
      const documents = items.map((item) => {
        const { address, ...rest } = entryDocument(item);
        return isAdmin ? { ...rest, address: address ?? '' } : rest;
      });
      return jsonBody(reply, api.app.masker.json(documents));
    },
  );
}

function entryDocument(entry: AuditEntry): JsonObject {
  const { id, at, actor, action, target, address, outcome, requestId, details } = entry;
  return {
    entryId: id,
    at: new Date(at).toISOString(),
    actor,
    action,
    id: target,
    address,
    outcome,
    requestId,
    ...(details !== undefined && { details: parseJson(details) }),
  };
}
