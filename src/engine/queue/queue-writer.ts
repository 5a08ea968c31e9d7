import type { Queue, StoredItem } from '../../ports/queue.ts';
import type { Hold } from '../worker/hold.ts';
import { ServerWriter, type ServerWriterParts } from './server-writer.ts';

/** What a queue writer stands on. */
export interface QueueWriterParts extends ServerWriterParts {
  readonly queue: Pick<Queue, 'ack' | 'release' | 'enqueue' | 'serverIdOf'>;
}

/**
 * What the workers tell the queue. Each server of it is told by a {@link ServerWriter} of its own: what one of them must hear
 * never waits for another that is away, or that does not answer.
 */
export class QueueWriter {
  readonly #parts: QueueWriterParts;
  /** Those with something to say. */
  readonly #writers = new Map<string, ServerWriter>();

  constructor(parts: QueueWriterParts) {
    this.#parts = parts;
  }

  /** Ends a claim: the id leaves the queue, or comes back at `parkUntil`. */
  ack(hold: Hold, parkUntil?: number): void {
    this.#writerOf(hold.slot).ack(hold, parkUntil);
  }

  /** Ends a claim: the id is ready at once, for anybody, in its place or, when it `yields`, behind all that is due. */
  release(hold: Hold, yields: boolean = false): void {
    this.#writerOf(hold.slot).release(hold, yields);
  }

  /** Says that an id is due at its time. Once `patienceMillis` are over without an answer it is said no more. */
  ring(item: StoredItem, patienceMillis?: number): void {
    this.#writerOf(item.slot).ring(item, patienceMillis);
  }

  /** Resolves once everything has been said. */
  async drained(): Promise<void> {
    await Promise.all(Array.from(this.#writers.values(), (writer) => writer.drained()));
  }

  #writerOf(slot: number): ServerWriter {
    const name = this.#parts.queue.serverIdOf?.(slot) ?? '';
    let writer = this.#writers.get(name);
    if (writer === undefined) {
      writer = new ServerWriter(this.#parts, () => this.#writers.delete(name));
      this.#writers.set(name, writer);
    }
    return writer;
  }
}
