import type { Clock } from '../../src/ports/clock.ts';
import { QueueUnavailable } from '../../src/ports/queue.ts';
import type {
  Held,
  Heartbeat,
  Member,
  Renewed,
  Ring,
  Shard,
  ShardClaimReply,
  ShardClaimEachRequest,
  ShardClaimRequest,
  ShardEnding,
  ShardItem,
  ShardPart,
  ShardQueue,
  ShardQueueListener,
  ShardRenewal,
} from '../../src/ports/shard-queue.ts';
import { ShardMemory } from './shard-memory.ts';

/** The kinds of commands that {@link ShardQueueServer.commands} counts. */
type CommandKind = Exclude<keyof ShardQueue, 'open' | 'close' | 'serverNow' | 'incarnationOf'>;

/**
 * A shared queue server in memory, for simulations and tests of several processes in one: the counterpart of Redis.
 *
 * Every step completes synchronously, rings included, without randomness or timers. Leases and due times follow the
 * server's own clock, which {@link ShardQueueServer.skewMillis} offsets from that of the processes. The methods for
 * faults imitate what operators and crashes do to real servers.
 */
export class ShardQueueServer {
  readonly #clock: Clock;
  readonly #shards = new Map<string, { readonly shard: Shard; readonly memory: ShardMemory }>();
  readonly #members = new Map<string, { beatAt: number; info: string }>();
  /** The store of the members, and the time of the latest heartbeat that named it. */
  #store: { readonly name: string; readonly at: number } | undefined;
  readonly #connections = new Map<
    MemoryShardQueue,
    { readonly member: string; readonly listener: ShardQueueListener }
  >();
  readonly #commands = new Map<CommandKind, number>();
  #run = 1;
  #isUp = true;
  /** How far the server's clock is ahead of the processes', in milliseconds; may be negative and may change. */
  skewMillis = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection for one process. */
  connect(): ShardQueue {
    return new MemoryShardQueue(this);
  }

