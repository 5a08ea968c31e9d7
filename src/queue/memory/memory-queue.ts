import type { Clock, Timer } from '../../ports/clock.ts';
import { wholeShardSet, type ShardSet } from '../../core/value/slot.ts';
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
  type StoredItem,
} from '../../ports/queue.ts';
import { Entries, type Entry as EntryOf } from './entries.ts';

interface Lease {
  /** Empty while the id is reserved: according to the store a process works on it, but it has not renewed its claim. */
  readonly token: string;
  /** Undefined if the token is empty. */
  readonly holder: MemoryQueue | undefined;
  /** When the id was marked `again`; Infinity when it was not. */
  againAt: number;
}

interface Entry extends EntryOf<Lease> {
  readonly slot: number;
}

type Bell = Pick<QueueListener, 'rung' | 'unknown'>;

/**
 * The queue of an embedded server and of simulations: a heap of ready ids and a heap of leases in this process.
 *
 * Processes share a {@link MemoryQueueHub}; {@link MemoryQueueHub.connect} returns the {@link Queue} of each. Every
 * operation completes synchronously. Only rings for later due times need the clock, and one timer serves all ids.
 *
 * An id is absent, ready (due now or parked until later) or in flight under one token. An enqueue marks an id in flight
 * `again`: the end of its claim then makes it ready at once, so that no wake-up is lost between a worker's last look
 * and its acknowledgement. A claim that ends without using its turn puts the id back in its place.
 */
export class MemoryQueueHub {
  readonly #clock: Clock;
  readonly #entries: Entries<Entry> = new Entries();
  readonly #bells = new Map<MemoryQueue, Bell>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #tokens = 0;
  /** The lease of the latest claim, in ms; also the duration of a reservation. */
  #leaseMillis = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connects a process. `process` makes its tokens unique: a restarted process needs another name. */
  connect(process: string): Queue {
    return new MemoryQueue(this, process);
  }

  /** Removes ids and their leases, like a server that is wiped or evicts keys. Processes stay connected. */
  wipe(isLost: (id: string) => boolean = () => true): void {
    for (const entry of this.#entries.byId.values()) if (isLost(entry.id)) this.#entries.forget(entry);
  }

  /** Registers the bell of a process. Only {@link MemoryQueue.start} calls it. */
  join(queue: MemoryQueue, bell: Bell): void {
    this.#bells.set(queue, bell);
    this.#wake();
  }

  /** Removes the bell; the last one removes the timer, too. */
  leave(queue: MemoryQueue): void {
    this.#bells.delete(queue);
    if (this.#bells.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  /** {@link Queue.enqueue}. */
  enqueue(items: readonly QueueItem[]): void {
    for (const item of items) {
      const entry = this.#entries.byId.get(item.id);
      if (entry === undefined) {
        this.#add(item);
      } else if (entry.lease === undefined) {
        this.#bringForward(entry, item.dueAt);
      } else {
        entry.lease.againAt = Math.min(entry.lease.againAt, this.#clock.now());
        if (entry.lease.holder !== undefined) this.#bells.get(entry.lease.holder)?.rung(item.dueAt, item.id);
      }
    }
    this.#wake();
  }

  /** {@link Queue.claim}. */
  claim(queue: MemoryQueue, max: number, leaseMillis: number): ClaimResult {
    const now = this.#clock.now();
    this.#leaseMillis = leaseMillis;
    this.#entries.expire(now);
    const claimed: Claimed[] = [];
    while (claimed.length < max) {
      const entry = this.#entries.ready.first;
      if (entry === undefined || entry.dueAt > now) break;
      claimed.push(this.#lend(entry, queue, now + leaseMillis));
    }
    const next = this.#entries.ready.first;
    this.#wake(false);
    return next === undefined ? { claimed } : { claimed, nextDueAt: next.dueAt };
  }

  /** {@link Queue.claimDirect}. */
  claimDirect(queue: MemoryQueue, item: QueueItem, leaseMillis: number): Claimed | undefined {
    const now = this.#clock.now();
    this.#entries.expire(now);
    const entry = this.#entries.byId.get(item.id) ?? this.#add(item);
    if (entry.lease === undefined) return this.#lend(entry, queue, now + leaseMillis);
    const { holder, token } = entry.lease;
    if (holder !== queue) return undefined;
    this.#entries.leases.move(entry, now + leaseMillis);
    return { id: entry.id, slot: entry.slot, token, dueAt: entry.since };
  }

  /** {@link Queue.renew}. */
  renew(queue: MemoryQueue, held: readonly Claimed[], leaseMillis: number): Renewal {
    const now = this.#clock.now();
    const lost: Claimed[] = [];
    const revived: Claimed[] = [];
    for (const claim of held) {
      const entry = this.#entries.byId.get(claim.id) ?? this.#add({ ...claim, dueAt: Infinity });
      if (entry.lease === undefined || entry.lease.token === '') {
        this.#revive(entry, queue, claim.token, now);
        entry.since = Math.min(entry.since, claim.dueAt);
        revived.push(claim);
      } else if (entry.lease.token !== claim.token) {
        lost.push(claim);
        continue;
      }
      this.#entries.leases.move(entry, now + leaseMillis);
    }
    return { lost, revived };
  }

  /** {@link Queue.ack}. */
  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): void {
    for (const claim of done) {
      const entry = this.#held(claim);
      if (entry === undefined) continue;
      if (claim.parkUntil !== undefined) this.#entries.giveBack(entry, claim.parkUntil);
      else if (entry.lease?.againAt !== Infinity) this.#entries.giveBack(entry, Infinity);
      else this.#entries.forget(entry);
    }
    this.#wake();
  }

  /** {@link Queue.release}. */
  release(held: readonly Released[]): void {
    const now = this.#clock.now();
    for (const claim of held) {
      const entry = this.#held(claim);
      if (entry !== undefined) this.#entries.giveBack(entry, claim.yields === true ? now : entry.since);
    }
    this.#wake();
  }

  /** {@link Queue.reconcile}. */
  reconcile(queue: MemoryQueue, items: readonly StoredItem[]): readonly string[] {
    const now = this.#clock.now();
    const absent: string[] = [];
    for (const item of items) {
      const entry = this.#entries.byId.get(item.id);
      if (entry === undefined) {
        const { heldBy = queue.process } = item;
        const fresh = this.#add(item);
        if (heldBy !== queue.process) this.#keepFor(fresh, heldBy, now);
        absent.push(item.id);
      } else if (entry.lease === undefined && entry.dueAt > now) this.#bringForward(entry, item.dueAt);
    }
    this.#wake();
    return absent;
  }

  /** {@link Queue.oldestDueAt}. */
  get oldestDueAt(): number | undefined {
    const dueAt = this.#entries.ready.first?.dueAt;
    return dueAt !== undefined && dueAt <= this.#clock.now() ? dueAt : undefined;
  }

  /** {@link Queue.size}. */
  size(): { readonly ready: number; readonly inFlight: number } {
    return { ready: this.#entries.ready.size, inFlight: this.#entries.leases.size };
  }

  /** Moves an id that is not in flight to an earlier time, never to a later one. */
  #bringForward(entry: Entry, dueAt: number): void {
    if (dueAt >= entry.dueAt) return;
    entry.since = dueAt;
    this.#entries.ready.move(entry, dueAt);
  }

  #add({ id, slot, dueAt }: QueueItem): Entry {
    return this.#entries.add({ id, slot, dueAt, since: dueAt, order: 0, place: -1, lease: undefined });
  }

  #lend(entry: Entry, holder: MemoryQueue, until: number): Claimed {
    const token = `${holder.process}/${String(++this.#tokens)}`;
    this.#entries.lend(entry, { token, holder, againAt: Infinity }, until);
    return { id: entry.id, slot: entry.slot, token, dueAt: entry.since };
  }

  /** Puts an id that is ready, or in flight without a token, in flight under the token. */
  #revive(entry: Entry, holder: MemoryQueue, token: string, now: number): void {
    const againAt = entry.lease?.againAt ?? (entry.dueAt <= now ? now : Infinity);
    this.#entries.lend(entry, { token, holder, againAt }, now);
  }

  /** Reserves an id for one lease for the process that works on it according to the store, and notifies that process. */
  #keepFor(entry: Entry, process: string, now: number): void {
    this.#entries.lend(entry, { token: '', holder: undefined, againAt: Infinity }, now + this.#leaseMillis);
    const bell = [...this.#bells].find(([queue]) => queue.process === process)?.[1];
    if (bell?.unknown(entry.id) === false) this.#entries.giveBack(entry, entry.since);
  }

  #held(claim: Claimed): Entry | undefined {
    const entry = this.#entries.byId.get(claim.id);
    return entry?.lease?.token === claim.token ? entry : undefined;
  }

