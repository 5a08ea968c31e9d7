import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as shape from '../documents/schema.ts';
import type { Schema } from '../documents/schema.ts';
import type { Json, JsonObject } from '../../core/value/json.ts';
import { type Answer, unknownExecution } from '../../app/answer.ts';
import type { AppContext } from '../../app/context.ts';
import { type Accepted, cancel, terminate, wake } from '../../app/control.ts';
import { redeliver, resolve, type Resolution, retry, undo } from '../../app/settle.ts';
import { type ApiContext, jsonTextBody } from '../context.ts';
import { acceptedDocument, errorDocument } from '../documents/documents.ts';
import { ifMatch } from '../http/caching/entity-tags.ts';
import { ApiError, refusalBody } from '../http/failure.ts';
import { type WakeKind, wakeKinds, type WakeRequest } from '../../core/transition/wakes.ts';
import { headerOf, idOf, idParameters, maxFilterLength, maxReason, optional, reasonField } from '../parameters.ts';
import { answers } from '../documents/route-documentation.ts';
import { optionalBody } from '../validation.ts';

const closed = { additionalProperties: false, ...optionalBody };

const itemField = shape.optional({
  type: ['integer', 'array', 'null'],
  minimum: 0,
  items: { type: 'integer', minimum: 0 },
  maxItems: 8,
  description: 'Within a forEach: the place of the item, from 0; in nested ones the list of places, outermost first.',
});
/** What a wake ends. */
export const whatField: Schema = shape.optional({
  type: ['array', 'null'],
  items: shape.oneOf([...wakeKinds]),
  minItems: 1,
  maxItems: wakeKinds.length,
  description:
    'sleep (when absent): sleeps and startAt; retry: the next attempt of a call is made now; blocked: blocked calls ask again, and one probes an open circuit.',
});

const wakeBody = shape.object(
  {
    nodeId: optional(shape.string({ minLength: 1, maxLength: maxFilterLength, description: 'Only at this node.' })),
    what: whatField,
    item: itemField,
    reason: reasonField,
  },
  closed,
);

const reasonBody = shape.object({ reason: reasonField }, closed);
const retryBody = shape.object(
  { force: optional(shape.boolean({ description: 'Needed for TERMINATED ones.' })), reason: reasonField },
  closed,
);
const redeliverBody = shape.object(
  { force: optional(shape.boolean({ description: 'Needed for a hook that was delivered.' })), reason: reasonField },
  closed,
);
const undoBody = shape.object(
  { reason: shape.string({ minLength: 1, maxLength: maxReason, description: 'Shown as failureDescription.' }) },
  { additionalProperties: false },
);
const resolveBody = shape.object(
  {
    nodeId: shape.string({ minLength: 1 }),
    visit: optional(shape.integer({ minimum: 1, description: 'The latest unsettled one when absent.' })),
    item: itemField,
    phase: shape.oneOf(['UP', 'DOWN']),
    outcome: shape.oneOf(['succeeded', 'failed']),
    body: shape.optional(shape.any({ description: 'What the node is taken to have answered, for phase UP.' })),
    reason: shape.string({ minLength: 1, maxLength: maxReason }),
  },
  { additionalProperties: false },
);

/** A place, or several in nested loops. */
type Item = number | readonly number[] | null | undefined;

function itemOf(item: Item): readonly number[] | undefined {
  if (item === undefined || item === null) return undefined;
  return typeof item === 'number' ? [item] : item;
}

interface WakeBody {
  readonly nodeId?: string | null;
  readonly what?: readonly WakeKind[] | null;
  readonly item?: Item;
}

function wakeOf({ nodeId, what, item }: WakeBody): WakeRequest {
  const places = itemOf(item);
  return {
    ...(nodeId !== undefined && nodeId !== null && { nodeId }),
    ...(what !== undefined && what !== null && { what }),
    ...(places !== undefined && { item: places }),
  };
}

interface ResolveBody {
  readonly nodeId: string;
  readonly visit?: number | null;
  readonly item?: Item;
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
  readonly body?: Json;
  readonly reason: string;
}

interface Control {
  readonly path: string;
  /** Name in the audit log after `execution.`; defaults to the path. */
  readonly action?: string;
  readonly summary: string;
  readonly body: Schema;
  /** Status in the answer. */
  readonly word: string;
  readonly run: (app: AppContext, id: string, body: unknown) => Promise<Answer<Accepted>>;
}

