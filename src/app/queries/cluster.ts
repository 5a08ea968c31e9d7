import type { JsonObject } from '../../core/value/json.ts';
import type { ClusterSource, PodView } from './cluster-source.ts';
import { listHolds } from '../holds.ts';
import { blockedDocuments, type Waiting, type WaitingCounts } from '../view/waiting.ts';
import type { AppContext } from '../context.ts';

const emptyCluster: ClusterSource = {
  pods: () => [],
  shards: 1,
  queueSize: () => Promise.resolve({ ready: 0, inFlight: 0 }),
  oldestDueAt: () => undefined,
  circuits: () => [],
};

/** The document of `GET /cluster`, as this process sees the cluster. */
export async function clusterDocument(app: AppContext, counts: WaitingCounts): Promise<JsonObject> {
  const { cluster = emptyCluster } = app;
  const [holds, waiting, database, queue] = await Promise.all([
    listHolds(app),
    counts.read(),
    cluster.database?.() ?? null,
    // The document must be available while Redis is not; null reports that.
    cluster.queueSize().catch(() => null),
  ]);
  const pods = cluster.pods();
  return {
    pods: pods.map(({ heartbeatAgeMillis, fullHosts, ...pod }) => ({
      ...pod,
      heartbeatAgeMillis: Math.round(heartbeatAgeMillis),
      workerCount: workerCount(pod),
      fullHosts: fullHosts.map(({ host, calls, waiting }) => ({ host, calls, waiting })),
    })),
    shards: cluster.shards,
    queue: queue && { ready: queue.ready, inFlight: queue.inFlight, oldestDueAgeMillis: oldestDueAge(app, cluster) },
    openCircuits: openCircuits(cluster, pods),
    holds: withWaiting(holds, waiting),
    blocked: blockedDocuments(waiting, probesOf(cluster)),
    stuck: waiting.stuck,
    countExact: waiting.isExact,
    database: database && { ...database },
    redis: redisDocument(cluster),
  };
}

/** Holds with the number of executions that wait for each. */
export function withWaiting(holds: readonly JsonObject[], { byHold }: Waiting): readonly JsonObject[] {
  return holds.map((hold) => ({ ...hold, waiting: byHold.get(hold['id'] as string) ?? 0 }));
}

/** The places of a process; null if it runs no executions, or does not report them. */
function workerCount({ places }: Pick<PodView, 'places'>): number | null {
  return places === null ? null : Object.values(places as unknown as Record<string, number>).reduce((a, b) => a + b, 0);
}

/** Milliseconds until this process probes each host again, by host and port. */
function probesOf(cluster: ClusterSource): ReadonlyMap<string, number> {
  return new Map(
    cluster
      .circuits()
      .flatMap(({ host, isOpen, waitMillis }) =>
        isOpen && waitMillis !== undefined ? [[host.replace(/^https?:\/\//, ''), waitMillis] as const] : [],
      ),
  );
}

/** How long the longest due execution has waited, in ms; null if none waits. */
function oldestDueAge({ clock }: AppContext, cluster: ClusterSource): number | null {
  const dueAt = cluster.oldestDueAt();
  return dueAt === undefined ? null : Math.max(0, Math.round(clock.now() - dueAt));
}

/** One entry per host with an open circuit, and the processes that opened it. */
function openCircuits(cluster: ClusterSource, pods: readonly PodView[]): readonly JsonObject[] {
  const own = new Map(cluster.circuits().map((circuit) => [circuit.host, circuit]));
  const hosts = new Set(pods.flatMap((pod) => pod.openCircuits));
  return [...hosts].sort().map((host) => {
    const wait = own.get(host)?.waitMillis;
    return {
      host,
      pods: pods.filter((pod) => pod.openCircuits.includes(host)).map((pod) => pod.id),
      ...(wait === undefined ? undefined : { nextProbeMillis: Math.round(wait) }),
    };
  });
}

function redisDocument(cluster: ClusterSource): JsonObject | null {
  const redis = cluster.redis?.();
  if (redis === undefined) return null;
  const { maxmemoryPolicy, membershipAgeMillis } = redis;
  return {
    maxmemoryPolicy: maxmemoryPolicy ?? null,
    isSafe: maxmemoryPolicy === undefined ? null : maxmemoryPolicy === 'noeviction',
    membershipAgeMillis: Number.isFinite(membershipAgeMillis) ? Math.round(membershipAgeMillis) : null,
  };
}
