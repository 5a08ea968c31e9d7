/**
 * The queue of a process that shares its store with others, but no queue server: one of them at a time does all the work.
 *
 * It owns nothing until the store makes it the sole worker, and again once that is lost: then nothing is claimed, and what is
 * held makes no further call (its results are still offered to the store, which decides). It asks again every
 * {@link retryMillis}. Whoever is not the worker rings it by the store; should that be lost, the worker finds what became due
 * by its reconcile, within a few seconds.
 */
import type { ShardSet } from '../core/slot.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type {
  Claimed,
  ClaimResult,
  Queue,
  QueueItem,
  QueueListener,
  QueueTrouble,
  Refill,
  Renewal,
} from '../ports/queue.ts';
import { type DueRow, type Store, StoreUnavailable } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { Periodic } from './periodic.ts';

const retryMillis = 2_000;
const nothing: ShardSet = { count: 1, shards: [] };

/** What the queue of a sole worker stands on. */
export interface SoleWorkerQueueParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'soleWorker' | 'ringSoleWorker'>;
  /** The queue in this process. */
  readonly queue: Queue;
  /** False: never becomes the worker. */
  readonly works: boolean;
}

/** See the file header. */
export class SoleWorkerQueue implements Queue {
  readonly #parts: SoleWorkerQueueParts;
  readonly #attempts: Periodic;
  #office: { release(): Promise<void> } | undefined;
  #listener: QueueListener | undefined;
  #waits = false;
  #left = false;

  constructor(parts: SoleWorkerQueueParts) {
    this.#parts = parts;
    this.#attempts = new Periodic('sole worker', parts, retryMillis, () => this.#apply());
  }

  get process(): string {
    return this.#parts.queue.process;
  }

  get owned(): ShardSet {
    return this.#office === undefined ? nothing : this.#parts.queue.owned;
  }

  get trouble(): readonly QueueTrouble[] {
    return this.#parts.queue.trouble;
  }

  get wantsRenewal(): boolean {
    return this.#parts.queue.wantsRenewal;
  }

  owns(slot: number): boolean {
    return this.#office !== undefined && this.#parts.queue.owns(slot);
  }

  async start(listener: QueueListener): Promise<void> {
    this.#listener = listener;
    await this.#parts.queue.start(listener);
    if (this.#parts.works) this.#attempts.start();
  }

  /** Nobody else is told: what is held is ended first, and the office is given up with the queue. */
  leave(): Promise<void> {
    this.#left = true;
    return this.#attempts.stop();
  }

  async stop(): Promise<void> {
    await this.leave();
    await this.#parts.queue.stop();
    const office = this.#office;
    this.#office = undefined;
    await office?.release();
  }

  toRefill(): Refill | undefined {
    return this.#office === undefined ? undefined : this.#parts.queue.toRefill();
  }

  /** A store that is away is no trouble of the queue: the worker looks at the store when it is back. */
  async enqueue(items: readonly QueueItem[]): Promise<void> {
    if (this.#office !== undefined) return this.#parts.queue.enqueue(items);
    try {
      await this.#parts.store.ringSoleWorker(items);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    if (this.#office === undefined || this.#left) return Promise.resolve({ claimed: [] });
    return this.#parts.queue.claim(max, leaseMillis);
  }

  claimDirect(item: QueueItem, leaseMillis: number): Promise<Claimed | undefined> {
    if (this.#office === undefined || this.#left) return Promise.resolve(undefined);
    return this.#parts.queue.claimDirect(item, leaseMillis);
  }

  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    if (this.#office === undefined) return Promise.resolve({ lost: held, revived: [] });
    return this.#parts.queue.renew(held, leaseMillis);
  }

  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    return this.#parts.queue.ack(done);
  }

  release(held: readonly Claimed[]): Promise<void> {
    return this.#parts.queue.release(held);
  }

  reconcile(items: readonly QueueItem[]): Promise<number> {
    return this.#office === undefined ? Promise.resolve(0) : this.#parts.queue.reconcile(items);
  }

  size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#parts.queue.size();
  }

  async #apply(): Promise<void> {
    if (this.#office !== undefined) return;
    const { store, telemetry, clock } = this.#parts;
    const office = await store.soleWorker(
      () => this.#lost(),
      (items) => this.#rung(items),
    );
    if (office === undefined) {
      if (!this.#waits) telemetry.log('info', 'another process works on this store; this one serves the API and waits');
      this.#waits = true;
      return;
    }
    if (this.#left) {
      await office.release();
      return;
    }
    this.#waits = false;
    this.#office = office;
    telemetry.log('info', 'this process works on the store');
    this.#listener?.owned();
    // Another process may have worked meanwhile: whatever this one remembers is to be compared with the store.
    this.#listener?.refill();
    this.#listener?.rung(clock.now());
  }

  #rung(items: readonly DueRow[]): void {
    if (this.#office === undefined || items.length === 0) return;
    this.#parts.queue.enqueue(items).catch((error: unknown) => {
      this.#parts.telemetry.log('warn', 'rings of another process were lost', { error: String(error) });
    });
  }

  #lost(): void {
    if (this.#office === undefined) return;
    this.#office = undefined;
    this.#parts.telemetry.log('warn', 'this process works on the store no more: the lock was lost');
    this.#listener?.owned();
    this.#listener?.renew();
    this.#attempts.hurry();
  }
}
