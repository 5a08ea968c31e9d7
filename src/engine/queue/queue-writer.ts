import type { Queue, StoredItem } from '../../ports/queue.ts';
import type { Lease } from '../worker/lease.ts';
import { ServerWriter, type ServerWriterParts } from './server-writer.ts';

/** What a queue writer needs. */
export interface QueueWriterParts extends ServerWriterParts {
  readonly queue: Pick<Queue, 'ack' | 'release' | 'enqueue' | 'serverIdOf'>;
}

/**
 * Writes the workers' messages to the queue. Each server of the queue has a {@link ServerWriter} of its own: no message
 * waits for a server that is away or hangs, unless it is for that server.
 */
export class QueueWriter {
  readonly #parts: QueueWriterParts;
  /** Writers with messages to write. */
  readonly #writers = new Map<string, ServerWriter>();

  constructor(parts: QueueWriterParts) {
    this.#parts = parts;
  }

  /** Ends a claim: the id leaves the queue, or comes back at `parkUntil`. */
  ack(hold: Lease, parkUntil?: number): void {
    this.#writerOf(hold.slot).ack(hold, parkUntil);
  }

  /** Ends a claim: the id is ready at once, for any process, in its place or, when it `yields`, behind all due ids. */
  release(hold: Lease, yields: boolean = false): void {
    this.#writerOf(hold.slot).release(hold, yields);
  }

  /**
   * Reports that an id is due at its time. The writer drops the report when the queue has not confirmed it for
   * `patienceMillis`.
   */
  ring(item: StoredItem, patienceMillis?: number): void {
    this.#writerOf(item.slot).ring(item, patienceMillis);
  }

  /** Resolves once everything is written. */
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
