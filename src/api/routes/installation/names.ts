import type { FastifyInstance } from 'fastify';
import { jsonBody } from '../../context.ts';
import { errorDocument } from '../../documents/documents.ts';
import { namesDocument } from '../../documents/installation-documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import type { Installation } from '../../installation.ts';

/** Names of each kind in an answer. */
const maxNames = 1000;

/** Registers the route that tells authors which names definitions may use. */
export function namesRoute(server: FastifyInstance, { names }: Installation): void {
  server.get(
    '/names',
    {
      config: {
        documentation: {
          summary: 'Names of variables and secrets, and the limits in force',
          tag: 'operations',
          answers: answers(
            { 200: { description: 'Names, never values.', schema: namesDocument } },
            [503],
            errorDocument,
          ),
        },
      },
    },
    (_request, reply) => {
      const { variables, secrets, limits } = names();
      return jsonBody(reply, {
        variables: variables.toSorted().slice(0, maxNames),
        secrets: secrets
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
          .slice(0, maxNames)
          .map(({ name, hosts }) => ({ name, ...(hosts !== undefined && { hosts }) })),
        limits: { ...limits },
      });
    },
  );
}
