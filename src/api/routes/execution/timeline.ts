import type { FastifyInstance } from 'fastify';
import { callDetail } from '../../../app/view/call-detail.ts';
import { timeline } from '../../../app/view/timeline.ts';
import { type ApiContext, jsonBody } from '../../context.ts';
import { errorDocument } from '../../documents/documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import * as shape from '../../documents/schema.ts';
import { callDetailDocument, timelineDocument } from '../../documents/timeline-documents.ts';
import {
  knownBy,
  revisedAnswers,
  revisionHeaders,
  unchangedBody,
  withRevision,
} from '../../http/caching/conditional.ts';
import { refusalBody } from '../../http/failure.ts';
import { clamp, idOf, idParameters, pageFields, type PageQuery } from '../../parameters.ts';

const maxRows = 2000;

const query = shape.object(pageFields(maxRows, maxRows), { additionalProperties: false });

const callParameters = shape.object({
  id: shape.string({ format: 'uuid' }),
  callId: shape.string({ maxLength: 64, description: 'callId of a row.' }),
});

/** Registers the routes of the timeline and of one attempt, below the plugin's prefix. */
export function timelineRoutes(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '/:id/timeline',
    {
      schema: { params: idParameters, querystring: query },
      config: {
        documentation: {
          summary: 'What happened, attempt by attempt and wait by wait, without bodies, oldest first',
          tag: 'executions',
          headers: revisionHeaders,
          answers: answers(
            {
              200: { description: 'A page; X-Next-Cursor leads to the next.', schema: timelineDocument },
              ...revisedAnswers,
            },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { limit = maxRows, cursor, order = 'asc' } = request.query as PageQuery;
      const asked = { cursor, order, limit: clamp(limit, 1, maxRows), isKnown: knownBy(request) };
      const answer = await timeline(api.appFor(request), idOf(request.params), asked);
      if (!answer.ok) return refusalBody(reply, answer);
      const { value } = answer.value;
      withRevision(reply, answer.value);
      if (value === undefined) return unchangedBody(reply);
      if (value.cursor !== undefined) reply.header('x-next-cursor', value.cursor);
      return jsonBody(reply, value.document);
    },
  );
  server.get(
    '/:id/steps/calls/:callId',
    {
      schema: { params: callParameters },
      config: {
        documentation: {
          summary: 'One attempt, and why its outcome was judged so',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'The attempt.', schema: callDetailDocument } },
            [400, 404, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { callId } = request.params as { readonly callId: string };
      const answer = await callDetail(api.appFor(request), idOf(request.params), callId);
      return answer.ok ? jsonBody(reply, answer.value) : refusalBody(reply, answer);
    },
  );
}
