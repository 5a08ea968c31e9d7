/**
 * Which executions wait blocked for what, as far as this process has seen them: when a hold is lifted, a circuit closes or a
 * place becomes free, they are told at once instead of looking again by themselves. Only a hint: what is not listed, after
 * a restart or beyond the bound, looks again soon enough.
 */
import type { Clock, Timer } from '../../ports/clock.ts';

/** Executions listed at most. */
const maxListed = 100_000;
/** Executions told at once, and the pause after that: a crowd must not trample a host that has just come back. */
const batch = 100;
const pauseMillis = 25;

/** See the file header. */
export class WaitingList {
  readonly #clock: Clock;
  readonly #byReason = new Map<string, Set<string>>();
  #listed = 0;
  #free: string[] = [];
  #timer: Timer | undefined;
  /** Told of executions that may try again. */
  retry: (executionId: string) => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many wait for that. */
  count(reason: string): number {
    return this.#byReason.get(reason)?.size ?? 0;
  }

  /** How many wait for anything of that kind: reasons that begin so. */
  countOf(kind: string): number {
    let count = 0;
    for (const [reason, { size }] of this.#byReason) if (reason.startsWith(kind)) count += size;
    return count;
  }

  /** Lists an execution; again is fine. */
  add(reason: string, executionId: string): void {
    if (this.#listed >= maxListed) return;
    const waiting = this.#byReason.get(reason) ?? new Set();
    this.#byReason.set(reason, waiting);
    if (waiting.has(executionId)) return;
    waiting.add(executionId);
    this.#listed++;
  }

  /** Lets the `most` of those that have waited longest try again. */
  release(reason: string, most: number = Infinity): void {
    const waiting = this.#byReason.get(reason);
    if (waiting === undefined) return;
    // One that is let go by each call that ends must not cost a look at all that wait.
    let left = most;
    for (const id of waiting) {
      if (left-- <= 0) break;
      waiting.delete(id);
      this.#free.push(id);
    }
    if (waiting.size === 0) this.#byReason.delete(reason);
    this.#timer ??= this.#clock.after(0, () => {
      this.#tell();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listed -= this.#free.length;
    this.#free = [];
  }

  #tell(): void {
    const told = this.#free.splice(0, batch);
    // Those that are still to be told take room, too.
    this.#listed -= told.length;
    for (const id of told) this.retry(id);
    this.#timer =
      this.#free.length === 0
        ? undefined
        : this.#clock.after(pauseMillis, () => {
            this.#tell();
          });
  }
}
