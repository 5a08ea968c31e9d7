import type { FastifyInstance, FastifyRequest, RouteHandlerMethod } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** Reports a piece of work that began at `begun`, in `performance.now()`, and has just ended. */
    readonly workDone: (request: FastifyRequest, begun: number) => void;
  }
}

/**
 * Measures the uninterrupted pieces of work of requests to routes registered after this call: parsing a body, a handler
 * up to its first wait, and serialising an answer. Only the event loop timer sees work of a handler after a wait.
 * `done` receives the route's template and the duration of each piece in milliseconds, if it is at least `fromMillis`.
 */
export function measureWork(
  server: FastifyInstance,
  fromMillis: number,
  done: (route: string, millis: number) => void,
): void {
  const workDone = (request: FastifyRequest, begun: number): void => {
    const millis = performance.now() - begun;
    if (millis >= fromMillis) done(`${request.method} ${request.place.url ?? ''}`, millis);
  };
  server.decorate('workDone', workDone);
  server.addHook('onRoute', (route) => {
    const { handler } = route;
    const measured: RouteHandlerMethod = function (request, reply) {
      const begun = performance.now();
      try {
        return handler.call(this, request, reply);
      } finally {
        workDone(request, begun);
      }
    };
    route.handler = measured;
  });
}
