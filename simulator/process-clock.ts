import type { Clock, Timer } from '../src/ports/clock.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * The time of one simulated process, and the gate through which everything reaches it: timers and answers.
 *
 * A dead process gets nothing any more: what it had in memory is gone. A frozen one gets nothing until it thaws, and then
 * all of it in order, with its old state, as after SIGSTOP and SIGCONT or a long pause of a virtual machine.
 */
export class ProcessClock implements Clock {
  readonly #base: VirtualClock;
  #skew: number;
  #state: 'alive' | 'frozen' | 'dead' = 'alive';
  #held: (() => void)[] = [];
  #freezes = 0;

  /** `skew` is by how much its wall time differs, in milliseconds. */
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

  /** How often it stood still. */
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

  /** Does it now, when it thaws, or never. */
  deliver(action: () => void): void {
    if (this.#state === 'alive') action();
    else if (this.#state === 'frozen') this.#held.push(action);
  }

  /** Its wall time jumps to another difference. */
  jumpTo(skew: number): void {
    this.#skew = skew;
  }

  /** Stops getting anything, until it thaws. */
  freeze(): void {
    if (this.#state !== 'alive') return;
    this.#state = 'frozen';
    this.#freezes++;
  }

  /** Goes on where it was. What was held comes one by one, each in its own turn of the event loop. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'alive';
    for (const action of this.#held.splice(0)) this.#base.after(0, () => this.deliver(action));
  }

  /** It is gone. */
  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }
}
