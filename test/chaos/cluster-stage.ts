import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import { freePorts } from '../servers/free-ports.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisCluster } from '../servers/redis-cluster.ts';
import { RedisServer } from '../servers/redis.ts';
import { Pod } from './pod.ts';
import { Wires } from './wires.ts';

const pollMillis = 25;

/** Leases and heartbeats as short as the configuration reasonably allows, so that a file of tests takes seconds. */
export const shortTimes: Readonly<Record<string, string>> = {
  REDIS_QUEUE_CONSUMER_PROCESSINGTIMEOUTMILLIS: '3000',
  REDIS_SHARDING_MEMBERSHIPTTLMILLIS: '3000',
  REDIS_SHARDING_HEARTBEATINTERVALMILLIS: '900',
  REDIS_SHARDING_REFRESHINTERVALMILLIS: '900',
};

/** What a stage is made of. */
export interface StageOptions {
  readonly redis: 'standalone' | 'cluster' | 'none';
  /** Settings of all pods. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * What a chaos test plays on: a real Postgres, a real Redis (one server, a cluster of six, or none), a downstream that keeps a
 * ledger, and pods as processes of their own. One stage serves all tests of a file.
 */
export class ClusterStage {
  readonly #options: StageOptions;
  readonly #pods = new Map<string, Pod>();
  readonly #wires = new Map<string, Wires>();
  #postgres: PostgresServer | undefined;
  #redis: RedisServer | undefined;
  #cluster: RedisCluster | undefined;
  #database = '';
  #turn = 0;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  get postgres(): PostgresServer {
    return present(this.#postgres);
  }

  /** The one server; throws on a cluster. */
  get redis(): RedisServer {
    return present(this.#redis);
  }

  get cluster(): RedisCluster {
    return present(this.#cluster);
  }

  /** Starts the servers, and no pod. */
  async open(): Promise<void> {
    const { redis } = this.#options;
    await Promise.all([
      (async () => {
        this.#postgres = await PostgresServer.create();
        this.#database = await this.#postgres.createDatabase();
      })(),
      (async () => {
        if (redis === 'standalone') this.#redis = await RedisServer.start();
        if (redis === 'cluster') this.#cluster = await RedisCluster.start();
      })(),
    ]);
  }

  /** Ends everything; none of it is left, however far {@link ClusterStage.open} came. */
  async close(): Promise<void> {
    const running = [...this.#pods.values()].filter((pod) => pod.isRunning);
    await Promise.all(running.map((pod) => pod.kill()));
    await Promise.all([...this.#wires.values()].map((wires) => wires.close()));
    await Promise.all([this.#postgres?.remove(), this.#redis?.close(), this.#cluster?.close()]);
  }

  /** Settings that lead a pod to this stage's servers. */
  get env(): Readonly<Record<string, string>> {
    const redis: Record<string, string> =
      this.#cluster !== undefined
        ? { REDIS_CLUSTER_NODES: this.#cluster.seeds.map(({ host, port }) => `${host}:${String(port)}`).join() }
        : this.#redis !== undefined
          ? { REDIS_URL: `redis://127.0.0.1:${String(this.#redis.port)}` }
          : {};
    return {
      DATABASE_URL: this.postgres.url(this.#database),
      DATABASE_POOL_MAXPOOLSIZE: '5',
      ...redis,
      ...this.#options.env,
    };
  }

  /** Runs a statement in the database of the pods. */
  async sql(statement: string): Promise<void> {
    await this.postgres.query(statement, this.#database);
  }

  /** Ends the session that holds the lock of the sole worker, as a server does that gives up on a client. */
  async endLock(): Promise<void> {
    await this.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted");
  }

  /** A pod of this name: the same one again, or a new one that has not been started. */
  async pod(podId: string, env: Readonly<Record<string, string>> = {}): Promise<Pod> {
    const known = this.#pods.get(podId);
    if (known !== undefined) return known;
    const [port = 0] = await freePorts(1);
    const pod = new Pod(podId, port, { ...this.env, ...env });
    this.#pods.set(podId, pod);
    return pod;
  }

  /** A pod of this name that has ways of its own to the servers, and those ways: the same again, or a new one, not started. */
  async wiredPod(
    podId: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly pod: Pod; readonly wires: Wires }> {
    let wires = this.#wires.get(podId);
    if (wires === undefined) {
      const queuePorts = this.#cluster?.seeds.map(({ port }) => port) ?? (this.#redis ? [this.#redis.port] : []);
      wires = await Wires.lay(this.postgres.port, queuePorts);
      this.#wires.set(podId, wires);
    }
    return { pod: await this.pod(podId, { ...wires.env, ...env }), wires };
  }

  /** Starts pods of these names at once, those that run already left as they are; resolves when all are ready. */
  async start(...podIds: readonly string[]): Promise<readonly Pod[]> {
    const pods = await Promise.all(podIds.map((podId) => this.pod(podId)));
    await Promise.all(pods.filter((pod) => !pod.isRunning).map((pod) => pod.start()));
    return pods;
  }

  /** Pods that clients may use. */
  get inService(): readonly Pod[] {
    return [...this.#pods.values()].filter((pod) => pod.isInService);
  }

  /** One of them after the other; throws while there is none. */
  next(): Pod {
    const pods = this.inService;
    const pod = pods[this.#turn++ % pods.length];
    if (pod === undefined) throw new Error('No pod is in service.');
    return pod;
  }

  /** Keys in Redis that are not there for good: neither marks of shards nor the list of members. */
  async keysLeft(): Promise<readonly string[]> {
    const servers = this.#cluster?.nodes ?? [this.redis];
    const keys = await Promise.all(servers.filter((server) => server.isRunning).map(({ admin }) => admin.keys('*')));
    const isKept = /:marker$|:pods$|:pods\}:(?:info|store)$|:bell:/;
    return [...new Set(keys.flat())].filter((key) => !isKept.test(key)).toSorted();
  }
}

function present<T>(server: T | undefined): T {
  if (server === undefined) throw new Error('This stage has no such server, or is not open.');
  return server;
}

/** Waits until it holds, asking again and again; an error is an answer of no. The deadline is the test's. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (;;) {
    try {
      if (await holds()) return;
    } catch {
      // The pod that is asked may be away: that is what these tests are about.
    }
    await pause(pollMillis);
  }
}

/** Has something done when a test has ended: `onTestFinished` of vitest, or that of one of several tests under way. */
export type OnFinished = (then: () => Promise<void>) => void;

/** A stage that is open while the tests of this file run. */
export function openClusterStage(options: StageOptions): ClusterStage {
  const stage = new ClusterStage(options);
  beforeAll(() => stage.open());
  afterAll(() => stage.close());
  return stage;
}

/** Two stages of one kind, for tests that wait most of their time and therefore run beside each other. */
export function openTwoStages(options: StageOptions): readonly [ClusterStage, ClusterStage] {
  const stages = [new ClusterStage(options), new ClusterStage(options)] as const;
  beforeAll(() => Promise.all(stages.map((stage) => stage.open())));
  afterAll(() => Promise.all(stages.map((stage) => stage.close())));
  return stages;
}
