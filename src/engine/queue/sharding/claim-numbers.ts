import type { Clock } from '../../../ports/clock.ts';

/**
 * Numbers of claims, and which of them may be held on the server without this process knowing.
 *
 * An answer that got lost may have put ids in flight under numbers that nobody here works on: orphans. The next complete
 * renewal of their shard frees everything that is not listed and older than the oldest claim still under way. Until the
 * request cannot arrive any more, later renewals do so again.
 */
export class ClaimNumbers {
  readonly #clock: Clock;
  #last = 0;
  /** First numbers of claims under way, oldest first. */
  readonly #pending = new Set<number>();
  /** Answered in this turn of the event loop. */
  readonly #over: number[] = [];
  /** By shard: which claim may have left some, the latest one, and until when its request may still arrive. */
  readonly #orphans = new Map<number, { readonly number: number; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes `count` numbers for a claim, from `number` on; `done` says that it was answered, or failed. */
  take(count: number): { readonly number: number; readonly done: () => void } {
    const number = this.#last + 1;
    this.#last += count;
    this.#pending.add(number);
    return { number, done: () => this.#answered(number) };
  }

  /** What was claimed is in nobody's hands until whoever asked has gone on: microtasks, which a timer comes after. */
  #answered(number: number): void {
    this.#over.push(number);
    if (this.#over.length > 1) return;
    this.#clock.after(0, () => {
      for (const each of this.#over.splice(0)) this.#pending.delete(each);
    });
  }

  /** Every number below it belongs to a claim that is over. */
  get oldestPending(): number {
    const [oldest] = this.#pending;
    return oldest ?? this.#last + 1;
  }

  /** The claim `number` in this shard got no answer: nothing of it is in anybody's hands. It may arrive within `millis`. */
  orphaned(shard: number, number: number, millis: number): void {
    this.#pending.delete(number);
    this.#orphans.set(shard, { number, until: this.#clock.monotonic() + millis });
  }

  /** Shards that may have orphans. */
  get orphanShards(): readonly number[] {
    return [...this.#orphans.keys()];
  }

  /** A complete renewal of the shard was answered, which freed what is below that number; it was sent at that monotonic time. */
  settled(shard: number, below: number, sentAt: number): void {
    const orphan = this.#orphans.get(shard);
    if (orphan !== undefined && orphan.number < below && orphan.until <= sentAt) this.#orphans.delete(shard);
  }
}
