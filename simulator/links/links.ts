import type { ShardSet } from '../../src/core/value/slot.ts';
import type {
  Claimed,
  ClaimResult,
  Queue,
  QueueItem,
  QueueListener,
  QueueTrouble,
  Refill,
  Released,
  Renewal,
} from '../../src/ports/queue.ts';
import type { Store } from '../../src/ports/store.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { ProcessClock } from '../process-clock.ts';
import type { Wire } from './wire.ts';

type Method = (...args: unknown[]) => Promise<unknown>;

/** The store as a process reaches it over its wire. */
export function linkStore(store: Store, wire: Wire): Store {
  return new Proxy(store, {
    get(target, name): Method {
      const method = Reflect.get(target, name) as Method;
      return (...args) => wire.request(String(name), () => method.apply(target, args));
    },
  });
}

/** What a queue link needs. */
export interface QueueLinkParts {
  readonly clock: VirtualClock;
  readonly process: ProcessClock;
  readonly random: Random;
  readonly wire: Wire;
  /** Probability that a ring is lost, or comes twice. */
  readonly ringFaults: () => { readonly lost: number; readonly doubled: number };
}

/** The queue as a process reaches it over its wire. */
export class QueueLink implements Queue {
  readonly #parts: QueueLinkParts;
  readonly #inner: Queue;

  constructor(inner: Queue, parts: QueueLinkParts) {
    this.#inner = inner;
    this.#parts = parts;
  }

  start(listener: QueueListener): Promise<void> {
    const { clock, process, random, ringFaults } = this.#parts;
    return this.#inner.start({
      processes: listener.processes,
      rung: (dueAt, held) => {
        const { lost, doubled } = ringFaults();
        if (random.chance(lost)) return;
        const times = random.chance(doubled) ? 2 : 1;
        for (let i = 0; i < times; i++) {
          clock.after(random.int(0, 3), () => process.deliver(() => listener.rung(dueAt, held)));
        }
      },
      // A frozen process answers nothing.
      unknown: (id) => process.isFrozen || process.isDead || listener.unknown(id),
      refill: () => process.deliver(() => listener.refill()),
      renew: () => process.deliver(() => listener.renew()),
      owned: () => process.deliver(() => listener.owned()),
    });
  }

  leave(): Promise<void> {
    return this.#inner.leave();
  }

  get process(): string {
    return this.#inner.process;
  }

  get owned(): ShardSet {
    return this.#inner.owned;
  }

  get trouble(): readonly QueueTrouble[] {
    return this.#inner.trouble;
  }

  get wantsRenewal(): boolean {
    return this.#inner.wantsRenewal;
  }

  get oldestDueAt(): number | undefined {
    return this.#inner.oldestDueAt;
  }

  owns(slot: number): boolean {
    return this.#inner.owns(slot);
  }

  toRefill(): Refill | undefined {
    return this.#inner.toRefill();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  enqueue(items: readonly QueueItem[]): Promise<void> {
    return this.#parts.wire.request('enqueue', () => this.#inner.enqueue(items));
  }

  claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    return this.#parts.wire.request('claim', () => this.#inner.claim(max, leaseMillis));
  }

  claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]> {
    return this.#parts.wire.request('claimDirect', () => this.#inner.claimDirect(items, leaseMillis));
  }

  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    return this.#parts.wire.request('renew', () => this.#inner.renew(held, leaseMillis));
  }

  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    return this.#parts.wire.request('ack', () => this.#inner.ack(done));
  }

  release(held: readonly Released[]): Promise<void> {
    return this.#parts.wire.request('release', () => this.#inner.release(held));
  }

  reconcile(items: readonly QueueItem[]): Promise<readonly string[]> {
    return this.#parts.wire.request('reconcile', () => this.#inner.reconcile(items));
  }

  size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#parts.wire.request('size', () => this.#inner.size());
  }
}
