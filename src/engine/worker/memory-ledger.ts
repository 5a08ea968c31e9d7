import type { Clock } from '../../ports/clock.ts';

/** How long a load waits for room, in ms. Then the execution is released for a process that has room. */
const patienceMillis = 5_000;

/** Estimated bytes of a held execution besides its payload, outputs and answers. */
export const executionBytes = 4_096;
/** Estimated bytes of parsed JSON per character of its text, the text included. */
export const bytesPerChar = 4;

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Estimates the bytes of all held executions, and bounds them.
 *
 * Guarantees: while `maxBytes` are held, the process claims nothing and starts nothing directly. Loads are admitted in the
 * order of their arrival; a large load is admitted at the latest when half of the room is free, so that none waits for
 * ever. Held executions continue, so their answers may exceed the bound.
 */
export class MemoryLedger {
  readonly maxBytes: number;
  readonly #clock: Clock;
  readonly #roomFreed: () => void;
  #bytes = 0;
  #waiting: Waiting[] = [];

  /** `roomFreed` is called whenever the held bytes fall below the bound. */
  constructor(clock: Clock, maxBytes: number, roomFreed: () => void) {
    this.#clock = clock;
    this.maxBytes = maxBytes;
    this.#roomFreed = roomFreed;
  }

  /** Bytes held, estimated. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing new may be taken. */
  get isFull(): boolean {
    return this.#bytes >= this.maxBytes || this.#waiting.length > 0;
  }

  /** Adds held bytes; removes them where negative. */
  add(bytes: number): void {
    if (bytes === 0) return;
    const wasFull = this.isFull;
    this.#bytes += bytes;
    if (bytes > 0) return;
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0] as Waiting)) this.#waiting.shift()?.admit();
    if (wasFull && !this.isFull) this.#roomFreed();
  }

  /** Reserves room for a load; {@link MemoryLedger.add} frees it. False if there was no room in time. */
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
