/**
 * The queue of an embedded server, and of simulations: one heap of ready ids and one of leases, in this process.
 *
 * A {@link MemoryQueueHub} is what the processes share; {@link MemoryQueueHub.connect} gives a process its
 * {@link Queue}. Every operation happens at once, within the call; only rings for what becomes due later need the clock,
 * and for all ids together there is one timer.
 *
 * An id is absent, ready (due now or parked until later) or in flight under one token. An id in flight that is enqueued is
 * marked `again`: whatever ends its claim then makes it ready at once, so that no wake-up is ever lost between a worker's
 * last look and its acknowledgement. A claim that ends without its turn having been used puts the id back in its place.
 */
import type { Clock, Timer } from '../../ports/clock.ts';
import { wholeShardSet, type ShardSet } from '../../core/slot.ts';
import {
  QueueUnavailable,
  type Claimed,
  type ClaimResult,
  type Queue,
  type QueueItem,
  type QueueListener,
  type Refill,
  type Released,
  type Renewal,
} from '../../ports/queue.ts';
import { DueHeap, type HeapItem } from './due-heap.ts';

interface Lease {
  readonly token: string;
  readonly holder: MemoryQueue;
  /** When the id was marked `again`; Infinity when it was not. */
  againAt: number;
}

interface Entry extends HeapItem {
  readonly id: string;
  readonly slot: number;
  /** Present while in flight; `dueAt` is then the end of the lease. */
  lease: Lease | undefined;
  /** When the id was due, also while it is in flight. */
  since: number;
}

type Ring = QueueListener['rung'];

/** See the file header. */
export class MemoryQueueHub {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #ready: DueHeap<Entry> = new DueHeap();
  readonly #leases: DueHeap<Entry> = new DueHeap();
  readonly #rings = new Map<MemoryQueue, Ring>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #tokens = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection for one process. `process` makes its tokens unique: a restarted process needs another name. */
  connect(process: string): Queue {
    return new MemoryQueue(this, process);
  }

  /** Forgets ids and their leases, as a server would that is wiped or evicts keys; processes stay connected. */
  wipe(isLost: (id: string) => boolean = () => true): void {
    for (const entry of this.#entries.values()) if (isLost(entry.id)) this.#forget(entry);
  }

  /** Registers a process' bell. Called by {@link MemoryQueue.start} only. */
  join(queue: MemoryQueue, ring: Ring): void {
    this.#rings.set(queue, ring);
    this.#wake();
  }

  /** Removes it; the last one to leave takes the timer along. */
  leave(queue: MemoryQueue): void {
    this.#rings.delete(queue);
    if (this.#rings.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** {@link Queue.enqueue}. */
  enqueue(items: readonly QueueItem[]): void {
    for (const item of items) {
      const entry = this.#entries.get(item.id);
      if (entry === undefined) {
        this.#add(item);
      } else if (entry.lease === undefined) {
        this.#bringForward(entry, item.dueAt);
      } else {
        entry.lease.againAt = Math.min(entry.lease.againAt, this.#clock.now());
        this.#rings.get(entry.lease.holder)?.(item.dueAt, item.id);
      }
    }
    this.#wake();
  }

  /** {@link Queue.claim}. */
  claim(queue: MemoryQueue, max: number, leaseMillis: number): ClaimResult {
    const now = this.#clock.now();
    this.#expire(now);
    const claimed: Claimed[] = [];
    while (claimed.length < max) {
      const entry = this.#ready.first;
      if (entry === undefined || entry.dueAt > now) break;
      claimed.push(this.#lend(entry, queue, now + leaseMillis));
    }
    const next = this.#ready.first;
    this.#wake(false);
    return next === undefined ? { claimed } : { claimed, nextDueAt: next.dueAt };
  }

  /** {@link Queue.claimDirect}. */
  claimDirect(queue: MemoryQueue, item: QueueItem, leaseMillis: number): Claimed | undefined {
    const now = this.#clock.now();
    this.#expire(now);
    const entry = this.#entries.get(item.id) ?? this.#add(item);
    if (entry.lease === undefined) return this.#lend(entry, queue, now + leaseMillis);
    if (entry.lease.holder !== queue) return undefined;
    this.#leases.move(entry, now + leaseMillis);
    return { id: entry.id, slot: entry.slot, token: entry.lease.token, dueAt: entry.since };
  }

  /** {@link Queue.renew}. */
  renew(held: readonly Claimed[], leaseMillis: number): Renewal {
    const until = this.#clock.now() + leaseMillis;
    const lost = held.filter((claim) => {
      const entry = this.#held(claim);
      if (entry !== undefined) this.#leases.move(entry, until);
      return entry === undefined;
    });
    return { lost, revived: [] };
  }

  /** {@link Queue.ack}. */
  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): void {
    for (const claim of done) {
      const entry = this.#held(claim);
      if (entry === undefined) continue;
      if (claim.parkUntil !== undefined) this.#giveBack(entry, claim.parkUntil);
      else if (entry.lease?.againAt !== Infinity) this.#giveBack(entry, Infinity);
      else this.#forget(entry);
    }
    this.#wake();
  }

  /** {@link Queue.release}. */
  release(held: readonly Released[]): void {
    const now = this.#clock.now();
    for (const claim of held) {
      const entry = this.#held(claim);
      if (entry !== undefined) this.#giveBack(entry, claim.yields === true ? now : entry.since);
    }
    this.#wake();
  }

  /** {@link Queue.reconcile}. */
  reconcile(items: readonly QueueItem[]): number {
    const now = this.#clock.now();
    let added = 0;
    for (const item of items) {
      const entry = this.#entries.get(item.id);
      if (entry === undefined) {
        this.#add(item);
        added++;
      } else if (entry.lease === undefined && entry.dueAt > now) this.#bringForward(entry, item.dueAt);
    }
    this.#wake();
    return added;
  }

  /** {@link Queue.oldestDueAt}. */
  get oldestDueAt(): number | undefined {
    const dueAt = this.#ready.first?.dueAt;
    return dueAt !== undefined && dueAt <= this.#clock.now() ? dueAt : undefined;
  }

  /** {@link Queue.size}. */
  size(): { readonly ready: number; readonly inFlight: number } {
    return { ready: this.#ready.size, inFlight: this.#leases.size };
  }

  /** Moves an id that is not in flight to an earlier time; to a later one never. */
  #bringForward(entry: Entry, dueAt: number): void {
    if (dueAt >= entry.dueAt) return;
    entry.since = dueAt;
    this.#ready.move(entry, dueAt);
  }

  #add(item: QueueItem): Entry {
    const entry: Entry = { ...item, since: item.dueAt, order: 0, place: -1, lease: undefined };
    this.#entries.set(item.id, entry);
    this.#ready.push(entry);
    return entry;
  }

  #lend(entry: Entry, holder: MemoryQueue, until: number): Claimed {
    this.#ready.remove(entry);
    const token = `${holder.process}/${String(++this.#tokens)}`;
    entry.lease = { token, holder, againAt: Infinity };
    entry.dueAt = until;
    this.#leases.push(entry);
    return { id: entry.id, slot: entry.slot, token, dueAt: entry.since };
  }

  #held(claim: Claimed): Entry | undefined {
    const entry = this.#entries.get(claim.id);
    return entry?.lease?.token === claim.token ? entry : undefined;
  }

  /** Makes an id in flight ready, due at that time or when it was marked `again`, whichever is earlier. */
  #giveBack(entry: Entry, dueAt: number): void {
    this.#leases.remove(entry);
    entry.since = Math.min(dueAt, entry.lease?.againAt ?? Infinity);
    entry.dueAt = entry.since;
    entry.lease = undefined;
    this.#ready.push(entry);
  }

