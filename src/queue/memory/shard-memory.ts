/**
 * One virtual shard in memory: a heap of ready ids, a heap of leases, and the marker of what it was rebuilt for. Each
 * method is one step, at an instant `now` of the server's clock. The steps are those of the scripts for Redis.
 */
import {
  type Held,
  type Renewed,
  type ShardClaimed,
  type ShardClaimReply,
  type ShardClaimRequest,
  type ShardEnding,
  type ShardItem,
  type ShardPart,
  type ShardRenewal,
} from '../../ports/shard-queue.ts';
import { DueHeap, type HeapItem } from './due-heap.ts';

interface Lease {
  /** Undefined where the server has lost it, empty once a claim has noticed: whoever lists the id at a renewal holds it. */
  readonly token: string | undefined;
  /** When the id was marked `again`; Infinity when it was not. */
  againAt: number;
}

/** `dueAt` is when it is due; while it is in flight, when its lease ends: Infinity where the server has lost that. */
interface Entry extends HeapItem {
  readonly id: string;
  lease: Lease | undefined;
  /** When it became due: its place. The same as `dueAt` unless it is in flight. */
  since: number;
}

/** See the file header. */
export class ShardMemory {
  readonly #entries = new Map<string, Entry>();
  readonly #ready: DueHeap<Entry> = new DueHeap();
  readonly #leases: DueHeap<Entry> = new DueHeap();
  /** What the shard was rebuilt for; undefined for a shard that never was. */
  marker: string | undefined;
  /** From when until when it rests: what was due until then may be running, and is not handed over. */
  #rest = { from: -Infinity, until: -Infinity };
  /** Whether leases or claims were lost since the latest claim. */
  #isTorn = false;

  /** Ids ready or parked. */
  get ready(): number {
    return this.#ready.size;
  }

  /** Ids under a lease, one that is over included until the next claim. */
  get inFlight(): number {
    return this.#leases.size;
  }

  /** Forgets the ids that `isLost` names, whatever they are doing; the marker stays. */
  lose(isLost: (id: string) => boolean): void {
    for (const entry of this.#entries.values()) if (isLost(entry.id)) this.#forget(entry);
  }

  /** Loses one part of the shard, as a server does that evicts keys. */
  losePart(part: ShardPart): void {
    if (part === 'marker') {
      this.marker = undefined;
      this.#rest = { from: -Infinity, until: -Infinity };
    }
    this.#isTorn = true;
    for (const entry of this.#entries.values()) {
      if (entry.lease === undefined) {
        if (part === 'ready') this.#forget(entry);
      } else if (part === 'inflight') {
        if (entry.lease.token === undefined) this.#forget(entry);
        else this.#leases.move(entry, Infinity);
      } else if (part === 'claims') {
        if (entry.dueAt === Infinity) this.#forget(entry);
        else {
          entry.since = entry.dueAt;
          entry.lease = { token: undefined, againAt: Infinity };
        }
      }
    }
  }

  /** What is in flight stays so: every holder that lives renews it in time. */
  #mend(now: number, leaseMillis: number): void {
    this.#isTorn = false;
    for (const entry of this.#leases.items) {
      if (entry.dueAt === Infinity) this.#leases.move(entry, now + leaseMillis);
      if (entry.lease?.token === undefined) entry.lease = { token: '', againAt: entry.lease?.againAt ?? Infinity };
    }
  }

