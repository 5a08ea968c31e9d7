/** What a process can tell of itself and of those that it shares the queue with. */
import type { Config } from '../config/config.ts';
import type { ClusterSource, LoadView, PodView } from '../app/queries/cluster-source.ts';
import type { Engine } from '../engine/engine.ts';
import type { Gatekeeper } from '../engine/call/gate/gatekeeper.ts';
import type { MemberLoad } from '../engine/queue/sharding/member-info.ts';
import type { ShardedQueue } from '../engine/queue/sharding/sharded-queue.ts';
import type { GaugeReadings } from '../telemetry/prometheus-telemetry.ts';
import type { QueueChoice } from './backends.ts';

/** The part of an engine's load that others are told. */
type EngineLoad = Pick<ReturnType<Engine['load']>, 'places' | 'bytes' | 'maxBytes'>;

/** Whom it asks. */
export interface ClusterParts {
  readonly config: Config;
  readonly version: string;
  readonly choice: QueueChoice;
  readonly gate: Gatekeeper;
  /** What this process has in hand. */
  readonly load: () => MemberLoad;
  /** The `maxmemory-policy` of Redis; undefined while it is not known. */
  readonly policy: () => string | undefined;
}

/** What a process has in hand; `runs` is false where it only serves the API. */
export function loadOf(gate: Gatekeeper, runs: boolean, load: EngineLoad | undefined): MemberLoad {
  const openCircuits = gate.circuits().flatMap(({ host, isOpen }) => (isOpen ? [host] : []));
  const fullHosts = gate.fullHosts();
  if (load === undefined) return { busy: 0, openCircuits, fullHosts };
  const { places, bytes, maxBytes } = load;
  if (!runs) return { busy: 0, bytes, maxBytes, openCircuits, fullHosts };
  const { calling, host, loading, store, other } = places;
  return { busy: calling + host + loading + store + other, places, bytes, maxBytes, openCircuits, fullHosts };
}

function loadView({ busy, bytes, maxBytes, places, openCircuits = [], fullHosts = [] }: MemberLoad): LoadView {
  return {
    busyWorkers: busy,
    ...(bytes === undefined || maxBytes === undefined ? undefined : { inHandBytes: bytes, maxInHandBytes: maxBytes }),
    places: places ?? null,
    openCircuits,
    fullHosts,
  };
}

/** The gauges of the gate. */
export function gateReadings(gate: Gatekeeper): NonNullable<GaugeReadings['gate']> {
  return {
    circuits: new Map(gate.circuits().map(({ host, isOpen }) => [host, isOpen])),
    holds: gate.holdCount,
    blocked: gate.blocked,
  };
}

/** The gauges of the shared queue. */
export function clusterReadings(
  cluster: ShardedQueue,
  policy: string | undefined,
): NonNullable<GaugeReadings['cluster']> {
  return {
    activePods: cluster.members.filter((member) => member.works).length,
    ownedShards: cluster.owned.shards.length,
    shards: cluster.owned.count,
    membershipAgeMillis: cluster.membershipAgeMillis,
    isPolicyUnsafe: policy !== undefined && policy !== 'noeviction',
  };
}

/** See the file header. */
export function createClusterSource(parts: ClusterParts): ClusterSource {
  const { config, gate, choice } = parts;
  const { queue, cluster } = choice;
  const circuits = (): ReturnType<ClusterSource['circuits']> => gate.circuits();
  if (cluster === undefined) {
    const pod = (): PodView => ({
      id: config.redis.sharding.podId,
      version: parts.version,
      works: config.runtime.enabled,
      heartbeatAgeMillis: 0,
      ownedShards: queue.owned.shards.length,
      ...loadView(parts.load()),
    });
    return {
      pods: () => [pod()],
      shards: 1,
      queueSize: () => queue.size(),
      oldestDueAt: () => queue.oldestDueAt,
      circuits,
    };
  }
  return {
    circuits,
    pods: () => {
      const shards = cluster.shardCounts;
      return cluster.members.map((member) => ({
        id: member.podId,
        version: member.version,
        works: member.works,
        heartbeatAgeMillis: member.ageMillis + ageOf(cluster.membershipAgeMillis),
        ownedShards: shards.get(member.id) ?? 0,
        // Of itself it knows better than its latest heartbeat.
        ...loadView(member.id === cluster.member ? parts.load() : member),
      }));
    },
    get shards() {
      return cluster.owned.count;
    },
    queueSize: () => cluster.sizeOfAll(),
    oldestDueAt: () => cluster.oldestDueAt,
    redis: () => {
      const policy = parts.policy();
      return {
        membershipAgeMillis: cluster.membershipAgeMillis,
        ...(policy === undefined ? undefined : { maxmemoryPolicy: policy }),
      };
    },
  };
}

function ageOf(millis: number): number {
  return Number.isFinite(millis) ? millis : 0;
}
