/** Shapes of what operators ask for, for the OpenAPI document. */
import { type TSchema, Type } from 'typebox';

const instant = Type.String({ format: 'date-time' });
const count = (description: string): TSchema => Type.Integer({ minimum: 0, description });
const orNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);

/** One hold. */
export const holdDocument: TSchema = Type.Object({
  id: Type.String(),
  host: Type.Optional(Type.String({ description: 'With its port, or any port.' })),
  name: Type.Optional(Type.String({ description: 'Of a definition.' })),
  version: Type.Optional(Type.String({ description: 'All versions when absent.' })),
  reason: Type.String(),
  until: Type.Optional(instant),
  createdAt: instant,
});

/** What a bulk request came to. */
export const bulkDocument: TSchema = Type.Object({
  matched: count('Executions that match, at most max.'),
  done: count('Changes taken in.'),
  ids: Type.Array(Type.String({ format: 'uuid' }), {
    description: 'Those changed; of a dry run those that match.',
  }),
  errors: Type.Array(
    Type.Object({ id: Type.String({ format: 'uuid' }), code: Type.String(), errors: Type.Array(Type.String()) }),
    { description: 'Those that refused.' },
  ),
  more: Type.Boolean({ description: 'Others match too, or were left for want of time: ask again.' }),
});

/** The processes that work together. */
export const clusterDocument: TSchema = Type.Object({
  pods: Type.Array(
    Type.Object({
      id: Type.String(),
      version: Type.String(),
      works: Type.Boolean({ description: 'false: it serves the API only.' }),
      heartbeatAgeMillis: count('Since it was last heard of.'),
      ownedShards: count('Virtual shards that it works on.'),
      busyWorkers: count('Executions in hand at its latest heartbeat.'),
      openCircuits: Type.Array(Type.String()),
    }),
  ),
  shards: count('Virtual shards in all.'),
  queue: orNull(Type.Object({ ready: count('Due or soon due.'), inFlight: count('In hand.') })),
  openCircuits: Type.Array(
    Type.Object({
      host: Type.String({ description: 'Scheme, host and port.' }),
      pods: Type.Array(Type.String(), { description: 'Whose circuit is open.' }),
      nextProbeMillis: Type.Optional(count('Until the pod that answers tries again.')),
    }),
  ),
  holds: Type.Array(holdDocument),
  redis: orNull(
    Type.Object({
      maxmemoryPolicy: orNull(Type.String()),
      isSafe: orNull(Type.Boolean({ description: 'Whether Redis keeps what the queue needs.' })),
      membershipAgeMillis: orNull(count('Since the members were read.')),
    }),
  ),
});
