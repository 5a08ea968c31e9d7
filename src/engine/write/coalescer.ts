import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type Availability, backoffMillis } from './availability.ts';
import { Overloaded } from '../settings.ts';

/** Receives the result of an entry. Neither method may throw. */
export interface Sink<R> {
  settled(result: R): void;
  /**
   * The entry was not written: the store refused it, or its patience has expired (`error` is then the unavailability of
   * the store).
   */
  failed(error: unknown): void;
}

/** The operation of a coalescer, and its bounds. */
export interface CoalescerOptions<T, R> {
  /** Names the operation in logs and metrics. */
  readonly operation: string;
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Maximum number of waiting entries; `add` refuses further ones. */
  readonly maxWaiting: number;
  /** How long a batch is retried while the store is unavailable; absent: no limit. */
  readonly patienceMillis?: number;
  /** Whether an answer proves that the store accepts writes; default true. */
  readonly writes?: boolean;
  /** Sends a batch; returns the results in the order of the batch. */
  send(batch: readonly T[]): Promise<readonly R[]>;
  /** Called with the size and duration of every answered batch. */
  sent?(rows: number, millis: number): void;
}

/** What every coalescer needs. */
export interface CoalescerParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly availability: Availability;
}

interface Entry<T, R> {
  readonly value: T;
  readonly bytes: number;
  readonly sink: Sink<R>;
}

/**
 * Group commit: while one batch is under way, new entries gather for the next.
 *
 * Guarantees: each entry gets exactly one answer. Entries are sent in the order of their arrival. A batch that the store
 * did not answer is sent again unchanged, with backoff, until it is answered or the patience of its entries expires. A
 * batch that fails for another reason is halved until the faulty entry fails alone.
 *
 * What wakes it: a new entry. What stops it: an empty backlog.
 */
export class Coalescer<T, R> {
  readonly #parts: CoalescerParts;
  readonly #options: CoalescerOptions<T, R>;
  #waiting: Entry<T, R>[] = [];
  #running = false;
  #idle: (() => void)[] = [];

  constructor(parts: CoalescerParts, options: CoalescerOptions<T, R>) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Number of waiting entries, without those under way. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a batch is under way, retries included. */
  get isBusy(): boolean {
    return this.#running;
  }

  /**
   * Adds an entry of about `bytes` bytes.
   *
   * @throws Overloaded when too many wait.
   */
  add(value: T, bytes: number, sink: Sink<R>): void {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      throw new Overloaded(`Too many entries wait for the store (${this.#options.operation}).`);
    }
    this.#waiting.push({ value, bytes, sink });
    if (this.#running) return;
    this.#running = true;
    // Starts one microtask later, so that entries of the same event form one batch.
    void Promise.resolve().then(() => this.#run());
  }

  /** Adds an entry and returns its result as a promise. */
  request(value: T, bytes: number): Promise<R> {
    return new Promise((resolve, reject) => {
      this.add(value, bytes, { settled: resolve, failed: reject });
    });
  }

  /** Resolves once nothing waits and nothing is under way. */
  drained(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#send(this.#next());
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #next(): readonly Entry<T, R>[] {
    const { maxRows, maxBytes } = this.#options;
    let bytes = 0;
    let rows = 0;
    while (rows < this.#waiting.length && rows < maxRows) {
      bytes += (this.#waiting[rows] as Entry<T, R>).bytes;
      if (rows > 0 && bytes > maxBytes) break;
      rows++;
    }
    if (rows === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, rows);
  }

  async #send(batch: readonly Entry<T, R>[]): Promise<void> {
    const { clock, entropy, availability, telemetry } = this.#parts;
    const { operation, patienceMillis } = this.#options;
    const begun = clock.monotonic();
    const values = batch.map((entry) => entry.value);
    for (let attempt = 1; ; attempt++) {
      try {
        const results = await this.#options.send(values);
        availability.answered(this.#options.writes === false ? 'read' : 'write');
        this.#options.sent?.(batch.length, clock.monotonic() - begun);
        for (let i = 0; i < batch.length; i++) (batch[i] as Entry<T, R>).sink.settled(results[i] as R);
        return;
      } catch (error) {
        if (!availability.failed(operation, error)) {
          telemetry.log('error', 'statement failed', { operation, rows: batch.length, error: String(error) });
          await this.#halve(batch, error);
          return;
        }
        if (patienceMillis !== undefined && clock.monotonic() - begun >= patienceMillis) {
          for (const entry of batch) entry.sink.failed(error);
          return;
        }
        await pause(clock, backoffMillis(attempt, entropy.random()));
      }
    }
  }

  async #halve(batch: readonly Entry<T, R>[], error: unknown): Promise<void> {
    if (batch.length === 1) {
      batch[0]?.sink.failed(error);
      return;
    }
    const middle = batch.length >> 1;
    await this.#send(batch.slice(0, middle));
    await this.#send(batch.slice(middle));
  }
}

/** Resolves after `millis` of the clock. */
export function pause(clock: Clock, millis: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(millis, resolve);
  });
}
