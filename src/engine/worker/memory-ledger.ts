/** About how many bytes the executions in hand take, and whether there is room for more. */
import type { Clock } from '../../ports/clock.ts';

/** How long a load waits for room; then the execution is given back, for a process that has some. */
const patienceMillis = 5_000;

/** What an execution in hand takes beside its payload, its outputs and its answers. */
export const executionBytes = 4_096;
/** About what a character of JSON text takes once it is parsed, in bytes, its text included. */
export const bytesPerChar = 4;

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * The bound of all executions in hand.
 *
 * Guarantees: nothing new is claimed or started directly while as much as `maxBytes` is in hand; what is loaded is admitted in
 * the order in which it came, and one that is large by itself at the latest when half of the room is free, so that nothing waits
 * for ever. What is in hand already goes on, so that the bound may be exceeded by what it is answered.
 */
export class MemoryLedger {
  readonly maxBytes: number;
  readonly #clock: Clock;
  readonly #roomFreed: () => void;
  #bytes = 0;
  #waiting: Waiting[] = [];

  /** `roomFreed` is called each time the bound is not reached any more. */
  constructor(clock: Clock, maxBytes: number, roomFreed: () => void) {
    this.#clock = clock;
    this.maxBytes = maxBytes;
    this.#roomFreed = roomFreed;
  }

  /** Bytes in hand now, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing new may be taken in hand. */
  get isFull(): boolean {
    return this.#bytes >= this.maxBytes || this.#waiting.length > 0;
  }

  /** As many more bytes are in hand; fewer where negative. */
  add(bytes: number): void {
    if (bytes === 0) return;
    const wasFull = this.isFull;
    this.#bytes += bytes;
    if (bytes > 0) return;
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0] as Waiting)) this.#waiting.shift()?.admit();
    if (wasFull && !this.isFull) this.#roomFreed();
  }

  /** Keeps room for what is about to be loaded, to be given back by {@link MemoryLedger.add}. False: there was none for a while. */
  reserve(bytes: number): true | Promise<boolean> {
    if (this.#waiting.length === 0 && this.#fits({ bytes })) {
      this.#bytes += bytes;
      return true;
    }
    return new Promise((resolve) => {
      const timer = this.#clock.after(patienceMillis, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        resolve(false);
        if (!this.isFull) this.#roomFreed();
      });
      const waiting = {
        bytes,
        admit: (): void => {
          timer.cancel();
          this.#bytes += bytes;
          resolve(true);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #fits({ bytes }: Pick<Waiting, 'bytes'>): boolean {
    return this.#bytes + Math.min(bytes, this.maxBytes / 2) <= this.maxBytes;
  }
}
