import type { VirtualClock } from './virtual-clock.ts';

/** Options of a {@link Trace}. */
export interface TraceOptions {
  /** Receives lines; absent: only the hash is kept. */
  readonly print?: (line: string) => void;
}

/**
 * Records the events of a simulated run: always a hash of every line, and the lines themselves on demand. Two runs are
 * the same exactly when their hashes are.
 */
export class Trace {
  readonly #clock: VirtualClock;
  readonly #print: ((line: string) => void) | undefined;
  #low = 0x811c9dc5;
  #high = 0x2c1b3c6d;
  #lines = 0;

  constructor(clock: VirtualClock, options: TraceOptions = {}) {
    this.#clock = clock;
    this.#print = options.print;
  }

  /** Notes one event of `who`. */
  note(who: string, what: string): void {
    const line = `${String(Math.round(this.#clock.monotonic()))} ${who} ${what}`;
    this.#lines++;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ code, 0x85ebca6b) ^ (this.#high >>> 13);
    }
    this.#print?.(line);
  }

  /** Sixteen hexadecimal digits over all lines so far, and their number. */
  get hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return `${hex(this.#low)}${hex(this.#high)}-${String(this.#lines)}`;
  }
}
