/** What a process can tell of itself and of those that it shares the queue with. */
import type { Config } from '../config/config.ts';
import type { ClusterSource, PodView } from '../runtime/desk/cluster.ts';
import type { Gatekeeper } from '../runtime/gate/gatekeeper.ts';
import type { ClusterMember } from '../runtime/sharding/member-info.ts';
import type { ShardedQueue } from '../runtime/sharding/sharded-queue.ts';
import type { GaugeReadings } from '../telemetry/prometheus-telemetry.ts';
import type { QueueChoice } from './backends.ts';

/** Whom it asks. */
export interface ClusterParts {
  readonly config: Config;
  readonly version: string;
  readonly choice: QueueChoice;
  readonly gate: Gatekeeper;
  /** What this process has in hand. */
  readonly load: () => { readonly busy: number; readonly bytes: number; readonly maxBytes: number };
  /** The `maxmemory-policy` of Redis; undefined while it is not known. */
  readonly policy: () => string | undefined;
}

/** Hosts whose circuits are open. */
export function openHosts(gate: Gatekeeper): readonly string[] {
  return gate.circuits().flatMap(({ host, isOpen }) => (isOpen ? [host] : []));
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

function loadView({
  busy,
  bytes,
  maxBytes,
}: Pick<ClusterMember, 'busy' | 'bytes' | 'maxBytes'>): Pick<
  PodView,
  'busyWorkers' | 'inHandBytes' | 'maxInHandBytes'
> {
  return {
    busyWorkers: busy,
    ...(bytes === undefined || maxBytes === undefined ? undefined : { inHandBytes: bytes, maxInHandBytes: maxBytes }),
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
      openCircuits: openHosts(gate),
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
        openCircuits: member.id === cluster.member ? openHosts(gate) : (member.openCircuits ?? []),
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
