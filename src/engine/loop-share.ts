/**
 * What the engine of a process may do in one turn of the event loop, over all executions in hand.
 *
 * A batch of checkpoints is answered at once, for hundreds of executions; each of them may have conditions to evaluate and requests to
 * render. Work of that kind is charged here, and the next piece waits for another turn once the share is used up. In between the process
 * answers its health, renews leases and takes requests.
 *
 * The share is counted in the core's steps and bytes, not in time, so that the same work is cut alike everywhere. It is filled again by
 * a timer, which runs only while something has been done.
 */
import { apply, type Env, type Run, type Transition } from '../core/apply.ts';
import type { Event } from '../core/event.ts';
import type { Meter } from '../core/meter.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind } from '../ports/telemetry.ts';
import { turnFields, type WatchdogParts, watchTurn } from './watchdog.ts';

/** One turn's share. */
export interface LoopShareLimits {
  readonly maxTurnSteps: number;
  readonly maxTurnBytes: number;
}

/** From this part of the share on a timer fills it again: smaller work comes to so much only over many turns. */
const noticeablePart = 1 / 16;

/** The share of one process. What runs under it is measured by the watchdog, too. */
export class LoopShare implements Meter {
  readonly #parts: WatchdogParts & { readonly clock: Pick<Clock, 'monotonic' | 'after'> };
  readonly #limits: LoopShareLimits;
  /** How much of the share is used: 1 is all of it. */
  #used = 0;
  #isRefilling = false;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: WatchdogParts & { readonly clock: Pick<Clock, 'monotonic' | 'after'> }, limits: LoopShareLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  charge(steps: number, bytes: number): void {
    this.#used += steps / this.#limits.maxTurnSteps + bytes / this.#limits.maxTurnBytes;
    if (this.#used >= noticeablePart) this.#refillSoon();
  }

  /** Whether further work has to wait for another turn. */
  get isSpent(): boolean {
    return this.#used >= 1;
  }

  /** Does `work` in a later turn, after whatever else waits for one. It must not throw. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#refillSoon();
  }

  /** Does `work`, which charges what it costs: now, or as soon as a turn has room for it. Throws, or rejects, as `work` throws. */
  run<T>(work: () => T, kind: LongTurnKind, fields: () => LogFields): T | Promise<T> {
    if (!this.isSpent) return this.#measured(work, kind, fields);
    return new Promise<T>((resolve, reject) => {
      this.later(() => {
        try {
          resolve(this.#measured(work, kind, fields));
        } catch (error) {
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- whatever it is, it is passed on
          reject(error);
        }
      });
    });
  }

  /** The core's `apply`, charged and measured. */
  apply(run: Run, event: Event, env: Env): Transition {
    const begun = this.#parts.clock.monotonic();
    const transition = apply(run, event, env);
    this.charge(transition.work.steps, transition.work.bytes);
    watchTurn(this.#parts, 'apply', begun, () => turnFields(run));
    return transition;
  }

  #measured<T>(work: () => T, kind: LongTurnKind, fields: () => LogFields): T {
    const begun = this.#parts.clock.monotonic();
    try {
      return work();
    } finally {
      watchTurn(this.#parts, kind, begun, fields);
    }
  }

  #refillSoon(): void {
    if (this.#isRefilling) return;
    this.#isRefilling = true;
    this.#parts.clock.after(0, () => {
      this.#used = 0;
      try {
        // What is put off again while this goes on waits for the turn after it.
        for (let left = this.#waiting.length; left > 0 && !this.isSpent; left--) this.#waiting.shift()?.();
      } finally {
        // Not before this work is done: a timer that is due by its end would fire before the process has looked at its sockets.
        this.#isRefilling = false;
        if (this.#waiting.length > 0 || this.#used >= noticeablePart) this.#refillSoon();
      }
    });
  }
}
