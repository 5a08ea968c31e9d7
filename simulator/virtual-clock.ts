import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Entropy, Timer } from '../src/ports/clock.ts';
import { DueHeap, type HeapItem } from '../src/queue/memory/due-heap.ts';

interface Alarm extends HeapItem {
  readonly fire: () => void;
}

/**
 * A clock that moves only on request. With this clock, seeded ids and seeded randomness, several engines run
 * deterministically in one thread.
 *
 * Timers fire in the order of their instants, then of their arrival. Between two timers every promise that can settle
 * settles: the clock lets the host's macrotask queue turn until nothing is left to do.
 */
export class VirtualClock implements Clock {
  readonly #alarms: DueHeap<Alarm> = new DueHeap();
  #monotonic = 0;
  #wall: number;

  /** `start` is the wall time at which it begins. */
  constructor(start: number = Date.UTC(2030, 0, 1)) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(millis: number, fire: () => void): Timer {
    const alarm: Alarm = { dueAt: this.#monotonic + Math.max(0, millis), order: 0, place: -1, fire };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        if (alarm.place >= 0) this.#alarms.remove(alarm);
      },
    };
  }

  /** Number of timers that have not fired: a test that ends with some has leaked them. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Moves wall time by `millis` (also backwards); no timer fires. */
  jump(millis: number): void {
    this.#wall += millis;
  }

  /** Lets both times pass without a timer firing, as in a stopped process; due timers fire at the next advance. */
  freeze(millis: number): void {
    this.#pass(millis);
  }

  /** Lets `millis` pass, firing every timer that becomes due at its instant. */
  async advance(millis: number): Promise<void> {
    const end = this.#monotonic + millis;
    await settle();
    for (let alarm = this.#alarms.first; alarm !== undefined && alarm.dueAt <= end; alarm = this.#alarms.first) {
      this.#alarms.remove(alarm);
      this.#pass(Math.max(0, alarm.dueAt - this.#monotonic));
      alarm.fire();
      await settle();
    }
    this.#pass(end - this.#monotonic);
  }

  /**
   * Advances from timer to timer until `done` holds, at most `maxMillis`; answers whether it held. Without `done`: until no
   * timer is left.
   */
  async runUntilIdle(maxMillis: number, done: () => boolean = () => false): Promise<boolean> {
    const end = this.#monotonic + maxMillis;
    for (;;) {
      await settle();
      if (done()) return true;
      const next = this.#alarms.first;
      if (next === undefined || next.dueAt > end) return false;
      await this.advance(Math.max(0, next.dueAt - this.#monotonic));
    }
  }

  #pass(millis: number): void {
    this.#monotonic += millis;
    this.#wall += millis;
  }
}

/** Lets everything settle that waits for no timer: chains of promises, and work that yields once to the event loop. */
async function settle(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

/** Seeded {@link Entropy}: the same seed gives the same ids, nonces and numbers in the same order. */
export class SeededEntropy implements Entropy {
  #state: number;

  /** `seed` is any integer. */
  constructor(seed: number) {
    // Zero is the one state that a xorshift never leaves.
    this.#state = Math.imul(seed | 0, 0x2c1b3c6d) ^ 0x297a2d39 || 1;
  }

  uuid(now: number): string {
    const time = Math.max(0, Math.trunc(now)).toString(16).padStart(12, '0').slice(-12);
    const variant = (8 + Math.floor(this.random() * 4)).toString(16);
    const tail = `7${this.#hex(3)}-${variant}${this.#hex(3)}-${this.#hex(12)}`;
    return `${time.slice(0, 8)}-${time.slice(8)}-${tail}`;
  }

  nonce(): string {
    return this.#hex(24);
  }

  /** A 32-bit xorshift whose word is scrambled by a multiplication: small, and good enough to choose schedules. */
  random(): number {
    let word = this.#state;
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    this.#state = word;
    const mixed = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  }

  #hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += Math.floor(this.random() * 16).toString(16);
    return text;
  }
}
