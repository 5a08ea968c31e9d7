import type { Clock, Timer } from '../src/ports/clock.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * The time of one simulated process, and the gate through which timers and answers reach it.
 *
 * Nothing reaches a dead process: its memory is gone. Nothing reaches a frozen process until it thaws; then everything
 * comes in order, to its old state, as after SIGSTOP and SIGCONT or a long pause of a virtual machine.
 */
export class ProcessClock implements Clock {
  readonly #base: VirtualClock;
  #skew: number;
  #state: 'alive' | 'frozen' | 'dead' = 'alive';
  #held: (() => void)[] = [];
  #freezes = 0;

  /** `skew` is the difference of its wall time, in milliseconds. */
  constructor(base: VirtualClock, skew: number) {
    this.#base = base;
    this.#skew = skew;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  /** How often it was frozen. */
  get freezes(): number {
    return this.#freezes;
  }

  now(): number {
    return this.#base.now() + this.#skew;
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  after(millis: number, fire: () => void): Timer {
    let cancelled = false;
    const timer = this.#base.after(millis, () =>
      this.deliver(() => {
        if (!cancelled) fire();
      }),
    );
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  /** Calls the action now, after the thaw, or never. */
  deliver(action: () => void): void {
    if (this.#state === 'alive') action();
    else if (this.#state === 'frozen') this.#held.push(action);
  }

  /** Moves its wall time to another difference. */
  jumpTo(skew: number): void {
    this.#skew = skew;
  }

  /** Freezes the process. */
  freeze(): void {
    if (this.#state !== 'alive') return;
    this.#state = 'frozen';
    this.#freezes++;
  }

  /** Thaws the process. Held timers and answers come one by one, each in its own turn of the event loop. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'alive';
    for (const action of this.#held.splice(0)) this.#base.after(0, () => this.deliver(action));
  }

  /** Kills the process. */
  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }
}