  /** The shard counts for which the server holds data. */
  get shardCounts(): readonly number[] {
    return [...new Set([...this.#shards.values()].map(({ shard }) => shard.count))];
  }

  /** Number of commands of each kind since the start, without those that failed because the server was down. */
  get commands(): ReadonlyMap<CommandKind, number> {
    return this.#commands;
  }

  /** Removes all data, markers and members included, as `FLUSHALL` does. Connections and incarnation stay. */
  wipe(): void {
    this.#shards.clear();
    this.#members.clear();
  }

  /** Removes one shard, its marker included. */
  wipeShard(shard: Shard): void {
    this.#shards.delete(nameOf(shard));
  }

  /** Removes ids, in flight or not. Markers stay, so only a comparison with the store reveals the loss. */
  lose(isLost: (id: string, shard: Shard) => boolean): void {
    for (const { shard, memory } of this.#shards.values()) memory.lose((id) => isLost(id, shard));
  }

  /** Loses one part of a shard, like a server that evicts keys. */
  loseKey(shard: Shard, part: ShardPart): void {
    this.#memoryOf(shard).losePart(part);
  }

  /** Removes all members, or only their infos (`infos`), until each member's next heartbeat. */
  loseMembers(part: 'members' | 'infos' = 'members'): void {
    if (part === 'members') this.#members.clear();
    else for (const member of this.#members.values()) member.info = '{}';
  }

  /** Makes every command throw until {@link ShardQueueServer.restart}. */
  stop(): void {
    this.#isUp = false;
  }

  /** Starts again under another incarnation, without data unless `keepsData`, and notifies the connections. */
  restart(keepsData: boolean = false): void {
    if (!keepsData) this.wipe();
    this.#run++;
    this.#isUp = true;
    for (const { listener } of this.#connections.values()) listener.changed();
  }

  /** The server's clock, in ms since 1970. */
  now(): number {
    return this.#clock.now() + this.skewMillis;
  }

  /** The name of this run. */
  get incarnation(): string {
    return `run-${String(this.#run)}`;
  }

  /** The state of a shard for one command, which it counts. Only connections call it. */
  shard(kind: CommandKind, shard: Shard): ShardMemory {
    this.#admit(kind);
    return this.#memoryOf(shard);
  }

  /** {@link ShardQueue.drop}. */
  drop(shard: Shard): void {
    this.#admit('drop');
    this.wipeShard(shard);
  }

  /** {@link ShardQueue.count}. */
  count(shards: readonly Shard[]): { readonly ready: number; readonly inFlight: number } {
    this.#admit('count');
    let ready = 0;
    let inFlight = 0;
    for (const shard of shards) {
      const memory = this.#memoryOf(shard);
      ready += memory.ready;
      inFlight += memory.inFlight;
    }
    return { ready, inFlight };
  }

  /** {@link ShardQueue.open}. */
  join(connection: MemoryShardQueue, member: string, listener: ShardQueueListener): void {
    this.#connections.set(connection, { member, listener });
  }

  /** {@link ShardQueue.close}. */
  part(connection: MemoryShardQueue): void {
    this.#connections.delete(connection);
  }

  /** {@link ShardQueue.heartbeat}. */
  heartbeat(connection: MemoryShardQueue, info: string, ttlMillis: number, store: string): Heartbeat {
    this.#admit('heartbeat');
    const now = this.now();
    const member = this.#memberOf(connection);
    const beatAt = this.#members.get(member)?.beatAt ?? -Infinity;
    const owner = this.#store;
    const isForeign = store !== '' && owner !== undefined && owner.name !== store && now - owner.at <= ttlMillis;
    if (!isForeign) {
      this.#members.set(member, { beatAt: now, info });
      if (store !== '') this.#store = { name: store, at: now };
    }
    const members: Member[] = [];
    for (const [id, { beatAt, info }] of this.#members) {
      const ageMillis = Math.max(0, now - beatAt);
      if (ageMillis > ttlMillis) this.#members.delete(id);
      else members.push({ id, ageMillis, info });
    }
    members.sort((a, b) => (a.id < b.id ? -1 : 1));
    return { members, joined: !isForeign && now - beatAt > ttlMillis, isForeign };
  }

  /** {@link ShardQueue.leave}. */
  leave(connection: MemoryShardQueue): void {
    this.#admit('leave');
    this.#members.delete(this.#memberOf(connection));
    if (this.#members.size === 0) this.#store = undefined;
  }

  /** {@link ShardQueue.ring}. */
  ring(member: string, ring: Ring): void {
    this.#admit('ring');
    for (const connection of this.#connections.values()) {
      if (connection.member === member) connection.listener.rung(ring);
    }
  }

  #admit(kind: CommandKind): void {
    if (!this.#isUp) throw new QueueUnavailable(`The queue server is down (${kind}).`);
    this.#commands.set(kind, (this.#commands.get(kind) ?? 0) + 1);
  }

  #memoryOf(shard: Shard): ShardMemory {
    const name = nameOf(shard);
    let known = this.#shards.get(name);
    if (known === undefined) {
      known = { shard, memory: new ShardMemory() };
      this.#shards.set(name, known);
    }
    return known.memory;
  }

  #memberOf(connection: MemoryShardQueue): string {
    return this.#connections.get(connection)?.member ?? '';
  }
}

function nameOf({ count, index }: Shard): string {
  return `${String(count)}/${String(index)}`;
}

/** The connection of one process to the server. Before `open` and after `close` every command throws. */
class MemoryShardQueue implements ShardQueue {
  readonly #server: ShardQueueServer;
  #isOpen = false;

  constructor(server: ShardQueueServer) {
    this.#server = server;
  }

  open(member: string, listener: ShardQueueListener): Promise<void> {
    this.#isOpen = true;
    this.#server.join(this, member, listener);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isOpen = false;
    this.#server.part(this);
    return Promise.resolve();
  }

  serverNow(): number {
    return this.#server.now();
  }

  incarnationOf(_shard: Shard): string | undefined {
    return this.#isOpen ? this.#server.incarnation : undefined;
  }

  claim(shard: Shard, request: ShardClaimRequest): Promise<ShardClaimReply> {
    return this.#do((server) => server.shard('claim', shard).claim(request, server.now()));
  }

  claimEach(
    shard: Shard,
    ids: readonly string[],
    request: ShardClaimEachRequest,
  ): Promise<readonly boolean[] | 'unmarked'> {
    return this.#do((server) => server.shard('claimEach', shard).claimEach(ids, request, server.now()));
  }

  enqueue(shard: Shard, items: readonly ShardItem[]): Promise<readonly Held[]> {
    return this.#do((server) => server.shard('enqueue', shard).enqueue(items, server.now()));
  }

  finish(shard: Shard, endings: readonly ShardEnding[]): Promise<number> {
    return this.#do((server) => server.shard('finish', shard).finish(endings, server.now()));
  }

  renew(
    shard: Shard,
    process: string,
    held: readonly Renewed[],
    leaseMillis: number,
    orphansBelow: number,
  ): Promise<ShardRenewal> {
    return this.#do((server) =>
      server.shard('renew', shard).renew(process, held, leaseMillis, orphansBelow, server.now()),
    );
  }

  restore(shard: Shard, items: readonly ShardItem[], restMillis = 0): Promise<readonly string[]> {
    return this.#do((server) => server.shard('restore', shard).restore(items, server.now(), restMillis));
  }

  restoreHeld(shard: Shard, items: readonly ShardItem[], leaseMillis: number): Promise<readonly string[]> {
    return this.#do((server) => server.shard('restoreHeld', shard).restoreHeld(items, leaseMillis, server.now()));
  }

  mark(shard: Shard, incarnation: string, restMillis = 0): Promise<void> {
    return this.#do((server) => {
      server.shard('mark', shard).mark(incarnation, server.now(), restMillis);
    });
  }

  drop(shard: Shard): Promise<void> {
    return this.#do((server) => {
      server.drop(shard);
    });
  }

  count(shards: readonly Shard[]): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#do((server) => server.count(shards));
  }

  heartbeat(info: string, ttlMillis: number, store = ''): Promise<Heartbeat> {
    return this.#do((server) => server.heartbeat(this, info, ttlMillis, store));
  }

  leave(): Promise<void> {
    return this.#do((server) => {
      server.leave(this);
    });
  }

  ring(member: string, ring: Ring): Promise<void> {
    return this.#do((server) => {
      server.ring(member, ring);
    });
  }

  async #do<T>(command: (server: ShardQueueServer) => T): Promise<T> {
    if (!this.#isOpen) throw new QueueUnavailable('The queue is closed.');
    return command(this.#server);
  }
}
