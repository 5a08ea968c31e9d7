import type { Clock, Entropy } from '../../ports/clock.ts';
import { QueuePartlyUnavailable, type Claimed, type Queue, type Released, type StoredItem } from '../../ports/queue.ts';
import { backoffMillis } from '../write/availability.ts';
import { pause } from '../write/coalescer.ts';
import type { Lease } from '../worker/lease.ts';
import type { QueueHealth } from './queue-health.ts';

/** Maximum number of rings that wait for an unavailable server; further ones are dropped. */
const maxWaitingRings = 20_000;

type Done = Claimed & { readonly parkUntil?: number };

interface Ending<T> {
  readonly id: string;
  readonly hold: Lease;
  readonly message: T;
}

interface Ring {
  readonly id: string;
  readonly item: StoredItem;
  /** Monotonic. */
  readonly until: number;
}

/** What a server writer needs. */
export interface ServerWriterParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly queueHealth: QueueHealth;
  readonly queue: Pick<Queue, 'ack' | 'release' | 'enqueue'>;
}

/**
 * Writes the workers' messages to one server of the queue: ends of claims, and ids that became due. Messages gather while
 * a round is under way, so a busy process sends few and large batches.
 *
 * Guarantees: the writer repeats acknowledgements and releases until the queue confirms them or their lease ends. Rings
 * are best effort within a bound; the reconciler finds ids whose ring was lost. Within a round, ends of claims precede
 * rings, so that a ring for an id that has just been parked takes effect.
 *
 * What wakes it: a message. What stops it: an empty backlog.
 */
export class ServerWriter {
  readonly #parts: ServerWriterParts;
  readonly #emptied: () => void;
  #acks: Ending<Done>[] = [];
  #releases: Ending<Released>[] = [];
  #rings: Ring[] = [];
  #running = false;
  #failures = 0;
  /** The queue did not answer in this round. */
  #isAway = false;
  /** Failed rounds that wait for their retry. */
  #postponed = 0;
  #idle: (() => void)[] = [];

  /** `emptied` is called whenever no message is left. */
  constructor(parts: ServerWriterParts, emptied: () => void) {
    this.#parts = parts;
    this.#emptied = emptied;
  }

  /** Ends a claim: the id leaves the queue, or comes back at `parkUntil`. */
  ack(hold: Lease, parkUntil?: number): void {
    const message = parkUntil === undefined ? hold.claimed : { ...hold.claimed, parkUntil };
    this.#acks.push({ id: hold.id, hold, message });
    this.#wake();
  }

  /** Ends a claim: the id is ready at once, for any process, in its place or, when it `yields`, behind all due ids. */
  release(hold: Lease, yields: boolean = false): void {
    const message = yields ? { ...hold.claimed, yields } : hold.claimed;
    this.#releases.push({ id: hold.id, hold, message });
    this.#wake();
  }

  /**
   * Reports that an id is due at its time. The writer drops the report when the queue has not confirmed it for
   * `patienceMillis`.
   */
  ring(item: StoredItem, patienceMillis: number = Infinity): void {
    if (this.#rings.length >= maxWaitingRings) return;
    this.#rings.push({ id: item.id, item, until: this.#parts.clock.monotonic() + patienceMillis });
    this.#wake();
  }

  /** Resolves once everything is written. */
  drained(): Promise<void> {
    if (!this.#running && this.#postponed === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    void Promise.resolve().then(() => this.#run());
  }

  async #run(): Promise<void> {
    const { clock, entropy, queue } = this.#parts;
    while (this.#acks.length > 0 || this.#releases.length > 0 || this.#rings.length > 0) {
      const acks = this.#acks;
      const releases = this.#releases;
      const rings = this.#rings;
      this.#acks = [];
      this.#releases = [];
      this.#rings = [];
      this.#isAway = false;
      const unsaid = {
        acks: await this.#say(acks, (said) => queue.ack(said.map((ending) => ending.message))),
        releases: await this.#say(releases, (said) => queue.release(said.map((ending) => ending.message))),
        rings: await this.#say(rings, (said) => queue.enqueue(said.map(({ item }) => item))),
      };
      if (unsaid.acks.length + unsaid.releases.length + unsaid.rings.length === 0) {
        this.#failures = 0;
        continue;
      }
      const millis = backoffMillis(++this.#failures, entropy.random());
      this.#later(unsaid, millis);
      // Where only a part of the queue is away, messages for the other parts must not wait.
      if (this.#isAway) await pause(clock, millis);
    }
    this.#running = false;
    this.#rest();
  }

  /** Writes the items unless the queue was found away in this round; returns the items to repeat. */
  async #say<T extends { readonly id: string }>(
    items: readonly T[],
    tell: (items: readonly T[]) => Promise<void>,
  ): Promise<readonly T[]> {
    if (items.length === 0 || this.#isAway) return items;
    try {
      await tell(items);
      this.#parts.queueHealth.answered();
      return [];
    } catch (error) {
      this.#parts.queueHealth.failed('write', error);
      if (error instanceof QueuePartlyUnavailable) return items.filter(({ id }) => error.ids.has(id));
      this.#isAway = true;
      return items;
    }
  }

  /**
   * Repeats the messages after a pause. Later messages about the same ids may precede them: they concern other claims.
   */
  #later({ acks, releases, rings }: Unsaid, millis: number): void {
    this.#postponed++;
    this.#parts.clock.after(millis, () => {
      this.#postponed--;
      this.#acks = [...acks.filter(isOpen), ...this.#acks];
      this.#releases = [...releases.filter(isOpen), ...this.#releases];
      const now = this.#parts.clock.monotonic();
      this.#rings = [...rings.filter(({ until }) => now < until), ...this.#rings].slice(0, maxWaitingRings);
      this.#wake();
      this.#rest();
    });
  }

  #rest(): void {
    if (this.#running || this.#postponed > 0) return;
    this.#emptied();
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** Messages that the queue did not take. */
interface Unsaid {
  readonly acks: readonly Ending<Done>[];
  readonly releases: readonly Ending<Released>[];
  readonly rings: readonly Ring[];
}

/** After the lease, the end of a claim has no effect. */
function isOpen({ hold }: { readonly hold: Lease }): boolean {
  return !hold.isOver;
}
