import type { FastifyInstance, FastifyReply } from 'fastify';
import { withWaiting } from '../../app/queries/cluster.ts';
import type { WaitingCounts } from '../../app/view/waiting.ts';
import * as shape from '../documents/schema.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Answer } from '../../app/answer.ts';
import { deleteHold, findHold, type HoldRequest, listHolds, putHold } from '../../app/holds.ts';
import { type ApiContext, jsonBody } from '../context.ts';
import { errorDocument } from '../documents/documents.ts';
import { refusalBody } from '../http/failure.ts';
import { holdDocument, waitedHoldDocument } from '../documents/operator-documents.ts';
import { instantOf, maxReason, optional } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

const maxName = 256;

const holdParameters = shape.object({
  id: shape.string({ pattern: '^[A-Za-z0-9._-]{1,128}$', description: 'Up to 128 of A-Z a-z 0-9 . _ -' }),
});
const holdBody = shape.object(
  {
    host: optional(shape.string({ maxLength: maxName, description: 'Any port if none is given.' })),
    name: optional(
      shape.string({ minLength: 1, maxLength: maxName, description: 'Of a definition; instead of host.' }),
    ),
    version: optional(shape.string({ minLength: 1, maxLength: maxName, description: 'All versions when absent.' })),
    reason: shape.string({ minLength: 1, maxLength: maxReason, description: 'Shows where calls wait for it.' }),
    until: optional(shape.string({ description: 'When it ends by itself.' })),
  },
  { additionalProperties: false },
);

type HoldBody = { readonly [K in keyof HoldRequest]: K extends 'reason' ? string : string | null };

/** Registers the routes of holds. While a hold exists, calls to its host or of its definition wait as BLOCKED. */
export function holdRoutes(server: FastifyInstance, api: ApiContext, counts: WaitingCounts): void {
  const one = { 200: { description: 'The hold.', schema: holdDocument } };
  server.get(
    '/holds',
    {
      config: {
        documentation: {
          summary: 'List the holds that stand, oldest first',
          tag: 'operations',
          answers: answers(
            { 200: { description: 'All of them.', schema: shape.array(waitedHoldDocument) } },
            [503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const [holds, waiting] = await Promise.all([listHolds(api.appFor(request)), counts.read()]);
      return jsonBody(reply, withWaiting(holds, waiting));
    },
  );
  server.get(
    '/holds/:id',
    {
      schema: { params: holdParameters },
      config: {
        documentation: {
          summary: 'One hold',
          tag: 'operations',
          answers: answers(one, [400, 404, 503], errorDocument),
        },
      },
    },
    async (request, reply) => answerBody(reply, await findHold(api.appFor(request), idOf(request.params))),
  );
  server.put(
    '/holds/:id',
    {
      schema: { params: holdParameters, body: holdBody },
      config: {
        documentation: {
          summary: 'Let calls to a host, or of a definition, wait without spending attempts',
          tag: 'operations',
          answers: answers(one, [400, 409, 413, 415, 503], errorDocument),
        },
      },
    },
    async (request, reply) => {
      const id = idOf(request.params);
      const wanted = requestOf(request.body as HoldBody);
      const { host, name, version, reason } = wanted;
      const details = { ...definedOf({ host, name, version }), reason };
      const change = { action: 'hold.put', target: id, details };
      const answer = await api.audit.change(request, change, (app) => putHold(app, id, wanted));
      if (answer.ok) await api.audit.append(request, change);
      return answerBody(reply, answer);
    },
  );
  server.delete(
    '/holds/:id',
    {
      schema: { params: holdParameters },
      config: {
        documentation: {
          summary: 'Lift a hold; what waits goes on by itself',
          tag: 'operations',
          answers: answers({ 204: { description: 'Lifted, or was not there.' } }, [400, 503], errorDocument),
        },
      },
    },
    async (request, reply) => {
      const id = idOf(request.params);
      await deleteHold(api.appFor(request), id);
      await api.audit.append(request, { action: 'hold.delete', target: id });
      reply.code(204);
      return '';
    },
  );
}

function idOf(params: unknown): string {
  return (params as { readonly id: string }).id;
}

/** The fields that are defined. */
function definedOf(fields: Readonly<Record<string, string | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function requestOf({ host, name, version, reason, until }: HoldBody): HoldRequest {
  const end = instantOf('until', until ?? undefined);
  return {
    reason,
    ...(host !== undefined && host !== null && { host }),
    ...(name !== undefined && name !== null && { name }),
    ...(version !== undefined && version !== null && { version }),
    ...(end !== undefined && { until: end }),
  };
}

function answerBody(reply: FastifyReply, answer: Answer<JsonObject>): string {
  return answer.ok ? jsonBody(reply, answer.value) : refusalBody(reply, answer);
}
