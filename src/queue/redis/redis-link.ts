import { Cluster, type Redis } from 'ioredis';
import { QueueUnavailable } from '../../ports/queue.ts';
import { clusterClient, standaloneClient } from './connect.ts';
import type { Keys } from './keyspace.ts';
import { isUnknownScript, type Scripted, type ScriptName, textOf } from './scripts.ts';
import type { RedisAddress, RedisSettings } from './settings.ts';

/** Interval of the checks of a cluster's connections, in ms. */
const superviseMillis = 500;

/** Time without a reachable primary after which the link reconnects from the seeds, in ms. */
const lostMillis = 5000;

/** How long the map of slots is doubtful after an error, in ms. */
const doubtMillis = 5000;

/** Interval at which the link reads the map of slots while nothing is wrong, in ms. */
const calmRefreshMillis = 60_000;

/** Events for the owner of a link. */
export interface LinkListener {
  /** A server is available, for the first time or again. */
  ready(node: Redis): void;
  /** A server is no longer available. */
  lost(node: Redis): void;
  /** Another server now serves some slots. */
  moved(): void;
  /** A connection failed. */
  failed(error: Error): void;
}

/**
 * The connections of one process to the Redis servers, standalone or cluster. The link knows which primary serves a
 * slot and whether it is connected, and sends commands to it.
 *
 * The link sends a command only while the primary of its slot is connected, and otherwise refuses it at once. All
 * commands to one server within a turn of the event loop leave in one write.
 *
 * In a cluster a supervisor checks the connections every {@link superviseMillis}, without sending commands while all is
 * well. It reads the map of slots again while something is wrong. When it has reached no primary for
 * {@link lostMillis}, it reconnects from the seeds, because all addresses may have changed.
 */
export class RedisLink {
  readonly #settings: RedisSettings;
  readonly #listener: LinkListener;
  #client: Redis | Cluster | undefined;
  /** All nodes of a cluster by `host:port`, replicas included. */
  readonly #nodes = new Map<string, Redis>();
  /** The primary of each slot, as of the latest reading of the map. */
  #owners: readonly (string | undefined)[] = [];
  readonly #corked = new Set<Redis['stream']>();
  #timer: NodeJS.Timeout | undefined;
  #lastError: Error | undefined;
  #lastReachedAt = 0;
  #lastRefreshAt = 0;
  #lastErrorAt = -Infinity;

