import type { FastifyInstance } from 'fastify';
import { createServer } from '../api/server.ts';
import type { ServerTls } from '../api/http/server-tls.ts';
import { definitionJsonSchema } from '../core/definition/shape/json-schema.ts';
import type { Store } from '../ports/store.ts';
import type { AppContext } from '../app/context.ts';
import { metricsContentType } from '../telemetry/prometheus-telemetry.ts';

/**
 * The API without anything behind it, for its own description: it never listens, and answers only the description's
 * routes.
 */
export function createOfflineServer(version: string, tls?: ServerTls): FastifyInstance {
  const nothing = new Proxy({} as AppContext & Store, {
    get() {
      throw new Error('There is nothing behind this API.');
    },
  });
  return createServer({
    app: nothing,
    auditLog: nothing,
    health: { live: () => [], ready: () => [] },
    log: { logs: () => false, log: () => undefined },
    version,
    ...(tls === undefined ? {} : { tls }),
    definitionSchema: definitionJsonSchema(),
    metrics: () => Promise.resolve({ contentType: metricsContentType, text: '' }),
  });
}
