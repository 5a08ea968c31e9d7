import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import { type Availability, backoffMillis } from './availability.ts';
import { pause } from './coalescer.ts';

/** What patient reads need. */
export interface PatientReadsParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly availability: Availability;
  readonly store: Pick<Store, 'readInbox' | 'readOutputs' | 'findUndo' | 'findStanding' | 'listStandingRequests'>;
}

/**
 * Reads the store for held executions. While the store is unavailable, it repeats reads with backoff, so that an outage
 * never counts against an execution. The methods correspond to those of {@link Store}. After `stop` they throw at once
 * during an outage.
 */
export class PatientReads implements Pick<
  Store,
  'readInbox' | 'readOutputs' | 'findUndo' | 'findStanding' | 'listStandingRequests'
> {
  readonly #parts: PatientReadsParts;
  #stopped = false;

  constructor(parts: PatientReadsParts) {
    this.#parts = parts;
  }

  /** Ends the repetitions. */
  stop(): void {
    this.#stopped = true;
  }

  readInbox(...asked: Parameters<Store['readInbox']>): ReturnType<Store['readInbox']> {
    return this.repeat('readInbox', () => this.#parts.store.readInbox(...asked));
  }

  readOutputs(...asked: Parameters<Store['readOutputs']>): ReturnType<Store['readOutputs']> {
    return this.repeat('readOutputs', () => this.#parts.store.readOutputs(...asked));
  }

  findUndo(...asked: Parameters<Store['findUndo']>): ReturnType<Store['findUndo']> {
    return this.repeat('findUndo', () => this.#parts.store.findUndo(...asked));
  }

  findStanding(...asked: Parameters<Store['findStanding']>): ReturnType<Store['findStanding']> {
    return this.repeat('findStanding', () => this.#parts.store.findStanding(...asked));
  }

  listStandingRequests(...asked: Parameters<Store['listStandingRequests']>): ReturnType<Store['listStandingRequests']> {
    return this.repeat('listStandingRequests', () => this.#parts.store.listStandingRequests(...asked));
  }

  /** Makes any other read in the same way. */
  async repeat<T>(operation: string, read: () => Promise<T>): Promise<T> {
    const { clock, entropy, availability } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        const value = await read();
        availability.answered('read');
        return value;
      } catch (error) {
        if (!availability.failed(operation, error) || this.#stopped) throw error;
        await pause(clock, backoffMillis(attempt, entropy.random()));
      }
    }
  }
}
