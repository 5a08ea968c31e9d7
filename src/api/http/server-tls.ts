import type { Server } from 'node:https';
import type { FastifyInstance } from 'fastify';

/** TLS of the API, as PEM texts. */
export interface ServerTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Authorities of callers; with it, callers have to show a certificate. */
  readonly ca?: string | Buffer;
}

/**
 * Connections that are made from now on use these texts; those that stand go on. Sessions of before are not resumed: their tickets
 * are sealed with keys of the earlier context.
 *
 * @throws Error when the texts are not usable; then nothing has changed.
 */
export function renewServerTls(api: FastifyInstance, { key, cert, ca }: ServerTls): void {
  for (const server of listenersOf(api)) server.setSecureContext({ key, cert, ...(ca === undefined ? {} : { ca }) });
}

/** Under a name that stands for several addresses, such as localhost, Fastify listens with one server for each, and shows the first. */
function listenersOf(api: FastifyInstance): ReadonlySet<Server> {
  const known = Object.getOwnPropertySymbols(api).find(({ description }) => description === 'fastify.serverBindings');
  if (known === undefined) throw new Error('This version of Fastify keeps its servers elsewhere.');
  const others = (api as unknown as Readonly<Record<symbol, readonly Server[]>>)[known] ?? [];
  return new Set([api.server as unknown as Server, ...others]);
}
