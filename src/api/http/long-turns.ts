/**
 * Measures the pieces of work that requests to the API do at a stretch: reading a body, what a handler does before it waits for
 * something, writing an answer. What a handler does after a wait is seen by the timer of the process alone.
 */
import type { FastifyInstance, FastifyRequest, RouteHandlerMethod } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** A piece of work for a request, begun at `begun` by `performance.now()`, has ended. */
    readonly workDone: (request: FastifyRequest, begun: number) => void;
  }
}

/** Measures all routes that are registered after it. `done` is told the route's template and how long each piece took, in milliseconds. */
export function measureWork(server: FastifyInstance, done: (route: string, millis: number) => void): void {
  const workDone = (request: FastifyRequest, begun: number): void => {
    done(`${request.method} ${request.routeOptions.url ?? ''}`, performance.now() - begun);
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
