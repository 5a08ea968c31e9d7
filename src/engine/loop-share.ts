import { apply, type Env, type Run, type Transition } from '../core/apply.ts';
import type { Event } from '../core/event.ts';
import type { Meter } from '../core/meter.ts';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, LongTurnKind } from '../ports/telemetry.ts';
import { turnFields, type WatchdogParts, watchTurn } from './watchdog.ts';

/** The limits of one turn. */
export interface LoopShareLimits {
  readonly maxTurnSteps: number;
  readonly maxTurnBytes: number;
}

/** From this part of the share on a timer refills it. Smaller work adds up only over many turns. */
const noticeablePart = 1 / 16;

/**
 * Bounds what the engine of a process does in one turn of the event loop, over all its executions.
 *
 * A batch of checkpoints is answered at once, for hundreds of executions; each of them may have conditions to evaluate
 * and requests to render. Such work is charged here, and once the share is spent the next piece waits for another turn.
 * Between turns the process answers health checks, renews leases and takes requests. The watchdog measures what runs
 * here.
 *
 * The share is counted in the core's steps and bytes, not in time, so that the same work is cut alike on every machine.
 * A timer refills it, which runs only after work was charged.
 */
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

  /** Calls `work` in a later turn, after everything else that waits for one. It must not throw. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#refillSoon();
  }

  /**
   * Calls `work`, which charges its cost: now, or as soon as a turn has room for it. Throws or rejects as `work`
   * throws.
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
        // Work that is put off again meanwhile waits for the turn after this one.
        for (let left = this.#waiting.length; left > 0 && !this.isSpent; left--) this.#waiting.shift()?.();
      } finally {
        // Only after this work: a timer that is due by its end would fire before the process has looked at its sockets.
        this.#isRefilling = false;
        if (this.#waiting.length > 0 || this.#used >= noticeablePart) this.#refillSoon();
      }
    });
  }
}
