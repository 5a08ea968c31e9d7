import type { ShardSet } from '../../core/value/slot.ts';
import type { Clock, Entropy, Stamp } from '../../ports/clock.ts';
import type {
  Claimed,
  ClaimResult,
  Queue,
  QueueItem,
  QueueListener,
  QueueTrouble,
  StoredItem,
  Refill,
  Released,
  Renewal,
} from '../../ports/queue.ts';
import type { SoleWorkerCandidacy } from '../../ports/processes.ts';
import { type Store, StoreUnavailable } from '../../ports/store.ts';
import type { DueRow } from '../../ports/records.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { stampOf } from '../worker/lease.ts';
import { Periodic } from '../periodic.ts';

/**
 * Interval of a candidate's checks whether the work is free, and of the worker's checks whether it still has the lock.
 */
const lookMillis = 1_000;
const proveMillis = 2_000;
/** A claim asks for a new proof when the last one is older than this. */
const staleProofMillis = 2 * proveMillis;
/**
 * How long a process whose lock broke tries to get it back before it waits like the others, while the store answers.
 */
const regainMillis = 5_000;
const nothing: ShardSet = { count: 1, shards: [] };

/** What the queue of a sole worker needs. */
export interface SoleWorkerQueueParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'soleWorker' | 'ringSoleWorker'>;
  /** The queue in this process. */
  readonly queue: Queue;
  /** False: never becomes the worker. */
  readonly works: boolean;
  readonly leaseMillis: number;
}

/**
 * The queue of a process that shares its store with others, without a queue server: one process at a time does all the
 * work.
 *
 * The process owns nothing before the store makes it the sole worker, nor after it loses that role: it then claims
 * nothing, and held executions make no further calls (their results are still offered to the store, which decides).
 *
 * Guarantees: a lease counts from a proof that the store still knew this process as the worker, and the store drops a
 * silent worker only after a lease; so no two processes may make calls for the same execution. A worker whose lock
 * breaks gets it back before any other takes it, as long as the store considers it alive. A worker that hands over
 * tells the others, and the next one works at once.
 *
 * What wakes it: a fixed interval, and the message of a worker that hands over. What stops it: `leave`. A process that
 * is not the worker rings the worker through the store; if that is lost, the worker's reconcile finds what became due.
 */
export class SoleWorkerQueue implements Queue {
  readonly #parts: SoleWorkerQueueParts;
  readonly #candidacy: SoleWorkerCandidacy;
  readonly #looks: Periodic;
  #works = false;
  #listener: QueueListener | undefined;
  /** When the store was last asked and confirmed this process as the worker. */
  #proof: Stamp = { monotonic: -Infinity, wall: -Infinity };
  /** When this process lost the lock that it tries to get back. */
  #lostAt: number | undefined;
  /** What this process has declared to the store. */
  #isDeclared = false;
  /** The worker has announced that it hands over. */
  #isFreed = false;
  #waits = false;
  #left = false;

