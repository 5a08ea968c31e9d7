/**
 * What the workers tell the queue. Each server of it is told by a {@link QueueLane} of its own: what one of them must hear
 * never waits for another that is away, or that does not answer.
 */
import type { Queue, StoredItem } from '../../ports/queue.ts';
import type { Lease } from '../worker/lease.ts';
import { QueueLane, type QueueLaneParts } from './queue-lane.ts';

/** What a queue writer stands on. */
export interface QueueWriterParts extends QueueLaneParts {
  readonly queue: Pick<Queue, 'ack' | 'release' | 'enqueue' | 'laneOf'>;
}

/** See the file header. */
export class QueueWriter {
  readonly #parts: QueueWriterParts;
  /** Those with something to say. */
  readonly #lanes = new Map<string, QueueLane>();

  constructor(parts: QueueWriterParts) {
    this.#parts = parts;
  }

  /** Ends a claim: the id leaves the queue, or comes back at `parkUntil`. */
  ack(hold: Lease, parkUntil?: number): void {
    this.#lane(hold.slot).ack(hold, parkUntil);
  }

  /** Ends a claim: the id is ready at once, for anybody, in its place or, when it `yields`, behind all that is due. */
  release(hold: Lease, yields: boolean = false): void {
    this.#lane(hold.slot).release(hold, yields);
  }

  /** Says that an id is due at its time. Once `patienceMillis` are over without an answer it is said no more. */
  ring(item: StoredItem, patienceMillis?: number): void {
    this.#lane(item.slot).ring(item, patienceMillis);
  }

  /** Resolves once everything has been said. */
  async drained(): Promise<void> {
    await Promise.all(Array.from(this.#lanes.values(), (lane) => lane.drained()));
  }

  #lane(slot: number): QueueLane {
    const name = this.#parts.queue.laneOf?.(slot) ?? '';
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new QueueLane(this.#parts, () => this.#lanes.delete(name));
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}
