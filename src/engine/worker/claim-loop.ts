import type { Clock, Entropy, Timer } from '../../ports/clock.ts';
import type { Queue } from '../../ports/queue.ts';
import { type Availability, backoffMillis } from '../write/availability.ts';
import { stampOf } from './lease.ts';
import type { QueueHealth } from '../queue/queue-health.ts';
import { Pulse, type Service } from '../service.ts';
import type { WorkerPool } from './worker-pool.ts';

/** What a claim loop needs. */
export interface ClaimLoopParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly availability: Availability;
  readonly queueHealth: QueueHealth;
  readonly queue: Pick<Queue, 'claim'>;
  readonly pool: WorkerPool;
  /** Maximum number of ids per claim. */
  readonly batch: number;
  readonly leaseMillis: number;
  readonly sweepMillis: number;
}

/**
 * Claims due executions from the queue for the worker pool.
 *
 * What wakes it: a ring of the queue, room in the pool, the due time of the next id, and a slow sweep as the safety net.
 * What suspends it: a full pool or an unavailable store. What stops it: `stop`.
 *
 * Guarantees: one claim is under way at a time. The loop never claims more than the pool has room for. A failure is
 * counted, logged once per outage and followed by a pause.
 */
export class ClaimLoop implements Service {
  readonly pulse: Pulse;
  readonly #parts: ClaimLoopParts;
  #running = false;
  #claiming = false;
  #again = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #failures = 0;
  /** Whether due ids may remain in the queue that the last claim could not take. */
  #hungry = true;
  /** Whether a pause after a failure is under way. Rings do not end it. */
  #pausing = false;
  #idle: (() => void)[] = [];

  constructor(parts: ClaimLoopParts) {
    this.#parts = parts;
    this.pulse = new Pulse('claim', parts.clock);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.pulse.beat();
    this.wake();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.pulse.end();
    this.#disarm();
    if (this.#claiming) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
      });
    }
  }

  /** Schedules a claim, because ids may be due or the pool may have room. Cheap; concurrent calls cause one claim. */
  wake(): void {
    if (!this.#running || this.#pausing) return;
    if (this.#claiming) {
      this.#again = true;
      return;
    }
    this.#claiming = true;
    void Promise.resolve().then(() => this.#run());
  }

  /** Schedules a claim because a worker became free, if due ids may remain in the queue. */
  roomFreed(): void {
    if (this.#hungry) this.wake();
  }

  /** Handles a ring of the queue: an id is due at that time. */
  rung(dueAt: number): void {
    const now = this.#parts.clock.now();
    if (dueAt <= now) this.wake();
    else this.#arm(dueAt - now);
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      await this.#claim();
    } while (this.#again && this.#running && !this.#pausing);
    this.#claiming = false;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (this.#running && !this.#pausing) this.#arm(this.#parts.sweepMillis);
  }

  async #claim(): Promise<void> {
    const { clock, entropy, queueHealth, availability, queue, pool, batch, leaseMillis } = this.#parts;
    this.pulse.beat();
    const max = Math.min(batch, pool.room);
    if (max <= 0 || availability.trouble !== undefined) {
      this.#hungry = true;
      return;
    }
    const sent = stampOf(clock);
    try {
      const { claimed, nextDueAt, unasked } = await queue.claim(max, leaseMillis);
      for (const each of claimed) pool.take(each, each.sent ?? sent);
      const now = clock.now();
      const more = claimed.length === max && nextDueAt !== undefined && nextDueAt <= now;
      pool.queueHasMore = more;
      this.#hungry = more;
      if (more) this.#again = pool.room > 0;
      else if (nextDueAt !== undefined) this.#arm(Math.max(0, nextDueAt - now));
      if (unasked === true) return;
      queueHealth.answered();
      this.#failures = 0;
    } catch (error) {
      queueHealth.failed('claim', error);
      this.#failures++;
      if (!this.#running) return;
      this.#pausing = true;
      this.#disarm();
      this.#timer = clock.after(backoffMillis(this.#failures, entropy.random()), () => {
        this.#timer = undefined;
        this.#pausing = false;
        this.wake();
      });
    }
  }

  /** Wakes the loop in `millis` at the latest. */
  #arm(millis: number): void {
    if (!this.#running || this.#pausing) return;
    const wait = Math.min(millis, this.#parts.sweepMillis);
    const at = this.#parts.clock.monotonic() + wait;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#parts.clock.after(wait, () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.wake();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }
}