  constructor(settings: RedisSettings, listener: LinkListener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  /** Starts to connect; returns at once. */
  open(): void {
    this.#lastReachedAt = performance.now();
    this.#connect();
    if (this.#settings.servers.topology === 'cluster') {
      this.#timer = setInterval(() => {
        this.#supervise();
      }, superviseMillis);
    }
  }

  /** Disconnects and rejects commands in flight. A second call does nothing. */
  close(): void {
    clearInterval(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    this.#nodes.clear();
    client?.disconnect();
  }

  /** The known primaries, connected or not. */
  primaries(): readonly Redis[] {
    const client = this.#client;
    if (client === undefined) return [];
    return client instanceof Cluster ? client.nodes('master') : [client];
  }

  /** The primary that serves the slot, connected or not. */
  primaryOf(slot: number): Redis | undefined {
    const client = this.#client;
    if (!(client instanceof Cluster)) return client;
    const [primary] = client.slots[slot] ?? [];
    return primary === undefined ? undefined : this.#nodes.get(primary);
  }

  /** Whether at least one primary is known and all known primaries are available. */
  get isReady(): boolean {
    const client = this.#client;
    if (client?.status !== 'ready') return false;
    const primaries = this.primaries();
    return primaries.length > 0 && primaries.every((node) => node.status === 'ready');
  }

  /** Reports an event that may mean a changed map of slots: for a few seconds the link reads the map more often. */
  doubt(): void {
    this.#lastErrorAt = performance.now();
  }

  /** The address of a node. */
  addressOf(node: Redis): RedisAddress {
    return { host: node.options.host ?? '127.0.0.1', port: node.options.port ?? 6379 };
  }

  /** Runs a script on keys of one slot. Throws {@link QueueUnavailable} that names the operation. */
  run<Names extends string>(
    operation: string,
    script: ScriptName,
    keys: Keys<Names>,
    names: readonly Names[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.runOn(operation, keys.slot, script, [...names.map((name) => keys.names[name]), ...args]);
  }

  /** Runs a script on a slot with its keys and arguments, as {@link Scripted} takes them. */
  async runOn(
    operation: string,
    slot: number,
    script: ScriptName,
    values: readonly (string | number)[],
  ): Promise<unknown> {
    const client = this.#clientFor(operation, slot);
    try {
      return await (client as unknown as Scripted)[script](...values);
    } catch (error) {
      if (!isUnknownScript(error)) throw this.#failure(operation, error);
    }
    // ioredis sends the text of a script once per connection, but a server that refuses that command (MOVED, ASK,
    // TRYAGAIN during a migration) does not cache the text. The script has not run, so EVAL with the text is safe.
    return await this.command(operation, slot, (present) => present.eval(...textOf(script, values)));
  }

  /** Runs a plain command on one slot. The command must write, because a replica might answer a read. */
  async command<T>(operation: string, slot: number, send: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    const client = this.#clientFor(operation, slot);
    try {
      return await send(client);
    } catch (error) {
      throw this.#failure(operation, error);
    }
  }

  /** The client, if the primary of the slot is connected. Commands of this turn leave in one write. */
  #clientFor(operation: string, slot: number): Redis | Cluster {
    const client = this.#client;
    const node = this.primaryOf(slot);
    if (client?.status !== 'ready' || node?.status !== 'ready') {
      const cause = this.#lastError;
      throw new QueueUnavailable(`Redis does not answer (${operation}): ${cause?.message ?? 'not connected'}`, {
        cause,
      });
    }
    this.#cork(node.stream);
    return client;
  }

  #failure(operation: string, error: unknown): QueueUnavailable {
    this.doubt();
    const message = error instanceof Error ? error.message : String(error);
    return new QueueUnavailable(`Redis failed (${operation}): ${message}`, { cause: error });
  }

  /** Buffers writes to a server until the end of this turn. */
  #cork(stream: Redis['stream']): void {
    if (this.#corked.has(stream)) return;
    if (this.#corked.size === 0) {
      process.nextTick(() => {
        for (const corked of this.#corked) corked.uncork();
        this.#corked.clear();
      });
    }
    stream.cork();
    this.#corked.add(stream);
  }

  #connect(): void {
    const { servers } = this.#settings;
    if (servers.topology === 'standalone') {
      const client = standaloneClient(this.#settings, servers.address, servers.database);
      this.#client = client;
      this.#follow(client);
      this.#start(client);
      return;
    }
    const client = clusterClient(this.#settings, servers.seeds);
    this.#client = client;
    const isCurrent = () => this.#client === client;
    client.on('+node', (node: Redis) => {
      if (!isCurrent()) return;
      this.#nodes.set(this.#nameOf(node), node);
      this.#follow(node);
      if (client.status === 'ready') this.#warm();
    });
    client.on('-node', (node: Redis) => {
      const name = this.#nameOf(node);
      if (this.#nodes.get(name) !== node) return;
      this.#nodes.delete(name);
      this.#listener.lost(node);
    });
    client.on('ready', () => {
      if (isCurrent()) this.#warm();
    });
    client.on('refresh', () => {
      if (!isCurrent()) return;
      this.#lastRefreshAt = performance.now();
      this.#compareOwners(client);
    });
    client.on('error', (error: Error) => {
      if (isCurrent()) this.#failed(error);
    });
    client.on('node error', (error: Error) => {
      if (isCurrent()) this.#failed(error);
    });
    this.#start(client);
  }

  #compareOwners(client: Cluster): void {
    const before = this.#owners;
    this.#owners = client.slots.map(([primary]) => primary);
    if (this.#owners.length !== before.length || this.#owners.some((primary, slot) => primary !== before[slot])) {
      this.#listener.moved();
    }
  }

  /** Ignores the promise of `connect`, which may reject or never settle; events report the outcome. */
  #start(client: Redis | Cluster): void {
    client.connect().catch((error: unknown) => {
      if (this.#client === client && error instanceof Error) this.#failed(error);
    });
  }

  #follow(node: Redis): void {
    const isCurrent = () => this.#client === node || this.#nodes.get(this.#nameOf(node)) === node;
    node.on('ready', () => {
      if (!isCurrent()) return;
      this.#lastError = undefined;
      this.#listener.ready(node);
    });
    node.on('close', () => {
      if (isCurrent()) this.#listener.lost(node);
    });
    node.on('error', (error: Error) => {
      if (isCurrent()) this.#failed(error);
    });
  }

  #nameOf(node: Redis): string {
    const { host, port } = this.addressOf(node);
    return `${host}:${String(port)}`;
  }

  /** Connects to the primaries in advance, so that the first command need not wait. */
  #warm(): void {
    for (const node of this.primaries()) if (node.status === 'wait') this.#start(node);
  }

  #failed(error: Error): void {
    // The cluster's own error only reports that all nodes failed; the error of the last node contains the reason.
    const { lastNodeError } = error as { lastNodeError?: Error };
    this.#lastError = this.#explained(lastNodeError ?? error);
    this.doubt();
    this.#listener.failed(this.#lastError);
  }

  #explained(error: Error): Error {
    const why = this.#settings.tls?.explain?.(error);
    return why === undefined ? error : new Error(`${error.message} (${why})`, { cause: error });
  }

  #supervise(): void {
    const client = this.#client;
    if (!(client instanceof Cluster)) return;
    const now = performance.now();
    if (client.status === 'ready') {
      this.#warm();
      if (this.primaries().some((node) => node.status === 'ready')) this.#lastReachedAt = now;
      const isDoubtful = !this.isReady || now - this.#lastErrorAt < doubtMillis;
      if (isDoubtful || now - this.#lastRefreshAt > calmRefreshMillis) {
        client.refreshSlotsCache((error) => {
          if (error instanceof Error) this.#failed(error);
        });
      }
    }
    if (now - this.#lastReachedAt < lostMillis) return;
    this.#lastReachedAt = now;
    for (const node of this.#nodes.values()) this.#listener.lost(node);
    this.#nodes.clear();
    this.#client = undefined;
    client.disconnect();
    this.#connect();
  }
}
