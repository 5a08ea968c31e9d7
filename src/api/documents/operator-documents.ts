import * as shape from './schema.ts';
import type { Schema } from './schema.ts';

const instant = shape.string({ format: 'date-time' });
const count = (description: string): Schema => shape.integer({ minimum: 0, description });

const holdFields = {
  id: shape.string(),
  host: shape.optional(shape.string({ description: 'With its port, or any port.' })),
  name: shape.optional(shape.string({ description: 'Of a definition.' })),
  version: shape.optional(shape.string({ description: 'All versions when absent.' })),
  reason: shape.string(),
  actor: shape.optional(
    shape.string({ description: 'Who placed it, or replaced it last; absent without authentication.' }),
  ),
  until: shape.optional(instant),
  createdAt: instant,
};

/** One hold. */
export const holdDocument: Schema = shape.object(holdFields);

/** A hold in a list. */
export const waitedHoldDocument: Schema = shape.object({
  ...holdFields,
  waiting: count('Executions that wait for it.'),
});

/** The outcome of a bulk request. */
export const bulkDocument: Schema = shape.object({
  matched: count('Executions that match, at most max.'),
  done: count('Changes taken in.'),
  ids: shape.array(shape.string({ format: 'uuid' }), {
    description: 'Those changed; of a dry run those that match.',
  }),
  errors: shape.array(
    shape.object({ id: shape.string({ format: 'uuid' }), code: shape.string(), errors: shape.array(shape.string()) }),
    { description: 'Those that refused.' },
  ),
  more: shape.boolean({ description: 'Others match too, or were left for want of time: ask again.' }),
  others: shape.optional(
    shape.array(shape.object({ state: shape.string(), count: count('Executions that wait for it.') }), {
      description:
        'What executions wait for that match and are in no status in which the action is possible, of the newest 2000; absent where there are none.',
    }),
  ),
});

const top = (description: string): Schema =>
  shape.array(shape.object({ value: shape.string(), count: count('Executions that have it.') }), { description });

/** Counts of executions. */
export const topDocument: Schema = shape.object({
  counted: count('Executions that match and were counted, the newest.'),
  more: shape.boolean({ description: 'Others match, too, and were not counted.' }),
  statuses: top('By status.'),
  names: top('By definition.'),
  reasons: top('By why they did not succeed.'),
  nodes: top('By the nodes where they stand; once over, by those that failed.'),
  hosts: top('By the hosts that they wait for; once over, by those at which they failed.'),
  waits: top('By what they wait for: states of currentNodes.'),
});

/** The processes of the cluster. */
export const clusterDocument: Schema = shape.object({
  pods: shape.array(
    shape.object({
      id: shape.string(),
      version: shape.string(),
      works: shape.boolean({ description: 'false: it serves the API only.' }),
      heartbeatAgeMillis: count('Since it was last heard of.'),
      ownedShards: count('Virtual shards that it works on.'),
      busyWorkers: count('Executions in hand at its latest heartbeat.'),
      workerCount: shape.orNull(count('Its places: runtime.workerCount; null where nothing is run.')),
      places: shape.orNull(
        shape.object(
          {
            calling: count('Executions with a call under way.'),
            host: count('Executions whose calls wait in hand for a free place at a host.'),
            loading: count('Executions that are taken over, or inserted.'),
            store: count('Executions of which something is read or written.'),
            other: count('All others in hand.'),
            free: count('Free places.'),
          },
          { description: 'What the places (`runtime.workerCount`) are used for; null where nothing is run.' },
        ),
      ),
      inHandBytes: shape.optional(count('About how much memory those take.')),
      maxInHandBytes: shape.optional(count('Beyond that it claims nothing new.')),
      openCircuits: shape.array(shape.string()),
      fullHosts: shape.array(
        shape.object({
          host: shape.string({ description: 'Scheme, host and port.' }),
          calls: count('Calls under way: all that the host may have.'),
          waiting: count('Calls that wait for a place there.'),
        }),
        { description: 'Hosts whose places are all taken, at most 20.' },
      ),
    }),
  ),
  shards: count('Virtual shards in all.'),
  queue: shape.orNull(
    shape.object({
      ready: count('Due or soon due.'),
      inFlight: count('In hand.'),
      oldestDueAgeMillis: shape.orNull(count('For how long the longest due one waits here.')),
    }),
  ),
  openCircuits: shape.array(
    shape.object({
      host: shape.string({ description: 'Scheme, host and port.' }),
      pods: shape.array(shape.string(), { description: 'Whose circuit is open.' }),
      nextProbeMillis: shape.optional(count('Until the pod that answers tries again.')),
    }),
  ),
  holds: shape.array(waitedHoldDocument),
  blocked: shape.array(
    shape.object({
      host: shape.optional(shape.string({ description: 'host:port; absent for calls without a host.' })),
      cause: shape.oneOf(['hold', 'circuit', 'place', 'retryAfter']),
      count: count('Executions whose place waits for it.'),
      nextProbeMillis: shape.optional(count('Until the pod that answers probes the host.')),
    }),
    { description: 'What executions of all pods wait for, the most first, at most five seconds old.' },
  ),
  stuck: count('Executions that are due or run without a checkpoint for too long.'),
  countExact: shape.boolean({ description: 'false: only the newest executions under way were looked at.' }),
  database: shape.orNull(
    shape.object({
      driver: shape.oneOf(['sqlite', 'postgres']),
      ok: shape.boolean({ description: 'Whether it answers and takes writes.' }),
      latencyMs: shape.number(),
      readOnly: shape.boolean(),
    }),
  ),
  redis: shape.orNull(
    shape.object({
      maxmemoryPolicy: shape.orNull(shape.string()),
      isSafe: shape.orNull(shape.boolean({ description: 'Whether Redis keeps what the queue needs.' })),
      membershipAgeMillis: shape.orNull(count('Since the members were read.')),
    }),
  ),
});

/** Executions in groups. */
export const countsDocument: Schema = shape.object({
  exact: shape.boolean({ description: 'Whether all that match were counted.' }),
  scanned: shape.integer({ minimum: 0, description: 'Executions that were looked at.' }),
  since: shape.optional(
    shape.string({ format: 'date-time', description: 'Unless exact: start of the oldest one that was looked at.' }),
  ),
  asOf: shape.string({ format: 'date-time', description: 'When it was counted.' }),
  groups: shape.array(
    shape.object(
      {
        count: shape.integer({ minimum: 1 }),
        newest: shape.optional(shape.string({ format: 'date-time', description: 'Start of the newest.' })),
        sampleId: shape.optional(shape.string({ format: 'uuid', description: 'The newest.' })),
        other: shape.optional(shape.boolean({ description: 'All further groups together.' })),
      },
      { additionalProperties: true, description: 'With the fields asked for that its executions have.' },
    ),
    { description: 'At most 200, the largest first, then the newest.' },
  ),
});