const controls: readonly Control[] = [
  {
    path: 'retry',
    summary: 'Run a failed execution again, or the unfinished compensations of a corrupted one',
    body: retryBody,
    word: 'REQUEUED',
    run: (app, id, body) => retry(app, id, (body as { force?: boolean | null }).force === true),
  },
  {
    path: 'cancel',
    summary: 'Compensate what was done and end as CANCELLED',
    body: reasonBody,
    word: 'CANCELLING',
    run: (app, id, body) => cancel(app, id, (body as { reason?: string | null }).reason ?? undefined),
  },
  {
    path: 'terminate',
    summary: 'End at once, without compensation',
    body: reasonBody,
    word: 'TERMINATING',
    run: (app, id) => terminate(app, id),
  },
  {
    path: 'wake',
    summary: 'End sleeps early or start before startAt, make the next attempt now, or have blocked calls ask again',
    body: wakeBody,
    word: 'WAKING',
    run: (app, id, body) => wake(app, id, wakeOf(body as WakeBody)),
  },
  {
    path: 'resolve',
    summary: 'Settle by hand an unfinished compensation or a node that waits',
    body: resolveBody,
    word: 'RESOLVING',
    run: (app, id, body) => resolve(app, id, resolutionOf(body as ResolveBody)),
  },
  {
    path: 'undo',
    summary: 'Compensate a run that has succeeded, and end it as CANCELLED',
    body: undoBody,
    word: 'UNDOING',
    run: (app, id, body) => undo(app, id, (body as { reason: string }).reason),
  },
  {
    path: 'hook/redeliver',
    action: 'redeliver',
    summary: 'Call the hook of an execution that is over again, at once',
    body: redeliverBody,
    word: 'REDELIVERING',
    run: (app, id, body) => redeliver(app, id, (body as { force?: boolean | null }).force === true),
  },
];

/**
 * Registers the routes that change executions, below the plugin's prefix: retry, cancel, terminate, wake, resolve,
 * undo, and redelivery of a hook. All answer 202 once the change is durable.
 */
export function controlRoutes(server: FastifyInstance, api: ApiContext): void {
  for (const { path, action = path, summary, body, word, run } of controls) {
    server.post(
      `/:id/${path}`,
      {
        schema: { params: idParameters, body },
        config: {
          documentation: {
            summary,
            tag: 'executions',
            headers: {
              'If-Match': 'The ETag of the status document or a preview: the change is made only to that state.',
            },
            answers: answers(
              { 202: { description: 'Taken in; the execution shows it soon.', schema: acceptedDocument } },
              [400, 404, 409, 412, 415, 503],
              errorDocument,
            ),
          },
        },
      },
      async (request, reply) => {
        const id = idOf(request.params);
        const condition = await conditionOf(api.appFor(request), id, request);
        if (condition === undefined) return refusalBody(reply, unknownExecution(id));
        const change = { action: `execution.${action}`, target: id, details: detailsOf(request.body) };
        const answer = await api.audit.change(request, change, (app) =>
          run({ ...app, ...condition }, id, request.body),
        );
        return acceptedBody(reply, answer, word);
      },
    );
  }
}

/** What `If-Match` demands of the execution. Undefined if the header is malformed and there is no such execution, which is said first. */
async function conditionOf(
  app: AppContext,
  id: string,
  { headers }: FastifyRequest,
): Promise<Pick<AppContext, 'expected'> | undefined> {
  try {
    const condition = ifMatch(headerOf(headers, 'if-match'));
    return condition === undefined || condition === 'any' ? {} : { expected: condition };
  } catch (error) {
    if ((await app.store.getProgress(id)) === undefined) return undefined;
    throw error;
  }
}

/** The request without the body stated for a node, which the history records. */
function detailsOf(body: unknown): JsonObject {
  const { body: _answer, ...details } = body as JsonObject;
  return details;
}

function acceptedBody(reply: FastifyReply, answer: Answer<Accepted>, word: string): string {
  if (!answer.ok) return refusalBody(reply, answer);
  const { id, woken } = answer.value;
  const count = woken === undefined ? '' : `,"woken":${String(woken)}`;
  return jsonTextBody(reply, `{"id":"${id}","status":"${word}"${count}}`, 202);
}

function resolutionOf({ nodeId, visit, item, phase, outcome, body, reason }: ResolveBody): Resolution {
  const places = itemOf(item);
  if (body !== undefined && body !== null && phase !== 'UP') {
    throw new ApiError('invalid_request', 'body: Only a node of phase UP has an answer.');
  }
  return {
    nodeId,
    phase,
    outcome,
    reason,
    ...(visit !== undefined && visit !== null && { visit }),
    ...(places !== undefined && { item: places }),
    ...(body !== undefined && { body }),
  };
}
