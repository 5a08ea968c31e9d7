import type { Clock, Entropy } from '../../src/ports/clock.ts';
import type { Queue } from '../../src/ports/queue.ts';
import type { Shard, ShardPart, ShardQueue } from '../../src/ports/shard-queue.ts';
import type { Store } from '../../src/ports/store.ts';
import type { Telemetry } from '../../src/ports/telemetry.ts';
import { MemoryQueueHub } from '../../src/queue/memory/memory-queue.ts';
import { ShardQueueServer } from '../queue/shard-queue-server.ts';
import { ShardCount } from '../../src/engine/queue/sharding/shard-count.ts';
import { ShardedQueue } from '../../src/engine/queue/sharding/sharded-queue.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { QueueLink } from './links.ts';
import type { ProcessClock } from '../process-clock.ts';
import type { ClusterScenario, Scenario } from '../scenario.ts';
import { ShardLink } from './shard-link.ts';
import type { Wire } from './wire.ts';

/** A process that wants a queue. */
export interface QueueUser {
  readonly name: string;
  /** Id of the pod: the same for every process in one place. */
  readonly podId: string;
  readonly works: boolean;
  readonly process: ProcessClock;
  readonly random: Random;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly wire: Wire;
  readonly isUp: () => boolean;
  /** The store, as the process reaches it. */
  readonly store: Store;
}

/** The queue of a process. */
export interface QueueAccess {
  readonly queue: Queue;
  /** Tells the process that its connection broke and comes back. */
  readonly reconnect: () => void;
}

/** The queue of a simulated world: it gives processes their queues, loses ids, and reports its content. */
export interface QueueSide {
  connect(user: QueueUser): QueueAccess;
  /** Loses ids as `share` says: 1 is everything. */
  lose(share: number, random: Random): void;
  /** Loses one id, whatever its state. */
  loseId(id: string): void;
  /** Restarts its server. */
  restart(keepsData: boolean): void;
  /** Counts its content, of any due time. */
  leftOver(): { readonly ready: number; readonly inFlight: number };
}

/** What queue sides need. */
export interface QueueSideParts {
  readonly clock: VirtualClock;
  readonly scenario: Scenario;
  readonly isStormy: () => boolean;
  /** Wraps the server above the wires: how tests break the protocol on purpose. */
  readonly wrapServer: (server: ShardQueue, clock: Clock) => ShardQueue;
}

/** One queue in memory that all processes share. */
export class HubSide implements QueueSide {
  readonly #parts: QueueSideParts;
  readonly #hub: MemoryQueueHub;

  constructor(parts: QueueSideParts) {
    this.#parts = parts;
    this.#hub = new MemoryQueueHub(parts.clock);
  }

  connect(user: QueueUser): QueueAccess {
    const { clock, scenario, isStormy } = this.#parts;
    const queue = new QueueLink(this.#hub.connect(`${user.podId}/${user.name}`), {
      ...user,
      clock,
      ringFaults: () => (isStormy() ? scenario.rings : { lost: 0, doubled: 0 }),
    });
    return { queue, reconnect: () => undefined };
  }

  lose(share: number, random: Random): void {
    this.#hub.wipe(() => random.chance(share));
  }

  loseId(lost: string): void {
    this.#hub.wipe((id) => id === lost);
  }

  restart(): void {
    // It has no server of its own.
  }

  leftOver(): { readonly ready: number; readonly inFlight: number } {
    return this.#hub.size();
  }
}

/** A server of shards that all processes share. */
export class ClusterSide implements QueueSide {
  readonly #parts: QueueSideParts;
  readonly #cluster: ClusterScenario;
  readonly #server: ShardQueueServer;
  readonly #counts = new Set<number>();
  /** Number of virtual shards that new processes are configured with. */
  wants: number;

  constructor(parts: QueueSideParts, cluster: ClusterScenario) {
    this.#parts = parts;
    this.#cluster = cluster;
    this.#server = new ShardQueueServer(parts.clock);
    this.#server.skewMillis = cluster.serverSkewMillis;
    this.wants = cluster.shards;
  }

  connect(user: QueueUser): QueueAccess {
    const { clock, scenario, isStormy, wrapServer } = this.#parts;
    const { ttlMillis, beatMillis, lateBells } = this.#cluster;
    const { store, telemetry, entropy, process, podId, works } = user;
    this.#counts.add(this.wants);
    const link = new ShardLink(wrapServer(this.#server.connect(), clock), {
      ...user,
      clock,
      bells: () => (isStormy() ? { ...scenario.rings, late: lateBells } : { lost: 0, doubled: 0, late: 0 }),
    });
    const queue = new ShardedQueue({
      clock: process,
      entropy,
      telemetry,
      server: link.queue,
      count: new ShardCount({ store, telemetry, wants: this.wants }),
      podId,
      version: '1.0.0',
      works,
      ttlMillis,
      beatMillis,
      sweepMillis: 5_000,
      leaseMillis: scenario.leaseMillis,
      claimers: 2,
    });
    return { queue, reconnect: () => link.reconnect() };
  }

  lose(share: number, random: Random): void {
    if (share < 1) {
      this.#server.lose(() => random.chance(share));
      return;
    }
    this.#server.wipe();
  }

  loseId(lost: string): void {
    this.#server.lose((id) => id === lost);
  }

  /**
   * Drops these parts of shards, each with the chance `share`, and the members with the chance `members`; answers what
   * was lost.
   */
  evict(parts: readonly ShardPart[], share: number, members: number, random: Random): readonly string[] {
    const lost: string[] = [];
    for (const shard of this.#shards) {
      const dropped = parts.filter(() => random.chance(share));
      if (dropped.length === 0) continue;
      for (const part of dropped) this.#server.loseKey(shard, part);
      lost.push(`${dropped.join(' and ')} of ${String(shard.index)}/${String(shard.count)}`);
    }
    if (random.chance(members)) {
      this.#server.loseMembers();
      lost.push('members');
    }
    return lost;
  }

  /** Forgets one shard, its mark included. */
  wipeShard(random: Random): void {
    const count = random.pick([...this.#counts]);
    this.#server.wipeShard({ count, index: random.int(0, count - 1) });
  }

  restart(keepsData: boolean): void {
    this.#server.restart(keepsData);
  }

  leftOver(): { readonly ready: number; readonly inFlight: number } {
    return this.#server.count(this.#shards);
  }

  /** For every number of shards that was ever in force. */
  get #shards(): readonly Shard[] {
    return [...this.#counts].flatMap((count) => Array.from({ length: count }, (_, index) => ({ count, index })));
  }
}