  /** Rings for due ids, and sets the one timer for the next due time: of a ready id or of the end of a lease. */
  #wake(ringNow = true): void {
    if (this.#bells.size === 0) return;
    const now = this.#clock.now();
    const dueAt = this.#entries.ready.first?.dueAt ?? Infinity;
    if (ringNow && dueAt <= now) {
      for (const bell of this.#bells.values()) bell.rung(dueAt);
    }
    // Due ids have already rung. A process that had no room claims again once it has.
    const at = Math.min(dueAt <= now ? Infinity : dueAt, this.#entries.leases.first?.dueAt ?? Infinity);
    // Keeps an early timer: a needless wake-up costs less than a new timer for every lease.
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(Math.max(0, at - now), () => {
      this.#timer = undefined;
      this.#timerAt = Infinity;
      this.#entries.expire(this.#clock.now());
      this.#wake();
    });
  }
}

/** The connection of one process to the hub. After `stop` every method throws {@link QueueUnavailable}. */
class MemoryQueue implements Queue {
  readonly process: string;
  readonly #hub: MemoryQueueHub;
  readonly owned: ShardSet = wholeShardSet;
  readonly trouble: readonly [] = [];
  readonly wantsRenewal: boolean = false;
  #open = false;
  /** The queue starts empty and must be filled from the store. */
  #isEmpty = true;

  constructor(hub: MemoryQueueHub, process: string) {
    this.#hub = hub;
    this.process = process;
  }

  start(listener: QueueListener): Promise<void> {
    this.#open = true;
    this.#isEmpty = true;
    this.#hub.join(this, listener);
    return Promise.resolve();
  }

  /** Does nothing, because no other process shares this queue. */
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

  claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]> {
    return this.#do((hub) => items.map((item) => hub.claimDirect(this, item, leaseMillis)));
  }

  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    return this.#do((hub) => hub.renew(this, held, leaseMillis));
  }

  ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    return this.#do((hub) => hub.ack(done));
  }

  release(held: readonly Released[]): Promise<void> {
    return this.#do((hub) => hub.release(held));
  }

  reconcile(items: readonly StoredItem[]): Promise<readonly string[]> {
    return this.#do((hub) => hub.reconcile(this, items));
  }

  size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#do((hub) => hub.size());
  }

  #do<T>(operation: (hub: MemoryQueueHub) => T): Promise<T> {
    if (!this.#open) return Promise.reject(new QueueUnavailable('The queue is closed.'));
    return Promise.resolve(operation(this.#hub));
  }
}
