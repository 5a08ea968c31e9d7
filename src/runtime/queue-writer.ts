/**
 * What the workers tell the queue: ends of claims, and ids that became due. Gathered while one round is under way, so a
 * busy process sends few and large messages.
 *
 * Guarantees: acknowledgements and releases are repeated until the queue confirms them, or their lease is over and they
 * mean nothing any more. Rings are best effort within a bound: the reconcile finds what was lost. Within a round ends of
 * claims go before rings, so that an id parked and woken at once is woken last.
 *
 * What wakes it: something to say. What stops it: nothing left.
 */
import type { Clock, Entropy } from '../ports/clock.ts';
import type { Claimed, Queue, QueueItem } from '../ports/queue.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { backoffMillis } from './availability.ts';
import { pause } from './coalescer.ts';
import type { Hold } from './hold.ts';

/** Rings that wait for a queue that is away; more are dropped. */
const maxWaitingRings = 20_000;

type Done = Claimed & { readonly parkUntil?: number };

interface Ending<T> {
  readonly hold: Hold;
  readonly message: T;
}

/** What a queue writer stands on. */
export interface QueueWriterParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly queue: Queue;
}

/** See the file header. */
export class QueueWriter {
  readonly #parts: QueueWriterParts;
  #acks: Ending<Done>[] = [];
  #releases: Ending<Claimed>[] = [];
  #rings: QueueItem[] = [];
  #running = false;
  #idle: (() => void)[] = [];

  constructor(parts: QueueWriterParts) {
    this.#parts = parts;
  }

  /** Ends a claim: the id leaves the queue, or comes back at `parkUntil`. */
  ack(hold: Hold, parkUntil?: number): void {
    const message = parkUntil === undefined ? hold.claimed : { ...hold.claimed, parkUntil };
    this.#acks.push({ hold, message });
    this.#wake();
  }

  /** Ends a claim: the id is ready at once, for anybody. */
  release(hold: Hold): void {
    this.#releases.push({ hold, message: hold.claimed });
    this.#wake();
  }

  /** Says that an id is due at its time. */
  ring(item: QueueItem): void {
    if (this.#rings.length >= maxWaitingRings) return;
    this.#rings.push(item);
    this.#wake();
  }

  /** Resolves once everything has been said. */
  drained(): Promise<void> {
    if (!this.#running) return Promise.resolve();
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
    const { clock, entropy, queue, telemetry } = this.#parts;
    let failures = 0;
    while (this.#acks.length > 0 || this.#releases.length > 0 || this.#rings.length > 0) {
      const acks = this.#acks;
      const releases = this.#releases;
      const rings = this.#rings;
      this.#acks = [];
      this.#releases = [];
      this.#rings = [];
      let said = 0;
      try {
        if (acks.length > 0) await queue.ack(acks.map((ending) => ending.message));
        said = 1;
        if (releases.length > 0) await queue.release(releases.map((ending) => ending.message));
        said = 2;
        if (rings.length > 0) await queue.enqueue(rings);
        failures = 0;
      } catch (error) {
        telemetry.queueFailed('write');
        if (failures === 0) telemetry.log('warn', 'queue away', { operation: 'write', error: String(error) });
        failures++;
        if (said < 1) this.#acks = [...acks.filter((ending) => !ending.hold.isOver), ...this.#acks];
        if (said < 2) this.#releases = [...releases.filter((ending) => !ending.hold.isOver), ...this.#releases];
        this.#rings = [...rings, ...this.#rings].slice(0, maxWaitingRings);
        await pause(clock, backoffMillis(failures, entropy.random()));
      }
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
