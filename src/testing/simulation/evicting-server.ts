/**
 * The server of a cluster's queue as one that evicts whole keys: a shard is several of them, and each may be lost alone. What
 * then happens is what the scripts for Redis do with the rest.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Shard, ShardQueue } from '../../ports/shard-queue.ts';
import type { ShardQueueServer } from '../../queue/memory/shard-queue-server.ts';

/** Keys of a shard. (The rest after a loss is one, too; the server in memory has no verb for it.) */
export const shardParts = ['claims', 'leases', 'ready', 'mark'] as const;

/** See {@link shardParts}. */
export type ShardPart = (typeof shardParts)[number];

interface Lease {
  readonly token: string;
  readonly end: number;
}

/** What is in flight in one shard. */
interface Flights {
  readonly leases: Map<string, Lease>;
  /** Ids whose lease is lost, and whose claim is not: a claim in the shard finds them. */
  readonly endless: Set<string>;
}

/** See the file header. Every connection must be watched. */
export class EvictingServer {
  readonly #server: ShardQueueServer;
  readonly #clock: Clock;
  readonly #flights = new Map<string, Flights>();
  readonly #connections: ShardQueue[] = [];

  constructor(server: ShardQueueServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** Loses parts of a shard. */
  evict(shard: Shard, parts: ReadonlySet<ShardPart>): void {
    const { leases, endless } = this.#flightsOf(shard);
    const lose = (isLost: (id: string) => boolean): void =>
      this.#server.lose((id, of) => of.count === shard.count && of.index === shard.index && isLost(id));
    const inFlight = this.#inFlight(shard);
    if (parts.has('ready')) lose((id) => !inFlight.has(id));
    if (parts.has('claims')) {
      lose((id) => inFlight.has(id));
      // A lease that is left ends, and the id is ready by that.
      if (!parts.has('leases')) this.#makeReady(shard, inFlight);
      leases.clear();
      endless.clear();
    } else if (parts.has('leases')) {
      for (const id of inFlight.keys()) endless.add(id);
    }
    if (parts.has('mark')) this.#server.shard('mark', shard).marker = undefined;
  }

  /** Loses the members of the cluster. */
  evictMembers(): void {
    for (const connection of this.#connections) void connection.leave().catch(() => undefined);
  }

  /** A connection of which is known what it claims, renews and ends. */
  watch(connection: ShardQueue): ShardQueue {
    this.#connections.push(connection);
    const own: Partial<ShardQueue> = {
      claim: async (shard, request) => {
        this.#endEndless(shard);
        const reply = await connection.claim(shard, request);
        if (reply.kind === 'claimed') {
          for (const { id, token } of reply.claimed) this.#lent(shard, id, token, request.leaseMillis);
        }
        return reply;
      },
      claimOne: async (shard, held, leaseMillis, incarnation) => {
        const reply = await connection.claimOne(shard, held, leaseMillis, incarnation);
        if (reply === 'claimed') this.#lent(shard, held.id, held.token, leaseMillis);
        return reply;
      },
      renew: async (...args) => {
        const [shard, process, held, leaseMillis, orphansBelow] = args;
        const renewal = await connection.renew(...args);
        const { leases } = this.#flightsOf(shard);
        const lost = new Set(lostOf(renewal).map(({ token }) => token));
        for (const { id, token } of held) if (!lost.has(token)) this.#lent(shard, id, token, leaseMillis);
        // Orphans are ready by now.
        for (const [id, { token }] of leases) {
          const isOrphan = token.startsWith(process) && Number(token.slice(process.length)) < orphansBelow;
          if (isOrphan && !held.some((claim) => claim.id === id)) leases.delete(id);
        }
        return renewal;
      },
      finish: async (shard, endings) => {
        const { leases, endless } = this.#flightsOf(shard);
        for (const { id, token } of endings) {
          if (leases.get(id)?.token !== token) continue;
          leases.delete(id);
          endless.delete(id);
        }
        return connection.finish(shard, endings);
      },
    };
    return new Proxy(connection, {
      get(target, name): unknown {
        const method: unknown = Reflect.get(own, name);
        if (method !== undefined) return method;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #lent(shard: Shard, id: string, token: string, leaseMillis: number): void {
    const { leases, endless } = this.#flightsOf(shard);
    leases.set(id, { token, end: this.#clock.now() + leaseMillis });
    endless.delete(id);
  }

  /** Claims whose leases were lost are ended by the next claim in their shard. */
  #endEndless(shard: Shard): void {
    const { leases, endless } = this.#flightsOf(shard);
    if (endless.size === 0) return;
    this.#server.lose((id, of) => of.count === shard.count && of.index === shard.index && endless.has(id));
    const items = [...endless].map((id) => ({ id, delayMillis: 0 }));
    this.#server.shard('enqueue', shard).enqueue(items, this.#server.now());
    for (const id of endless) leases.delete(id);
    endless.clear();
  }

  #makeReady(shard: Shard, inFlight: ReadonlyMap<string, Lease>): void {
    const now = this.#clock.now();
    const items = [...inFlight].map(([id, { end }]) => ({ id, delayMillis: Math.max(0, end - now) }));
    this.#server.shard('enqueue', shard).enqueue(items, this.#server.now());
  }

  /** Leases that have not ended. */
  #inFlight(shard: Shard): ReadonlyMap<string, Lease> {
    const now = this.#clock.now();
    return new Map([...this.#flightsOf(shard).leases].filter(([, { end }]) => end > now));
  }

  #flightsOf(shard: Shard): Flights {
    const name = `${String(shard.count)}/${String(shard.index)}`;
    const flights = this.#flights.get(name) ?? { leases: new Map(), endless: new Set() };
    this.#flights.set(name, flights);
    return flights;
  }
}

/** What a renewal says is lost: all that it answers, or a part of it. */
export function lostOf(renewal: unknown): readonly { readonly token: string }[] {
  const { lost } = renewal as { readonly lost?: readonly { readonly token: string }[] };
  return lost ?? (renewal as readonly { readonly token: string }[]);
}
