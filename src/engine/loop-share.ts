import { apply, type Env, type Run, type Transition } from '../core/apply.ts';
import type { Event } from '../core/event.ts';
import type { Meter } from '../core/meter.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind } from '../ports/telemetry.ts';
import { type WatchdogParts, watchRun, watchTurn } from './watchdog.ts';

/** The limits of one turn. */
export interface LoopShareLimits {
  readonly maxTurnSteps: number;
  readonly maxTurnBytes: number;
}

/** Used part of the share that sets the refill timer. Smaller work matters only when it adds up over many turns. */
const noticeablePart = 1 / 16;

/**
 * Bounds the work of an engine in one turn of the event loop, over all its executions.
 *
 * The result of one batch of checkpoints may wake hundreds of executions, each with conditions to evaluate and requests
 * to render. This work is charged here, and once the share is spent, further work waits for another turn. Between turns
 * the process answers health checks, renews leases and accepts requests. The watchdog measures each piece of work.
 *
 * The share counts steps and bytes of the core instead of time, so that every machine divides the same work in the same
 * way. A timer refills the share; it runs only after work was charged.
 */
export class LoopShare implements Meter {
  readonly #parts: WatchdogParts & { readonly clock: Pick<Clock, 'monotonic' | 'after'> };
  readonly #limits: LoopShareLimits;
  /** The used part of the share; 1 is all of it. */
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

  /** Calls `work` in a later turn, after all work that already waits. It must not throw. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#refillSoon();
  }

  /**
   * Calls `work`, which charges its cost, now or as soon as a turn has room. Throws or rejects as `work` throws.
   */
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
    watchRun(this.#parts, 'apply', begun, run);
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
        // Work that is deferred again during this loop waits for the next turn.
        for (let left = this.#waiting.length; left > 0 && !this.isSpent; left--) this.#waiting.shift()?.();
      } finally {
        // Set the timer only after this work. A timer that became due during the work would fire before the process polls its sockets.
        this.#isRefilling = false;
        if (this.#waiting.length > 0 || this.#used >= noticeablePart) this.#refillSoon();
      }
    });
  }
}
