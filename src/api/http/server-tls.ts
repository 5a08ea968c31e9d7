import type { Server } from 'node:https';
import type { FastifyInstance } from 'fastify';

/** TLS material of the API, as PEM. */
export interface ServerTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Certificate authorities of clients; if set, clients must present a certificate. */
  readonly ca?: string | Buffer;
}

/**
 * Applies new TLS material to new connections; existing connections continue. Earlier sessions are not resumed, because
 * their tickets are sealed with keys of the earlier context.
 *
 * @throws Error if the material is unusable; then nothing has changed.
 */
export function renewServerTls(api: FastifyInstance, { key, cert, ca }: ServerTls): void {
  for (const server of listenersOf(api)) server.setSecureContext({ key, cert, ...(ca === undefined ? {} : { ca }) });
}

/**
 * For a name that resolves to several addresses, such as localhost, Fastify listens with one server per address and
 * exposes only the first.
 */
function listenersOf(api: FastifyInstance): ReadonlySet<Server> {
  const known = Object.getOwnPropertySymbols(api).find(({ description }) => description === 'fastify.serverBindings');
  if (known === undefined) throw new Error('This version of Fastify keeps its servers elsewhere.');
  const others = (api as unknown as Readonly<Record<symbol, readonly Server[]>>)[known] ?? [];
  return new Set([api.server as unknown as Server, ...others]);
}
