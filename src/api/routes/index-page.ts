import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import { jsonTextBody } from '../context.ts';
import { basePathOf } from '../base-path.ts';
import { pageBody, wantsPage } from '../page.ts';

/** The documents are files, not pages of this server. */
const documents = 'docs/README.md in the package';

/** Places that a server may have, in page order: name, URL, description. */
const places: readonly (readonly [name: string, url: string, text: string])[] = [
  ['api', '/workflows', 'API: executions and definitions'],
  ['ui', '/ui', 'Web UI'],
  ['openapi', '/openapi.json', 'Description of the API (OpenAPI 3.1)'],
  ['definitionSchema', '/schema/definition.json', 'JSON Schema of definitions'],
  ['health', '/healthz', 'Whether the process lives'],
  ['readiness', '/readyz', 'Whether traffic may come'],
  ['metrics', '/metrics', 'Metrics for Prometheus'],
];

/**
 * Registers `GET /`, which lists the places of this server for people who know only its address. Resolves the list once
 * all routes are registered.
 */
export function indexRoute(server: FastifyInstance): void {
  const description = { description: 'Addresses by what is there; for a browser a page.' };
  server.get(
    '/',
    {
      config: {
        documentation: {
          summary: 'Where API, UI and documents are',
          tag: 'operations',
          answers: { 200: { ...description, schema: shape.texts() } },
        },
      },
    },
    (request, reply) => {
      const base = basePathOf(request);
      const has = places.filter(([, url]) => server.hasRoute({ method: 'GET', url }));
      if (!wantsPage(request)) {
        const entries = has.map(([name, url]) => [name, `${base}${url}`]);
        return jsonTextBody(reply, JSON.stringify({ name: 'Trama', ...Object.fromEntries(entries), documents }));
      }
      return pageBody(reply, {
        title: 'Trama',
        paragraphs: ['This is a Trama server.', `The documents are in ${documents}.`],
        links: has.map(([, url, text]) => ({ href: `${base}${url}`, text })),
      });
    },
  );
}
