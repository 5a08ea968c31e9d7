import type { Redis } from 'ioredis';

/** Interval at which the watch sends `INFO` to every primary, in ms. */
const watchMillis = 2000;

/** Interval at which the watch reads the `maxmemory-policy` of every primary, in ms. */
const policyMillis = 60_000;

/** An answer within this time gives a good estimate of the server's clock, in ms. */
const quickMillis = 200;

/** How long a good estimate of a clock is preferred to one from a slow answer, in ms. */
const estimateMillis = 10_000;

/** The only `maxmemory-policy` under which Redis never evicts keys. */
const safePolicy = 'noeviction';

/** The first version whose replicas refuse scripts that may write (`#!lua`). */
const oldestMajor = 7;

/** A connection to a server. */
export type WatchedServer = Pick<Redis, 'status' | 'info'>;

interface Known {
  readonly runId: string;
  /** Its clock minus `performance.now()`, in ms. */
  offset: number;
  offsetAt: number;
  policy: string | undefined;
  policyAt: number;
}

/** Events for the owner of a watch. */
export interface WatchListener {
  /** A primary answered for the first time, or again after a loss, or runs under another id. */
  changed(): void;
  /** A primary cannot be used. */
  failed(error: Error): void;
  /** A server that was considered a primary reports another role. */
  demoted(): void;
  /** The `maxmemory-policy` of a primary changed; undefined where the primary does not report it. */
  policy(policy: string | undefined): void;
}

/**
 * Watches the primaries: the run of each server (`run_id` changes with every start, `master_replid` with every
 * promotion of a replica, also of a former primary), the offset of its clock, and whether it may evict keys.
 *
 * The watch queries each primary every {@link watchMillis}, and at once when the primary becomes available again or
 * serves other slots. It forgets a server when the connection is lost, so that no claim goes to a server that has
 * restarted with old data. `FLUSHALL` does not change the run, but removes the markers of the shards.
 */
export class ServerWatch {
  readonly #link: { primaries(): readonly WatchedServer[] };
  readonly #listener: WatchListener;
  readonly #known = new Map<WatchedServer, Known>();
  readonly #asking = new Set<WatchedServer>();
  #timer: NodeJS.Timeout | undefined;
  #latest: Known | undefined;
  #policy: string | undefined;

  constructor(link: { primaries(): readonly WatchedServer[] }, listener: WatchListener) {
    this.#link = link;
    this.#listener = listener;
  }

  /** Starts the queries. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#ask(true);
    }, watchMillis);
  }

  /** Stops; a second call does nothing. */
  stop(): void {
    clearInterval(this.#timer);
    this.#known.clear();
  }

  /** Queries the primaries whose data is not known. Call it when a server becomes available. */
  look(): void {
    this.#ask(false);
  }

  /** Forgets a server that is no longer available. */
  forget(node: WatchedServer): void {
    this.#known.delete(node);
  }

  /** The name of the server's run; undefined while it is not known. */
  runOf(node: WatchedServer | undefined): string | undefined {
    return node === undefined ? undefined : this.#known.get(node)?.runId;
  }

  /** Whether the run of every primary is known. */
  get isComplete(): boolean {
    const primaries = this.#link.primaries();
    return primaries.length > 0 && primaries.every((node) => this.#known.has(node));
  }

  /**
   * The present time of a server's clock, in ms since 1970. Without a node: that of the server that answered last, or
   * of this process before the first answer.
   */
  now(node?: WatchedServer): number {
    const known = (node && this.#known.get(node)) ?? this.#latest;
    return known === undefined ? Date.now() : Math.round(performance.now() + known.offset);
  }

  /** The `maxmemory-policy` as last seen, an unsafe one if the primaries differ; undefined while none is known. */
  get policy(): string | undefined {
    return this.#policy;
  }

  #ask(all: boolean): void {
    for (const node of this.#link.primaries()) {
      if (node.status !== 'ready' || this.#asking.has(node) || (!all && this.#known.has(node))) continue;
      this.#asking.add(node);
      void this.#askOne(node).finally(() => this.#asking.delete(node));
    }
  }

  /** Ignores a failed query: other code notices a lost connection, and otherwise the next round repeats the query. */
  async #askOne(node: WatchedServer): Promise<void> {
    const sentAt = performance.now();
    const asksPolicy = sentAt - (this.#known.get(node)?.policyAt ?? -Infinity) > policyMillis;
    const answer = await this.#info(node, 'server', 'replication');
    const answeredAt = performance.now();
    const memory = asksPolicy ? await this.#info(node, 'memory') : undefined;
    if (answer === undefined || node.status !== 'ready') return;
    if (answer.get('role') !== 'master') {
      this.forget(node);
      this.#listener.demoted();
      return;
    }
    const version = answer.get('redis_version') ?? 'unknown';
    if (!(Number.parseInt(version, 10) >= oldestMajor)) {
      this.forget(node);
      const wanted = `Redis ${String(oldestMajor)}.0 or newer is needed`;
      this.#listener.failed(new Error(`${wanted}, and a server says that it is ${version}.`));
      return;
    }
    const runId = `${answer.get('run_id') ?? ''}:${answer.get('master_replid') ?? ''}`;
    const micros = Number(answer.get('server_time_usec'));

    const before = this.#known.get(node);
    const offset = micros / 1000 - (sentAt + answeredAt) / 2;
    const isBetter =
      before === undefined || answeredAt - sentAt <= quickMillis || answeredAt - before.offsetAt > estimateMillis;
    const known: Known = {
      runId,
      offset: isBetter ? offset : before.offset,
      offsetAt: isBetter ? answeredAt : before.offsetAt,
      policy: memory?.get('maxmemory_policy') ?? before?.policy,
      policyAt: asksPolicy && memory !== undefined ? answeredAt : (before?.policyAt ?? -Infinity),
    };
    this.#known.set(node, known);
    this.#latest = known;
    this.#judgePolicies(memory !== undefined);
    if (before?.runId !== runId) this.#listener.changed();
  }

  async #info(node: WatchedServer, ...sections: string[]): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const lines = (await node.info(...sections)).split('\r\n');
      return new Map(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 1)];
        }),
      );
    } catch {
      return undefined;
    }
  }

  #judgePolicies(isNews: boolean): void {
    if (!isNews) return;
    const policies = [...this.#known.values()].map(({ policy }) => policy);
    const policy = policies.find((each) => each !== undefined && each !== safePolicy) ?? policies.find(Boolean);
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.#listener.policy(policy);
  }
}
