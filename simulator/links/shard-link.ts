import type { Ring, ShardQueue, ShardQueueListener } from '../../src/ports/shard-queue.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { ProcessClock } from '../process-clock.ts';
import type { Wire } from './wire.ts';

/** Faults of rings, as probabilities per ring. */
export interface BellFaults {
  readonly lost: number;
  readonly doubled: number;
  /** Comes up to three seconds later. */
  readonly late: number;
}

/** What a link needs. */
export interface ShardLinkParts {
  readonly clock: VirtualClock;
  readonly process: ProcessClock;
  readonly random: Random;
  readonly wire: Wire;
  readonly bells: () => BellFaults;
  /** Whether the server can be reached from this process now. */
  readonly isUp: () => boolean;
}

type Method = (...args: unknown[]) => Promise<unknown>;

const lookAgainMillis = 200;
const openPatienceMillis = 3_000;
/** All shards have the same run of the server. */
const anyShard = { count: 1, index: 0 };

/**
 * The shared queue server as one process reaches it: requests over a wire, rings that may be lost, doubled or late, and
 * the server's clock and run as last seen.
 */
export class ShardLink {
  /** The server as the process uses it. */
  readonly queue: ShardQueue;
  readonly #inner: ShardQueue;
  readonly #parts: ShardLinkParts;
  #listener: ShardQueueListener | undefined;
  #run: string | undefined;
  /** By how much the server's clock is ahead of the process's monotonic clock, as last seen. */
  #offset: number | undefined;
  #isLooking = false;
  #isClosed = false;

  constructor(inner: ShardQueue, parts: ShardLinkParts) {
    this.#inner = inner;
    this.#parts = parts;
    const own: Partial<ShardQueue> = {
      open: (member, listener) => this.#open(member, listener),
      close: () => {
        this.#isClosed = true;
        return inner.close();
      },
      serverNow: () => (this.#offset === undefined ? parts.process.now() : parts.process.monotonic() + this.#offset),
      incarnationOf: () => this.#run,
    };
    this.queue = new Proxy(inner, {
      get: (target, name): unknown => {
        const method = Reflect.get(own, name) as unknown;
        if (method !== undefined) return method;
        const asked = Reflect.get(target, name) as Method;
        return (...args: unknown[]) => this.#ask(String(name), () => asked.apply(target, args));
      },
    });
  }

  /** Breaks the connection and brings it back: learns the present run and tells the process. */
  reconnect(): void {
    if (this.#isLooking) return;
    this.#run = undefined;
    void this.#look(() => this.#listener?.changed());
  }

  async #open(member: string, listener: ShardQueueListener): Promise<void> {
    this.#listener = listener;
    await this.#inner.open(member, {
      rung: (ring) => this.#rung(ring),
      changed: () => this.reconnect(),
    });
    await new Promise<void>((resolve) => {
      let hasGoneOn = false;
      const timer = this.#parts.process.after(openPatienceMillis, () => {
        hasGoneOn = true;
        resolve();
      });
      void this.#look(() => {
        timer.cancel();
        // A process that opens the queue looks at everything anyway.
        if (hasGoneOn) listener.changed();
        resolve();
      });
    });
  }

  /** Asks until the server answers. */
  async #look(seen: () => void): Promise<void> {
    this.#isLooking = true;
    while (!this.#isClosed) {
      try {
        this.#run = await this.#ask('hello', () => Promise.resolve(this.#inner.incarnationOf(anyShard)));
        break;
      } catch {
        // The server is away. A client on a real wire tries again for ever, too.
        await new Promise<void>((resolve) => this.#parts.process.after(lookAgainMillis, resolve));
      }
    }
    this.#isLooking = false;
    if (!this.#isClosed) seen();
  }

  async #ask<T>(operation: string, execute: () => Promise<T>): Promise<T> {
    let at = 0;
    const answer = await this.#parts.wire.request(operation, () => {
      at = this.#inner.serverNow();
      return execute();
    });
    this.#offset = at - this.#parts.process.monotonic();
    return answer;
  }

  #rung(ring: Ring): void {
    const { clock, process, random, bells, isUp } = this.#parts;
    const { lost, doubled, late } = bells();
    if (!isUp() || random.chance(lost)) return;
    const times = random.chance(doubled) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const wait = random.int(0, 3) + (random.chance(late) ? random.int(0, 3_000) : 0);
      clock.after(wait, () => process.deliver(() => this.#isClosed || this.#listener?.rung(ring)));
    }
  }
}
