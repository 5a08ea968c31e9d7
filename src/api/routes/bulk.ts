import type { FastifyInstance } from 'fastify';
import * as shape from '../documents/schema.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { type Place, placeStates } from '../../core/view/place.ts';
import { bulk, type BulkAction, bulkLimits } from '../../app/bulk.ts';
import { type ApiContext, jsonBody } from '../context.ts';
import { errorDocument, statusNames } from '../documents/documents.ts';
import { ApiError, refusalBody } from '../http/failure.ts';
import { filterFields, filterLists, filterOf, type FilterQuery } from '../execution-filter.ts';
import { bulkDocument } from '../documents/operator-documents.ts';
import { clamp, optional, reasonField } from '../parameters.ts';
import { granted } from '../../app/answer.ts';
import type { WakeKind } from '../../core/transition/wakes.ts';
import { whatField } from './controls.ts';
import { answers } from '../documents/route-documentation.ts';

/** Lists: a query repeats the parameter; a body has a list or a single value. */
const oneOrMore = {
  status: shape.optional({
    type: ['array', 'string'],
    ...filterLists.status,
    description: 'One, or a list: any of them.',
  }),
  label: shape.optional({
    type: ['array', 'string'],
    ...filterLists.label,
    description: 'name:value, or a list of them: all must hold.',
  }),
  state: shape.optional({
    type: ['array', 'string'],
    ...filterLists.state,
    description: 'One, or a list: any of them.',
  }),
  callStatus: shape.optional({
    type: ['array', 'string'],
    ...filterLists.callStatus,
    description: 'One, or a list: any of them.',
  }),
};

const bulkBody = shape.object(
  {
    action: shape.oneOf(['retry', 'cancel', 'terminate', 'wake', 'redeliver', 'undo']),
    filter: shape.optional(
      shape.object(
        { ...filterFields, ...oneOrMore },
        {
          additionalProperties: false,
          description:
            'As that of the list. Without a status: those in which the action can be possible; to redeliver, without a hook: those that failed.',
        },
      ),
    ),
    ids: shape.optional(
      shape.array(shape.string({ format: 'uuid' }), {
        maxItems: bulkLimits.ids,
        description: 'Instead of a filter: these, such as a dry run answered.',
      }),
    ),
    what: whatField,
    reason: reasonField,
    dryRun: optional(shape.boolean({ description: 'true when absent: nothing is changed.' })),
    max: optional(
      shape.integer({
        minimum: 1,
        description: `1 to ${String(bulkLimits.max)}, clamped; ${String(bulkLimits.default)} when absent.`,
      }),
    ),
  },
  { additionalProperties: false },
);

interface BulkBody {
  readonly action: BulkAction;
  readonly ids?: readonly string[];
  readonly filter?: Omit<FilterQuery, 'status' | 'label' | 'state' | 'callStatus'> & {
    readonly state?: Place['state'] | readonly Place['state'][];
    readonly callStatus?: string | readonly string[];
    readonly status?: ExecutionStatus | readonly ExecutionStatus[];
    readonly label?: string | readonly string[];
  };
  readonly what?: readonly WakeKind[] | null;
  readonly reason?: string | null;
  readonly dryRun?: boolean | null;
  readonly max?: number | null;
}

/** Registers the route that makes the same change to many executions, below the plugin's prefix. */
export function bulkRoutes(server: FastifyInstance, api: ApiContext): void {
  server.post(
    '/bulk',
    {
      schema: { body: bulkBody },
      config: {
        documentation: {
          summary:
            'Retry, cancel, terminate, wake or undo all executions that match, or redeliver their hooks, newest first',
          tag: 'executions',
          answers: answers(
            { 200: { description: 'How far it came; what refused is listed.', schema: bulkDocument } },
            [400, 413, 415, 503],
            errorDocument,
          ),
        },
      },
    },
    async (request, reply) => {
      const { action, filter, ids, dryRun, max, what, reason: given } = request.body as BulkBody;
      if ((filter === undefined) === (ids === undefined)) {
        throw new ApiError('invalid_request', 'request: Must have either filter or ids.');
      }
      const reason = given === undefined || given === null ? undefined : { reason: given };
      if (action === 'undo' && dryRun === false && (reason?.reason.trim() ?? '') === '') {
        throw new ApiError('invalid_request', 'reason: An undo needs one.');
      }
      if (action !== 'wake' && what !== undefined && what !== null) {
        throw new ApiError('invalid_request', 'what: Only a wake has it.');
      }
      const kinds = what === undefined || what === null ? undefined : { what };
      const wanted = {
        action,
        ...kinds,
        ...(ids !== undefined && { ids: [...new Set(ids.map((id) => id.toLowerCase()))] }),
        filter: filterOf(queryOf(filter ?? {})),
        ...reason,
        dryRun: dryRun !== false,
        max: clamp(max ?? bulkLimits.default, 1, bulkLimits.max),
      };
      if (wanted.dryRun) return jsonBody(reply, await bulk(api.appFor(request), wanted));
      // Each changed execution gets its own entry, in the transaction that changes it.
      const change = { action: `execution.${action}`, target: '', details: { bulk: true, ...kinds, ...reason } };
      const answer = await api.audit.change(request, change, async (app) => granted(await bulk(app, wanted)));
      return answer.ok ? jsonBody(reply, answer.value) : refusalBody(reply, answer);
    },
  );
}

function queryOf({ status, label, state, callStatus, ...rest }: NonNullable<BulkBody['filter']>): FilterQuery {
  const statuses = listOf(status);
  const unknown = statuses?.find((name) => !statusNames.includes(name));
  if (unknown !== undefined) throw new ApiError('invalid_request', `filter.status: ${unknown} is no status.`);
  const states = listOf(state);
  const other = states?.find((name) => !placeStates.includes(name));
  if (other !== undefined) throw new ApiError('invalid_request', `filter.state: ${other} is no state of a place.`);
  const labels = listOf(label);
  const codes = listOf(callStatus);
  return {
    ...rest,
    ...(statuses && { status: statuses }),
    ...(labels && { label: labels }),
    ...(states && { state: states }),
    ...(codes && { callStatus: codes }),
  };
}

function listOf<T extends string>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  return typeof value === 'string' ? [value] : value;
}
