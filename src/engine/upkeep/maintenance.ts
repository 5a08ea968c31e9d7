import type { Clock, Timer } from '../../ports/clock.ts';
import { StoreContended, StoreUnavailable, type Store } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';

/** What the retention needs. */
export interface MaintenanceParts {
  readonly store: Pick<Store, 'deleteCompleted' | 'tendPartitions'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly retentionDays: number;
  readonly partitionLookaheadMonths: number;
  readonly intervalMillis: number;
  /** Whether this process is responsible for the retention now. */
  readonly isOurs: () => boolean;
}

/** Executions deleted in one transaction. */
const batchSize = 200;

/** The first round waits until the server has caught up after its start. */
const firstDelayMillis = 30_000;

/** Delay after a round that yielded to locks, in ms; the interval if that is shorter. */
const againMillis = 60_000;

/** Intervals without a complete round after which the retention logs a warning. */
const behindIntervals = 2;

/** Pause between batches, for other work on the store. */
const pauseMillis = 50;

const dayMillis = 86_400_000;

/**
 * The retention: in a store with partitions it creates partitions ahead and drops old ones; then it deletes executions
 * that ended long ago, in batches. One process at a time runs it for a store.
 *
 * Guarantees: one batch runs at a time. After an error, the next round continues. A round that meets locks of other
 * processes yields without a log line and starts again after {@link againMillis}. The retention logs once when no round
 * was complete for {@link behindIntervals} intervals, and once when a round is complete again.
 *
 * What wakes it: the clock, soon after the start, then once per interval. What stops it: `stop`, which awaits the batch
 * under way.
 */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isStopped = false;
  /** When the round under way last made progress, by the monotonic clock. */
  #progressAt: number | undefined;
  /** When a round first yielded since the last complete one, by the monotonic clock. */
  #gaveWayAt: number | undefined;
  #saidBehind = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  /** Starts the rounds; a second call, or one after `stop`, does nothing. */
  start(): void {
    if (this.#timer !== undefined || this.#round !== undefined) return;
    this.#schedule(Math.min(firstDelayMillis, this.#parts.intervalMillis));
  }

  /** Stops after the batch under way. A second call waits for the first. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#round;
  }

  /** Time since the present round last made progress, in ms; 0 between rounds. */
  get stalledMillis(): number {
    return this.#progressAt === undefined ? 0 : this.#parts.clock.monotonic() - this.#progressAt;
  }

  #schedule(millis: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(millis, () => {
      this.#round = this.#run().finally(() => {
        this.#round = undefined;
        const { intervalMillis } = this.#parts;
        this.#schedule(this.#gaveWayAt === undefined ? intervalMillis : Math.min(againMillis, intervalMillis));
      });
    });
  }

  async #run(): Promise<void> {
    const { store, clock, telemetry, retentionDays, partitionLookaheadMonths: lookaheadMonths } = this.#parts;
    if (!this.#parts.isOurs()) return;
    const before = clock.now() - retentionDays * dayMillis;
    let deleted = 0;
    let gaveWay = false;
    try {
      this.#progressAt = clock.monotonic();
      const now = clock.now();
      const partitions = await store.tendPartitions({ now, lookaheadMonths, completedBefore: before });
      if (partitions.created + partitions.dropped > 0)
        telemetry.log('info', 'partitions maintained', { ...partitions });
      gaveWay = partitions.postponed !== undefined;
      for (let count = batchSize; count >= batchSize && !this.#isStopped;) {
        if (deleted > 0) await this.#pause();
        this.#progressAt = clock.monotonic();
        count = await store.deleteCompleted(before, batchSize);
        deleted += count;
      }
      if (!gaveWay) this.#caughtUp();
    } catch (error) {
      gaveWay = error instanceof StoreContended;
      if (gaveWay) return;
      telemetry.storeFailed('retention', error instanceof StoreUnavailable ? error.kind : 'error');
      telemetry.log('warn', 'retention failed, will try again', {
        error: error instanceof Error ? error.message : String(error),
      });
    } finally {
      this.#progressAt = undefined;
      if (gaveWay) this.#giveWay();
      if (deleted > 0) telemetry.log('info', 'old executions deleted', { count: deleted });
    }
  }

  #giveWay(): void {
    const { clock, telemetry, intervalMillis } = this.#parts;
    this.#gaveWayAt ??= clock.monotonic();
    const behindMillis = clock.monotonic() - this.#gaveWayAt;
    if (this.#saidBehind || behindMillis < behindIntervals * intervalMillis) return;
    this.#saidBehind = true;
    telemetry.log('warn', 'retention falls behind: other sessions of the database hold locks', { behindMillis });
  }

  #caughtUp(): void {
    this.#gaveWayAt = undefined;
    if (this.#saidBehind) this.#parts.telemetry.log('info', 'retention has caught up');
    this.#saidBehind = false;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(pauseMillis, resolve);
    });
  }
}
