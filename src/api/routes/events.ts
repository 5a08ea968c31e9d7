import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { stringifyJson } from '../../core/value/json.ts';
import type { Timer } from '../../ports/clock.ts';
import { unknownExecution } from '../../app/answer.ts';
import { EventStream, type StreamEvent } from '../../app/queries/follow.ts';
import { beginning, type EventPosition, positionOf } from '../../app/view/position.ts';
import * as shape from '../documents/schema.ts';
import type { Principal } from '../../security/principal.ts';
import type { ApiContext } from '../context.ts';
import { errorDocument } from '../documents/documents.ts';
import { ApiError, refusalBody } from '../http/failure.ts';
import { type OpenRequest, openPlace } from '../http/open-requests.ts';
import { headerOf, idOf, idParameters } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';

/** Interval of comments that show proxies and clients that the stream is alive. */
const heartbeatMillis = 15_000;
/** A client that reads nothing for this long is disconnected; it can resume after its last event. */
const stalledMillis = 30_000;

const query = shape.object(
  {
    after: shape.optional(
      shape.string({
        maxLength: 64,
        description: 'X-Event-Position of an answer, or `now`: only what happens after it.',
      }),
    ),
  },
  { additionalProperties: false },
);

/**
 * Registers the event stream of an execution, below the plugin's prefix: server-sent events, resumable, at the client's
 * reading speed.
 */
export function eventRoutes(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '/:id/events',
    {
      schema: { params: idParameters, querystring: query },
      config: {
        documentation: {
          summary: 'Events `step`, `status`, `call` and `place` as they happen; ends after a terminal status',
          tag: 'executions',
          headers: { 'Last-Event-ID': 'Resumes after this event; wins over `after`.' },
          answers: answers(
            {
              200: { description: 'Server-sent events, each with an id.', contentType: 'text/event-stream' },
              204: { description: 'The execution is over and the last event was seen: there is nothing to come.' },
            },
            [400, 404, 429, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const id = idOf(request.params);
      const app = api.appFor(request);
      let expiry: Timer | undefined;
      const from = startOf(id, request);
      const place = openPlace(api, request);
      const events = new EventStream(app, id, from, place.signal);
      try {
        const found = await events.open();
        if (found === undefined) return refusalBody(reply, unknownExecution(id));
        // An EventSource reconnects after every end; only 204 stops it.
        if (found.isExhausted) {
          reply.code(204);
          return '';
        }
        reply.header('content-type', 'text/event-stream; charset=utf-8').header('x-accel-buffering', 'no');
        const headers = reply.getHeaders();
        reply.hijack();
        reply.raw.once('close', () => place.abort());
        expiry = endWithCredentials(api, request.principal, place);
        reply.raw.writeHead(200, headers as Record<string, string>);
        await stream(api, reply.raw, events.events(), (error) =>
          api.log.log('warn', 'event stream ended early', {
            sagaId: id,
            traceId: found.traceId,
            requestId: request.id,
            error: String(error),
          }),
        );
        return '';
      } finally {
        expiry?.cancel();
        events.close();
        place.release();
      }
    },
  );
}

/** Ends a stream when the credentials expire with which it began. */
function endWithCredentials(api: ApiContext, principal: Principal | null, place: OpenRequest): Timer | undefined {
  if (principal?.expiresAt === undefined) return undefined;
  const { clock } = api.app;
  return clock.after(Math.max(0, principal.expiresAt - clock.now()), () => place.abort());
}

/** Writes events until they end. A failure ends the stream, too, and the client resumes. */
async function stream(
  api: ApiContext,
  out: ServerResponse,
  events: AsyncGenerator<StreamEvent, void, undefined>,
  failed: (error: unknown) => void,
): Promise<void> {
  const { clock } = api.app;
  let heartbeat: Timer | undefined;
  const beat = (): void => {
    if (!out.writableNeedDrain) out.write(': alive\n\n');
    heartbeat = clock.after(heartbeatMillis, beat);
  };
  out.write('retry: 1000\n\n');
  heartbeat = clock.after(heartbeatMillis, beat);
  try {
    for await (const event of events) {
      if (out.destroyed) return;
      if (!out.write(textOf(event)) && !(await drained(api, out))) return;
    }
  } catch (error) {
    failed(error);
  } finally {
    heartbeat.cancel();
    if (!out.destroyed) out.end();
  }
}

function textOf({ kind, id, data }: StreamEvent): string {
  // JSON text has no line breaks of its own, so one data line is enough.
  return `id: ${id}\nevent: ${kind}\ndata: ${stringifyJson(data)}\n\n`;
}

/** Resolves with true once the client has read what was written. Otherwise disconnects it and resolves with false. */
function drained(api: ApiContext, out: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = api.app.clock.after(stalledMillis, () => out.destroy());
    const done = (): void => {
      timer.cancel();
      out.off('drain', done).off('close', done);
      resolve(!out.destroyed);
    };
    out.on('drain', done).on('close', done);
  });
}

/**
 * Where a stream begins: after the event that the client saw last, else after the position that it asks for, else at the beginning. An
 * event id of another execution, or one that no stream has given, counts as none.
 *
 * @throws ApiError `invalid_request` if `after` is no position of this execution.
 */
function startOf(id: string, { headers, query: asked }: FastifyRequest): EventPosition | 'now' {
  const { after } = asked as { readonly after?: string };
  const seen = headerOf(headers, 'last-event-id');
  if (seen !== undefined) return positionOf(id, seen) ?? beginning;
  if (after === undefined || after === 'now') return after ?? beginning;
  const from = positionOf(id, after);
  if (from !== undefined) return from;
  throw new ApiError(
    'invalid_request',
    'after: Must be now, or the X-Event-Position of an answer about this execution.',
  );
}