  #forget(entry: Entry): void {
    this.#take(entry);
    this.#entries.delete(entry.id);
  }

  #take(entry: Entry): void {
    if (entry.lease === undefined) this.#ready.remove(entry);
    else this.#leases.remove(entry);
  }

  #expire(now: number): void {
    for (let entry = this.#leases.first; entry !== undefined && entry.dueAt <= now; entry = this.#leases.first) {
      this.#giveBack(entry, entry.since);
    }
  }

  /** Rings for what is due, and sets the one timer for what becomes due next: a ready id or the end of a lease. */
  #wake(ringNow = true): void {
    if (this.#rings.size === 0) return;
    const now = this.#clock.now();
    const dueAt = this.#ready.first?.dueAt ?? Infinity;
    if (ringNow && dueAt <= now) {
      for (const ring of this.#rings.values()) ring(dueAt);
    }
    // What is due already has rung; whoever had no room then asks again by itself.
    const at = Math.min(dueAt <= now ? Infinity : dueAt, this.#leases.first?.dueAt ?? Infinity);
    // A timer that is early is left alone: it fires for nothing once, which costs less than a new one for every lease.
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(Math.max(0, at - now), () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#expire(this.#clock.now());
      this.#wake();
    });
  }
}

/** One process' connection; the hub does the work. After `stop` every method throws {@link QueueUnavailable}. */
class MemoryQueue implements Queue {
  readonly process: string;
  readonly #hub: MemoryQueueHub;
  readonly owned: ShardSet = wholeShardSet;
  readonly trouble: readonly [] = [];
  readonly wantsRenewal: boolean = false;
  #open = false;
  /** Memory forgets: everything is to be read from the store first. */
  #isEmpty = true;

  constructor(hub: MemoryQueueHub, process: string) {
    this.#hub = hub;
    this.process = process;
  }

  start(listener: QueueListener): Promise<void> {
    this.#open = true;
    this.#isEmpty = true;
    this.#hub.join(this, (dueAt, held) => {
      listener.rung(dueAt, held);
    });
    return Promise.resolve();
  }

  /** There is nobody to leave anything to. */
  leave(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#open = false;
    this.#hub.leave(this);
    return Promise.resolve();
  }

  get oldestDueAt(): number | undefined {
    return this.#hub.oldestDueAt;
  }

  owns(): boolean {
    return true;
  }

  toRefill(): Refill | undefined {
    if (!this.#isEmpty) return undefined;
    return {
      shards: wholeShardSet,
      done: () => {
        this.#isEmpty = false;
        return Promise.resolve();
      },
    };
  }

  enqueue(items: readonly QueueItem[]): Promise<void> {
    return this.#do((hub) => hub.enqueue(items));
  }

  claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    return this.#do((hub) => hub.claim(this, max, leaseMillis));
  }

  claimDirect(item: QueueItem, leaseMillis: number): Promise<Claimed | undefined> {
    return this.#do((hub) => hub.claimDirect(this, item, leaseMillis));
  }

  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    return this.#do((hub) => hub.renew(held, leaseMillis));
  }

  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    return this.#do((hub) => hub.ack(done));
  }

  release(held: readonly Released[]): Promise<void> {
    return this.#do((hub) => hub.release(held));
  }

  reconcile(items: readonly QueueItem[]): Promise<number> {
    return this.#do((hub) => hub.reconcile(items));
  }

  size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#do((hub) => hub.size());
  }

  #do<T>(operation: (hub: MemoryQueueHub) => T): Promise<T> {
    if (!this.#open) return Promise.reject(new QueueUnavailable('The queue is closed.'));
    return Promise.resolve(operation(this.#hub));
  }
}