  constructor(parts: SoleWorkerQueueParts) {
    this.#parts = parts;
    this.#candidacy = parts.store.soleWorker(
      {
        lost: () => this.#lost(),
        rung: (items) => this.#rung(items),
        freed: () => this.#freed(),
      },
      parts.leaseMillis,
    );
    this.#looks = new Periodic('sole worker', parts, lookMillis, () => this.#look());
  }

  get process(): string {
    return this.#parts.queue.process;
  }

  get owned(): ShardSet {
    return this.#works ? this.#parts.queue.owned : nothing;
  }

  get trouble(): readonly QueueTrouble[] {
    return this.#parts.queue.trouble;
  }

  get wantsRenewal(): boolean {
    return this.#parts.queue.wantsRenewal;
  }

  get oldestDueAt(): number | undefined {
    return this.#works ? this.#parts.queue.oldestDueAt : undefined;
  }

  owns(slot: number): boolean {
    return this.#works && this.#parts.queue.owns(slot);
  }

  async start(listener: QueueListener): Promise<void> {
    this.#listener = listener;
    await this.#parts.queue.start(listener);
    if (this.#parts.works) this.#looks.start();
  }

  /** The engine ends its claims first; {@link SoleWorkerQueue.handOver} lets the next process work. */
  leave(): Promise<void> {
    this.#left = true;
    return Promise.resolve();
  }

  async handOver(): Promise<void> {
    this.#left = true;
    await this.#looks.stop();
    if (!this.#works) return;
    this.#works = false;
    this.#listener?.owned();
    try {
      await this.#declare(false);
      await this.#candidacy.release();
    } catch (error) {
      // The end of the connection frees the lock, and the others find this process silent.
      this.#parts.telemetry.log('warn', 'the work was not handed over', { error: String(error) });
    }
  }

  async stop(): Promise<void> {
    await this.handOver();
    await this.#parts.queue.stop();
    await this.#candidacy.close();
  }

  toRefill(): Refill | undefined {
    return this.#works ? this.#parts.queue.toRefill() : undefined;
  }

  /** Does not report an unavailable store as a queue failure: the worker reads the store once it answers again. */
  async enqueue(items: readonly QueueItem[]): Promise<void> {
    if (this.#works) return this.#parts.queue.enqueue(items);
    try {
      await this.#parts.store.ringSoleWorker(items);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    if (!(await this.#mayClaim())) return { claimed: [] };
    const result = await this.#parts.queue.claim(max, leaseMillis);
    return { ...result, claimed: result.claimed.map((each) => ({ ...each, sent: this.#proof })) };
  }

  async claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]> {
    if (!(await this.#mayClaim())) return items.map(() => undefined);
    const claimed = await this.#parts.queue.claimDirect(items, leaseMillis);
    return claimed.map((each) => each && { ...each, sent: this.#proof });
  }

  async renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    if (!(await this.#prove())) return { lost: held, revived: [] };
    return this.#parts.queue.renew(held, leaseMillis);
  }

  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    return this.#parts.queue.ack(done);
  }

  release(held: readonly Released[]): Promise<void> {
    return this.#parts.queue.release(held);
  }

  reconcile(items: readonly StoredItem[]): Promise<readonly string[]> {
    return this.#works ? this.#parts.queue.reconcile(items) : Promise.resolve([]);
  }

  size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#parts.queue.size();
  }

  get #proofAgeMillis(): number {
    return this.#parts.clock.monotonic() - this.#proof.monotonic;
  }

  async #mayClaim(): Promise<boolean> {
    if (!this.#works || this.#left) return false;
    return this.#proofAgeMillis < staleProofMillis || this.#prove();
  }

  /** Whether the store confirms now that this process is the worker. */
  async #prove(): Promise<boolean> {
    if (!this.#works) return false;
    const sent = stampOf(this.#parts.clock);
    if (!(await this.#candidacy.isHeld())) return false;
    this.#proof = sent;
    return true;
  }

  async #look(): Promise<void> {
    if (this.#works) {
      if (this.#proofAgeMillis >= proveMillis) await this.#prove();
    } else if (!this.#left) await this.#apply();
  }

  async #apply(): Promise<void> {
    const { clock } = this.#parts;
    if (this.#lostAt !== undefined && clock.monotonic() - this.#lostAt < regainMillis) {
      try {
        if (await this.#acquire()) return;
      } catch (error) {
        // A store that is away keeps the others from the lock, too.
        this.#lostAt = clock.monotonic();
        throw error;
      }
    }
    if (this.#isDeclared && !this.#works) await this.#declare(false);
    if (!this.#isFreed) {
      // Listens before the check, so that this process receives the message of a worker that hands over in between.
      await this.#candidacy.listen();
      // A worker that lives has the lock, or gets it back.
      await this.#listener?.processes.look();
      if (this.#listener?.processes.hasOtherSoleWorker === true) {
        this.#wait();
        return;
      }
    }
    this.#isFreed = false;
    if (!(await this.#acquire())) this.#wait();
  }

  async #acquire(): Promise<boolean> {
    const { telemetry, clock } = this.#parts;
    const sent = stampOf(clock);
    if (!(await this.#candidacy.acquire())) {
      // Another process has the lock by now: this one is no former worker any more.
      this.#lostAt = undefined;
      return false;
    }
    await this.#declare(true);
    if (this.#left) {
      await this.#declare(false);
      await this.#candidacy.release();
      return true;
    }
    this.#waits = false;
    this.#lostAt = undefined;
    this.#proof = sent;
    this.#works = true;
    telemetry.log('info', 'this process works on the store');
    this.#listener?.owned();
    // Another process may have worked meanwhile: this one has to compare its state with the store.
    this.#listener?.refill();
    this.#listener?.rung(clock.now());
    return true;
  }

  async #declare(isSoleWorker: boolean): Promise<void> {
    await this.#listener?.processes.declare(isSoleWorker);
    this.#isDeclared = isSoleWorker;
  }

  #wait(): void {
    if (this.#waits) return;
    this.#waits = true;
    const message = 'another process works on this store; this one serves the API and waits';
    this.#parts.telemetry.log('info', message);
  }

  #freed(): void {
    if (this.#works || this.#left) return;
    this.#isFreed = true;
    this.#looks.hurry();
  }

  #rung(items: readonly DueRow[]): void {
    if (!this.#works || items.length === 0) return;
    this.#parts.queue.enqueue(items).catch((error: unknown) => {
      this.#parts.telemetry.log('warn', 'rings of another process were lost', { error: String(error) });
    });
  }

  #lost(): void {
    if (!this.#works) return;
    this.#works = false;
    this.#lostAt = this.#parts.clock.monotonic();
    this.#parts.telemetry.log('warn', 'this process works on the store no more: the lock was lost');
    this.#listener?.owned();
    this.#listener?.renew();
    this.#looks.hurry();
  }
}
