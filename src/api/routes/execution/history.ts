import type { FastifyInstance } from 'fastify';
import { stepPhases } from '../../../core/history.ts';
import { type HistoryRequest, listCalls, listSteps } from '../../../app/queries/history.ts';
import type { HistoryFilter } from '../../../app/view/history-filter.ts';
import { type ApiContext, jsonPageBody } from '../../context.ts';
import { callDocument, errorDocument, outcomeNames, stepDocument } from '../../documents/documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import * as shape from '../../documents/schema.ts';
import { refusalBody } from '../../http/failure.ts';
import {
  bodiesField,
  idOf,
  idParameters,
  maxFilterLength,
  pageFields,
  pageOf,
  type PageQuery,
} from '../../parameters.ts';

const limits = { default: 1000, max: 1000 };

/** Nodes in a filter. */
const maxNodes = 50;

const texts = (items: shape.Schema, maxItems: number): shape.Schema =>
  shape.optional({ type: 'array', items, maxItems, description: 'Repeatable: any of them.' });
const counted = shape.optional(shape.integer({ minimum: 1, description: 'Counts from 1.' }));

const query = shape.object(
  {
    ...pageFields(limits.default, limits.max),
    ...bodiesField,
    nodeId: texts(shape.string({ maxLength: maxFilterLength }), maxNodes),
    phase: texts(shape.oneOf([...stepPhases]), stepPhases.length),
    outcome: texts(shape.oneOf([...outcomeNames]), outcomeNames.length),
    visit: counted,
    round: counted,
  },
  { additionalProperties: false },
);

interface HistoryQuery extends PageQuery {
  readonly bodies?: 'none';
  readonly nodeId?: readonly string[];
  readonly phase?: readonly string[];
  readonly outcome?: readonly string[];
  readonly visit?: number;
  readonly round?: number;
}

const lists = [
  ['steps', 'A row per node visit and phase, oldest first', stepDocument, listSteps],
  ['steps/calls', 'A row per attempt, oldest first', callDocument, listCalls],
] as const;

/** Registers the routes that read the history of an execution, below the plugin's prefix. */
export function historyRoutes(server: FastifyInstance, api: ApiContext): void {
  for (const [path, summary, schema, list] of lists) {
    server.get(
      `/:id/${path}`,
      {
        schema: { params: idParameters, querystring: query },
        config: {
          documentation: {
            summary,
            tag: 'executions',
            answers: answers(
              { 200: { description: 'A page; X-Next-Cursor leads to the next.', schema: shape.array(schema) } },
              [400, 404, 503],
              errorDocument,
            ),
          },
        },
      },
      async (request, reply) => {
        const answer = await list(api.appFor(request), idOf(request.params), requestOf(request.query as HistoryQuery));
        if (!answer.ok) return refusalBody(reply, answer);
        const { position } = answer.value;
        if (position !== undefined) reply.header('x-event-position', position);
        return jsonPageBody(reply, answer.value);
      },
    );
  }
}

function requestOf(asked: HistoryQuery): HistoryRequest {
  const { nodeId, phase, outcome, visit, round, bodies } = asked;
  const filter: HistoryFilter = {
    ...(nodeId !== undefined && { nodeIds: nodeId }),
    ...(phase !== undefined && { phases: phase }),
    ...(outcome !== undefined && { outcomes: outcome }),
    ...(visit !== undefined && { visit }),
    ...(round !== undefined && { round }),
  };
  return { page: { order: 'asc', ...pageOf(asked, limits) }, filter, withoutBodies: bodies === 'none' };
}
