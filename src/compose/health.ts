/** What probes, metrics and `/cluster` read of a server. */
import type { ClusterSource, DatabaseView, LoadView, PodView } from '../app/queries/cluster-source.ts';
import type { Config } from '../config/config.ts';
import type { Gatekeeper } from '../engine/call/gate/gatekeeper.ts';
import type { Engine } from '../engine/engine.ts';
import type { MemberLoad } from '../engine/queue/sharding/member-info.ts';
import type { ShardedQueue } from '../engine/queue/sharding/sharded-queue.ts';
import type { Maintenance } from '../engine/upkeep/maintenance.ts';
import type { PlanCache } from '../engine/worker/plan-cache.ts';
import type { Clock } from '../ports/clock.ts';
import { type Store, StoreUnavailable } from '../ports/store.ts';
import { createStoreGauges } from '../telemetry/gauges.ts';
import type { GaugeReadings, PrometheusTelemetry } from '../telemetry/prometheus-telemetry.ts';
import type { QueueChoice } from './backends.ts';
import type { TlsRenewal } from './tls/tls-renewal.ts';

/** Reasons that keep a process from working, but not from serving the API. */
const workerReasons: ReadonlySet<string> = new Set([
  'consumer_stalled',
  'redis_unreachable',
  'membership_stale',
  'pod_id_conflict',
]);

/** What `/healthz` and `/readyz` answer, at every stage of a start and a stop. */
export class ServerHealth {
  /** True once the start is complete. */
  isReady = false;
  /** The `maxmemory-policy` of Redis; undefined while it is not known. */
  maxmemoryPolicy: string | undefined;
  readonly #runtime: Config['runtime'];
  readonly #parts: { readonly engine?: Engine; readonly maintenance?: Maintenance };

  /** A start adds to `parts` later. */
  constructor(runtime: Config['runtime'], parts: { readonly engine?: Engine; readonly maintenance?: Maintenance }) {
    this.#runtime = runtime;
    this.#parts = parts;
  }

  /** Sentences about stalled loops; none while the process is alive. */
  live(): readonly string[] {
    const { engine, maintenance } = this.#parts;
    const health = engine?.health();
    const problems = health === undefined || health.alive ? [] : [`Stalled: ${health.stalled.join(', ')}.`];
    if ((maintenance?.stalledMillis ?? 0) > this.#runtime.livenessStallMillis) problems.push('Stalled: retention.');
    return problems;
  }

  /** Reasons why the process is not ready; none when it is. A process that runs nothing needs no queue. */
  ready(scope: 'all' | 'api'): readonly string[] {
    const { engine } = this.#parts;
    // Between listening and the start of the engine there is no problem, but the process is not ready.
    const unready = engine === undefined || !this.isReady ? (['consumer_stalled'] as const) : engine.health().unready;
    const needsWorkers = scope === 'all' && this.#runtime.enabled;
    return needsWorkers ? unready : unready.filter((reason) => !workerReasons.has(reason));
  }
}

/** Sources of gauge values. */
export interface GaugeSources {
  readonly config: Config;
  readonly telemetry: PrometheusTelemetry;
  readonly store: Store;
  readonly clock: Clock;
  readonly plans: PlanCache;
  readonly choice: QueueChoice;
  readonly engine: Engine;
  readonly gate: Gatekeeper;
  readonly renewal: TlsRenewal;
  readonly health: ServerHealth;
  /** Ids of the live keys of callback tokens. */
  readonly kids: readonly string[];
}

/** Lets the telemetry read the gauges of this process and of the store at every scrape. */
export function readGauges(sources: GaugeSources): void {
  const { store, clock, plans, choice, engine, gate, renewal, health, kids } = sources;
  const { queue, cluster } = choice;
  const { requestTimeoutMillis, maxTimeoutMillis } = sources.config.http;
  const readStore = createStoreGauges({
    store,
    clock,
    plans,
    kids,
    requestTimeoutMillis,
    maxTimeoutMillis,
    storeAnswers: () => engine.storeAnswers,
    running: () => engine.running(),
    isOfAnother: (claim) => engine.isOfAnother(claim),
    shards: () => queue.owned,
  });
  sources.telemetry.readGaugesFrom(async () => {
    const [size, readings] = await Promise.all([
      // During an outage of Redis or of the store the other gauges matter most.
      queue.size().catch(() => undefined),
      readStore().catch(() => undefined),
    ]);
    const own = {
      queueSize: size === undefined ? undefined : size.ready + size.inFlight,
      load: engine.load(),
      isDatabaseUp: engine.storeAnswers,
      ...(store.connectionCounts === undefined ? {} : { connections: store.connectionCounts }),
      gate: gateReadings(gate),
      staleTls: renewal.stale,
      ...(cluster === undefined ? {} : { cluster: clusterReadings(cluster, health.maxmemoryPolicy) }),
    };
    return readings === undefined ? own : { ...own, store: readings };
  });
}

/** The part of an engine's load that the other processes see. */
type EngineLoad = Pick<ReturnType<Engine['load']>, 'places' | 'bytes' | 'maxBytes'>;

/** Sources of what `/cluster` shows. */
export interface ClusterParts {
  readonly store: Pick<Store, 'ping'>;
  readonly config: Config;
  readonly version: string;
  readonly choice: QueueChoice;
  readonly gate: Gatekeeper;
  /** The load of this process. */
  readonly load: () => MemberLoad;
  /** The `maxmemory-policy` of Redis; undefined while it is not known. */
  readonly policy: () => string | undefined;
}

/** The load of a process, for the others; `runs` is false where it only serves the API. */
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

/** Describes this process and, with a shared queue, the other members of the cluster. */
export function createClusterSource(parts: ClusterParts): ClusterSource {
  const { config, gate, choice } = parts;
  const { queue, cluster } = choice;
  const circuits = (): ReturnType<ClusterSource['circuits']> => gate.circuits();
  const database = (): Promise<DatabaseView> => pinged(parts);
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
      database,
    };
  }
  return {
    circuits,
    database,
    pods: () => {
      const shards = cluster.shardCounts;
      return cluster.members.map((member) => ({
        id: member.podId,
        version: member.version,
        works: member.works,
        heartbeatAgeMillis: member.ageMillis + ageOf(cluster.membershipAgeMillis),
        ownedShards: shards.get(member.id) ?? 0,
        // This process knows its own load better than its latest heartbeat does.
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

/** Asks the database for an answer that it can give only if it takes writes. */
async function pinged({ config, store }: Pick<ClusterParts, 'config' | 'store'>): Promise<DatabaseView> {
  const driver = config.database.driver === 'POSTGRES' ? 'postgres' : 'sqlite';
  const begun = performance.now();
  const told = (fields: Pick<DatabaseView, 'ok' | 'readOnly'>): DatabaseView => ({
    driver,
    ...fields,
    latencyMs: Math.round((performance.now() - begun) * 10) / 10,
  });
  try {
    await store.ping();
    return told({ ok: true, readOnly: false });
  } catch (error) {
    return told({ ok: false, readOnly: error instanceof StoreUnavailable && error.kind === 'read_only' });
  }
}
