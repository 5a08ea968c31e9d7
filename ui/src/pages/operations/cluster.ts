import type { Json } from '../../../../src/core/value/json.ts';
import { flagAt, listAt, numberAt, objectAt, objectOf, textAt } from '../../api/reading.ts';

/** A process of the cluster. */
export interface Pod {
  readonly id: string;
  readonly version: string;
  readonly works: boolean;
  readonly heartbeatAgeMillis?: number | undefined;
  readonly ownedShards?: number | undefined;
  readonly busyWorkers?: number | undefined;
  readonly workerCount?: number | undefined;
  readonly openCircuits: readonly string[];
}

/** The cluster as the answering pod sees it. */
export interface Cluster {
  readonly pods: readonly Pod[];
  readonly shards?: number | undefined;
  readonly ready?: number | undefined;
  readonly inFlight?: number | undefined;
  readonly oldestDueAgeMillis?: number | undefined;
  readonly hasQueue: boolean;
  readonly circuits: readonly {
    readonly host: string;
    readonly pods: number;
    readonly nextProbeMillis?: number | undefined;
  }[];
  readonly redis?:
    | {
        readonly policy: string | undefined;
        readonly isSafe: boolean;
        readonly membershipAgeMillis?: number | undefined;
      }
    | undefined;
  readonly database?:
    { readonly driver: string; readonly isOk: boolean; readonly latencyMillis?: number | undefined } | undefined;
  readonly blocked: readonly {
    readonly host: string;
    readonly cause: string;
    readonly count: number;
    readonly nextProbeMillis?: number | undefined;
  }[];
}

const texts = (list: readonly Json[]): readonly string[] =>
  list.flatMap((each) => (typeof each === 'string' ? [each] : (textAt(objectOf(each), 'host') ?? [])));

/** Reads `GET /cluster`. */
export function readCluster(json: Json): Cluster {
  const value = objectOf(json);
  const queue = objectAt(value, 'queue');
  const redis = objectAt(value, 'redis');
  const database = objectAt(value, 'database');
  return {
    pods: listAt(value, 'pods').map((each) => {
      const pod = objectOf(each);
      const shards = listAt(pod, 'ownedShards');
      return {
        id: textAt(pod, 'id') ?? '',
        version: textAt(pod, 'version') ?? '',
        works: flagAt(pod, 'works'),
        heartbeatAgeMillis: numberAt(pod, 'heartbeatAgeMillis'),
        ownedShards: numberAt(pod, 'ownedShards') ?? (shards.length > 0 ? shards.length : undefined),
        busyWorkers: numberAt(pod, 'busyWorkers'),
        workerCount: numberAt(pod, 'workerCount'),
        openCircuits: texts(listAt(pod, 'openCircuits')),
      };
    }),
    shards: numberAt(value, 'shards'),
    hasQueue: queue !== undefined,
    ready: numberAt(queue ?? {}, 'ready'),
    inFlight: numberAt(queue ?? {}, 'inFlight'),
    oldestDueAgeMillis: numberAt(queue ?? {}, 'oldestDueAgeMillis'),
    circuits: listAt(value, 'openCircuits').map((each) => {
      const circuit = objectOf(each);
      return {
        host: textAt(circuit, 'host') ?? '',
        pods: numberAt(circuit, 'pods') ?? listAt(circuit, 'pods').length,
        nextProbeMillis: numberAt(circuit, 'nextProbeMillis'),
      };
    }),
    ...(redis !== undefined && {
      redis: {
        policy: textAt(redis, 'maxmemoryPolicy'),
        isSafe: flagAt(redis, 'isSafe'),
        membershipAgeMillis: numberAt(redis, 'membershipAgeMillis'),
      },
    }),
    ...(database !== undefined && {
      database: {
        driver: textAt(database, 'driver') ?? '',
        isOk: flagAt(database, 'ok'),
        latencyMillis: numberAt(database, 'latencyMs'),
      },
    }),
    blocked: listAt(value, 'blocked').map((each) => {
      const row = objectOf(each);
      return {
        host: textAt(row, 'host') ?? '',
        cause: textAt(row, 'cause') ?? '',
        count: numberAt(row, 'count') ?? 0,
        nextProbeMillis: numberAt(row, 'nextProbeMillis'),
      };
    }),
  };
}
