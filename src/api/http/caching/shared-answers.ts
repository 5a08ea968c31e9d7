import type { Clock, Timer } from '../../../ports/clock.ts';
import { ApiError } from '../failure.ts';

/** How long an answer is good for equal questions. */
const freshMillis = 2_000;
/** Questions of one caller that are worked on at the same time. */
const maxOfCaller = 4;
/** How long a further question waits for its turn. */
const patienceMillis = 2_000;
/** Answers kept. */
const maxKept = 500;

interface Kept {
  readonly answer: Promise<string>;
  /** Monotonic; absent while the answer is made. */
  doneAt?: number;
}

/**
 * The answers to costly questions. Equal questions share an answer while it is made and for {@link freshMillis} after it. Each caller has a
 * bounded number of questions under way; a further one waits for its turn, up to {@link patienceMillis}.
 */
export class SharedAnswers {
  readonly #clock: () => Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #busy = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(clock: () => Clock) {
    this.#clock = clock;
  }

  /**
   * The answer to a question of a caller. `key` must be the same for callers that see the same alone.
   *
   * @throws ApiError `too_many_waiting` if too many other questions of the caller are under way for too long.
   */
  answer(caller: string, key: string, make: () => Promise<string>): Promise<string> {
    const known = this.#kept.get(key);
    if (known !== undefined && this.#isFresh(known)) return known.answer;
    const kept: Kept = { answer: this.#make(caller, make) };
    this.#keep(key, kept);
    void kept.answer.then(
      () => {
        kept.doneAt = this.#clock().monotonic();
      },
      () => {
        // A failure is told to those that wait for it, and to no others.
        if (this.#kept.get(key) === kept) this.#kept.delete(key);
      },
    );
    return kept.answer;
  }

  async #make(caller: string, make: () => Promise<string>): Promise<string> {
    await this.#enter(caller);
    try {
      return await make();
    } finally {
      this.#leave(caller);
    }
  }

  #isFresh({ doneAt }: Kept): boolean {
    return doneAt === undefined || this.#clock().monotonic() - doneAt < freshMillis;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }

  async #enter(caller: string): Promise<void> {
    const busy = this.#busy.get(caller) ?? 0;
    if (busy < maxOfCaller) {
      this.#busy.set(caller, busy + 1);
      return;
    }
    const queue = this.#waiting.get(caller) ?? [];
    this.#waiting.set(caller, queue);
    await new Promise<void>((resolve, reject) => {
      const timer: Timer = this.#clock().after(patienceMillis, () => {
        queue.splice(queue.indexOf(go), 1);
        reject(new ApiError('too_many_waiting'));
      });
      const go = (): void => {
        timer.cancel();
        resolve();
      };
      queue.push(go);
    });
  }

  /** Gives the place of a question to the next one of the caller. */
  #leave(caller: string): void {
    const next = this.#waiting.get(caller)?.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#waiting.delete(caller);
    const busy = (this.#busy.get(caller) ?? 1) - 1;
    if (busy === 0) this.#busy.delete(caller);
    else this.#busy.set(caller, busy);
  }
}