  /** {@link ShardQueue.mark}. */
  mark(incarnation: string, now: number, restMillis: number): void {
    this.marker = incarnation;
    if (restMillis <= 0) return;
    this.#rest = { from: now, until: Math.max(this.#rest.until, now + restMillis) };
    for (const entry of this.#ready.items) this.#move(entry, this.#rested(entry.dueAt, now));
  }

  /** {@link ShardQueue.claim}. */
  claim(request: ShardClaimRequest, now: number): ShardClaimReply {
    if (now > request.notAfter) return { kind: 'late' };
    if (this.marker !== request.incarnation) return { kind: 'unmarked' };
    for (let entry = this.#leases.first; entry !== undefined && entry.dueAt <= now; entry = this.#leases.first) {
      this.#giveBack(entry, entry.since);
    }
    if (this.#isTorn) this.#mend(now, request.leaseMillis);
    const claimed: ShardClaimed[] = [];
    while (claimed.length < request.max) {
      const entry = this.#next(now);
      if (entry === undefined || entry.dueAt > now) break;
      const lateMillis = now - entry.dueAt;
      const token = `${request.process}${String(request.firstNumber + claimed.length)}`;
      this.#take(entry);
      this.#lend(entry, token, now + request.leaseMillis);
      claimed.push({ id: entry.id, token, lateMillis });
    }
    const head = this.#ready.first;
    const next = this.#next(now)?.dueAt ?? Infinity;
    const nextDueAt = head !== undefined && this.#rests(head, now) ? Math.min(next, this.#rest.until) : next;
    const lease = this.#leases.first;
    return {
      kind: 'claimed',
      claimed,
      ...(nextDueAt === Infinity ? undefined : { nextDelayMillis: nextDueAt - now }),
      ...(lease === undefined ? undefined : { leaseEndsInMillis: lease.dueAt - now }),
    };
  }

  /** {@link ShardQueue.claimOne}. */
  claimOne(held: Held, leaseMillis: number, incarnation: string, now: number): 'claimed' | 'held' | 'unmarked' {
    if (this.marker !== incarnation) return 'unmarked';
    const until = now + leaseMillis;
    const known = this.#entries.get(held.id);
    const entry = known ?? this.#add(held.id, now);
    if (entry.lease?.token === held.token) {
      this.#leases.move(entry, until);
      return 'claimed';
    }
    if (known !== undefined && now < this.#rest.until) return 'held';
    if (entry.lease !== undefined) {
      if (entry.dueAt > now) return 'held';
      this.#giveBack(entry, entry.since);
    }
    this.#take(entry);
    this.#lend(entry, held.token, until);
    return 'claimed';
  }

  /** {@link ShardQueue.enqueue}. */
  enqueue(items: readonly ShardItem[], now: number): readonly Held[] {
    const marked: Held[] = [];
    for (const { id, delayMillis } of items) {
      const lease = this.#entries.get(id)?.lease;
      if (lease === undefined) {
        this.#makeDue(id, now + delayMillis);
      } else if (delayMillis <= 0) {
        lease.againAt = Math.min(lease.againAt, now);
        if (lease.token !== undefined && lease.token !== '') marked.push({ id, token: lease.token });
      }
    }
    return marked;
  }

  /** {@link ShardQueue.finish}. */
  finish(endings: readonly ShardEnding[], now: number): number {
    let again = 0;
    for (const ending of endings) {
      const entry = this.#held(ending);
      if (entry === undefined) continue;
      const isAgain = entry.lease?.againAt !== Infinity;
      if (isAgain) again++;
      if (ending.next === 'back') this.#giveBack(entry, entry.since);
      else if (ending.next !== 'gone') this.#giveBack(entry, now + Math.max(0, ending.next));
      else if (isAgain) this.#giveBack(entry, Infinity);
      else this.#forget(entry);
    }
    return again;
  }

  /** {@link ShardQueue.renew}. */
  renew(
    process: string,
    held: readonly Renewed[],
    leaseMillis: number,
    orphansBelow: number,
    now: number,
  ): ShardRenewal {
    const until = now + leaseMillis;
    const listed = new Set<Entry>();
    const lost: Held[] = [];
    const revived: Held[] = [];
    for (const { id, token, delayMillis } of held) {
      const entry = this.#entries.get(id) ?? this.#add(id, Infinity);
      if (entry.lease?.token === undefined || entry.lease.token === '') {
        const againAt = entry.lease?.againAt ?? (entry.dueAt <= now ? now : Infinity);
        this.#take(entry);
        this.#lend(entry, token, until, againAt);
        entry.since = Math.min(entry.since, now + delayMillis);
        revived.push({ id, token });
      } else if (entry.lease.token === token) {
        this.#leases.move(entry, until);
      } else {
        lost.push({ id, token });
        continue;
      }
      listed.add(entry);
    }
    for (const entry of orphansBelow > 0 ? this.#leases.items : []) {
      const number = numberOf(entry.lease?.token ?? '', process);
      if (number !== undefined && number < orphansBelow && !listed.has(entry)) this.#giveBack(entry, entry.since);
    }
    return { lost, revived };
  }

  /** {@link ShardQueue.restore}. */
  restore(items: readonly ShardItem[], now: number, restMillis: number): number {
    // The same loss ends its rest at about the same time, whoever asks.
    if (restMillis > 0 && this.marker !== undefined && this.#rest.until < now + restMillis - 100) {
      this.#rest = { from: now, until: now + restMillis };
    }
    const isDue = ({ id }: ShardItem): boolean => (this.#entries.get(id)?.since ?? Infinity) <= now;
    const keeps = new Set(items.filter(isDue).map(({ id }) => id));
    let absent = 0;
    for (const { id, delayMillis } of items) {
      const entry = this.#entries.get(id);
      if (entry === undefined) absent++;
      else if (entry.lease !== undefined || keeps.has(id)) continue;
      this.#makeDue(id, this.#rested(now + delayMillis, now));
    }
    return absent;
  }

  #rests(entry: Entry, now: number): boolean {
    return now < this.#rest.until && entry.dueAt <= this.#rest.from;
  }

  /** What becomes due before the rest is over rests, too: it may be parked in shards of another number. */
  #rested(dueAt: number, now: number): number {
    const { from, until } = this.#rest;
    return now < until && dueAt <= until ? Math.min(dueAt, from) : dueAt;
  }

  /** The first of the ready ids that can be handed over. */
  #next(now: number): Entry | undefined {
    const { first } = this.#ready;
    if (first === undefined || !this.#rests(first, now)) return first;
    const others = this.#ready.items.filter((entry) => !this.#rests(entry, now));
    return others.sort((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
  }

  /** {@link ShardQueue.restoreHeld}. */
  restoreHeld(items: readonly ShardItem[], leaseMillis: number, now: number): readonly string[] {
    const until = now + leaseMillis;
    const absent: string[] = [];
    for (const { id, delayMillis } of items) {
      const known = this.#entries.get(id);
      if (known !== undefined && known.lease === undefined) this.#makeDue(id, until);
      if (known !== undefined && (known.lease === undefined || known.lease.token !== undefined)) continue;
      absent.push(id);
      if (known !== undefined) {
        known.lease = { token: '', againAt: Infinity };
        continue;
      }
      const entry = this.#add(id, now + delayMillis);
      this.#take(entry);
      this.#lend(entry, '', until);
    }
    return absent;
  }

  #add(id: string, dueAt: number): Entry {
    const entry: Entry = { id, dueAt, since: dueAt, order: 0, place: -1, lease: undefined };
    this.#entries.set(id, entry);
    this.#ready.push(entry);
    return entry;
  }

  /** Adds an id that is not in flight, or moves it to an earlier time. */
  #makeDue(id: string, dueAt: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) this.#add(id, dueAt);
    else if (dueAt < entry.dueAt) this.#move(entry, dueAt);
  }

  #move(entry: Entry, dueAt: number): void {
    entry.since = dueAt;
    this.#ready.move(entry, dueAt);
  }

  /** Puts an id in flight that was taken out. */
  #lend(entry: Entry, token: string, until: number, againAt: number = Infinity): void {
    entry.lease = { token, againAt };
    entry.dueAt = until;
    this.#leases.push(entry);
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

  #held({ id, token }: Held): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry?.lease?.token === token ? entry : undefined;
  }
}

/** The number of a token of that process; undefined for a token of another one. */
function numberOf(token: string, process: string): number | undefined {
  return token.startsWith(process) ? Number(token.slice(process.length)) : undefined;
}
