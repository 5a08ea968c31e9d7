import type { Clock } from '../../../ports/clock.ts';

/**
 * Numbers the claims, and tracks which of them the server may hold without the knowledge of this process.
 *
 * A lost answer may have put ids in flight under numbers that this process does not work on: orphans. The next complete
 * renewal of their shard frees every unlisted id that is older than the oldest claim under way. Later renewals repeat
 * this until the lost request can no longer arrive.
 */
export class ClaimNumbers {
  readonly #clock: Clock;
  #last = 0;
  /** First numbers of claims under way, oldest first. */
  readonly #pending = new Set<number>();
  /** Claims that were answered in this turn of the event loop. */
  readonly #over: number[] = [];
  /** By shard: the latest claim that may have left orphans, and until when its request may still arrive. */
  readonly #orphans = new Map<number, { readonly number: number; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes `count` numbers for a claim, from `number` on. Call `done` when the claim was answered or failed. */
  take(count: number): { readonly number: number; readonly done: () => void } {
    const number = this.#last + 1;
    this.#last += count;
    this.#pending.add(number);
    return { number, done: () => this.#answered(number) };
  }

  /** The caller takes up the claimed ids in microtasks after the answer. The timer fires after those. */
  #answered(number: number): void {
    this.#over.push(number);
    if (this.#over.length > 1) return;
    this.#clock.after(0, () => {
      for (const each of this.#over.splice(0)) this.#pending.delete(each);
    });
  }

  /** The lowest number of a claim under way: every lower number belongs to a finished claim. */
  get oldestPending(): number {
    const [oldest] = this.#pending;
    return oldest ?? this.#last + 1;
  }

  /**
   * The claim `number` in this shard got no answer, so this process works on none of its ids. Its request may still
   * arrive within `millis`.
   */
  orphaned(shard: number, number: number, millis: number): void {
    this.#pending.delete(number);
    this.#orphans.set(shard, { number, until: this.#clock.monotonic() + millis });
  }

  /** Shards that may have orphans. */
  get orphanShards(): readonly number[] {
    return [...this.#orphans.keys()];
  }

  /**
   * A complete renewal of the shard, sent at that monotonic time, was answered: it freed all numbers lower than
   * `below`.
   */
  settled(shard: number, below: number, sentAt: number): void {
    const orphan = this.#orphans.get(shard);
    if (orphan !== undefined && orphan.number < below && orphan.until <= sentAt) this.#orphans.delete(shard);
  }
}
