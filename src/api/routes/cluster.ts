import type { FastifyInstance } from 'fastify';
import { clusterDocument } from '../../app/queries/cluster.ts';
import type { WaitingCounts } from '../../app/view/waiting.ts';
import { type ApiContext, jsonBody } from '../context.ts';
import { errorDocument } from '../documents/documents.ts';
import { clusterDocument as clusterSchema } from '../documents/operator-documents.ts';
import { answers } from '../documents/route-documentation.ts';

/** Registers the route that reports the processes of the cluster. */
export function clusterRoutes(server: FastifyInstance, api: ApiContext, counts: WaitingCounts): void {
  server.get(
    '/cluster',
    {
      config: {
        documentation: {
          summary:
            'Pods, queue, open circuits, holds, what is blocked and stuck, the database, and the eviction policy of Redis',
          tag: 'operations',
          answers: answers(
            { 200: { description: 'As the pod that answers sees it.', schema: clusterSchema } },
            [503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => jsonBody(reply, await clusterDocument(api.appFor(request), counts)),
  );
}
