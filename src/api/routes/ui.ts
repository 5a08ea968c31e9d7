import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../http/failure.ts';
import type { UiFiles } from '../http/ui-files.ts';

/** What the pages of the UI may load and run: nothing but the files of this server. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
  'trusted-types trama',
].join('; ');

const oneYearSeconds = 31_536_000;

/**
 * Registers `/ui` and everything below it. The files hold no data, so they need no credentials. The redirect and all
 * links are relative: a proxy in front may add any prefix.
 */
export function uiRoutes(server: FastifyInstance, files: UiFiles): void {
  server.get('/ui', { exposeHeadRoute: true }, async (_request, reply) => {
    // Fastify would make `ui/` a path of the root.
    await reply.code(302).header('location', 'ui/').send();
  });
  server.get(
    '/ui/*',
    { exposeHeadRoute: true },
    async (request: FastifyRequest<{ Params: { '*': string } }>, reply: FastifyReply) => {
      const answer = await files.answerOf(request.params['*'], request.headers['accept-encoding'] ?? '');
      if (answer === undefined) throw new ApiError('unknown_route', 'The web UI has no such file.');
      reply
        .type(answer.contentType)
        .header('content-security-policy', policy)
        .header('referrer-policy', 'no-referrer')
        .header('vary', 'accept-encoding')
        .header('cache-control', answer.isImmutable ? `public, max-age=${oneYearSeconds}, immutable` : 'no-cache');
      if (answer.coding !== undefined) reply.header('content-encoding', answer.coding);
      return answer.body;
    },
  );
}
