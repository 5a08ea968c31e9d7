import type {
  Held,
  Renewed,
  ShardClaimed,
  ShardClaimEachRequest,
  ShardClaimReply,
  ShardClaimRequest,
  ShardEnding,
  ShardItem,
  ShardPart,
  ShardRenewal,
} from '../../src/ports/shard-queue.ts';
import { Entries, type Entry as EntryOf } from '../../src/queue/memory/entries.ts';

interface Lease {
  /**
   * Undefined after the server has lost it; empty once a claim has noticed the loss. The next process that lists the id
   * in a renewal then holds it.
   */
  readonly token: string | undefined;
  /** When the id was marked `again`; Infinity when it was not. */
  againAt: number;
}

/** While the id is in flight, `dueAt` is Infinity if the server has lost the end of the lease. */
type Entry = EntryOf<Lease>;

/**
 * One virtual shard in memory: a heap of ready ids, a heap of leases, and the marker with the incarnation that the
 * shard was rebuilt for. Each method is one atomic step at the instant `now` of the server's clock, and corresponds to
 * a Lua script of the queue on Redis.
 */
export class ShardMemory {
  readonly #entries: Entries<Entry> = new Entries();
  /** The incarnation that the shard was rebuilt for; undefined if it was never rebuilt. */
  marker: string | undefined;
  /** The rest of the shard: ids due by `from` may be running and cannot be claimed before `until`. */
  #rest = { from: -Infinity, until: -Infinity };
  /** Whether leases or claims were lost since the latest claim. */
  #isTorn = false;

  /** Ids ready or parked. */
  get ready(): number {
    return this.#entries.ready.size;
  }

  /** Ids under a lease, including expired leases until the next claim. */
  get inFlight(): number {
    return this.#entries.leases.size;
  }

  /** Removes the ids that `isLost` selects, in any state. The marker stays. */
  lose(isLost: (id: string) => boolean): void {
    for (const entry of this.#entries.byId.values()) if (isLost(entry.id)) this.#entries.forget(entry);
  }

  /** Loses one part of the shard, like a server that evicts keys. */
  losePart(part: ShardPart): void {
    if (part === 'marker') {
      this.marker = undefined;
      this.#rest = { from: -Infinity, until: -Infinity };
    }
    this.#isTorn = true;
    for (const entry of this.#entries.byId.values()) {
      if (entry.lease === undefined) {
        if (part === 'ready') this.#entries.forget(entry);
      } else if (part === 'inflight') {
        if (entry.lease.token === undefined) this.#entries.forget(entry);
        else this.#entries.leases.move(entry, Infinity);
      } else if (part === 'claims') {
        if (entry.dueAt === Infinity) this.#entries.forget(entry);
        else {
          entry.since = entry.dueAt;
          entry.lease = { token: undefined, againAt: Infinity };
        }
      }
    }
  }

  /** Completes leases and claims after an eviction. Ids in flight stay in flight: every live holder renews them in time. */
  #mend(now: number, leaseMillis: number): void {
    this.#isTorn = false;
    for (const entry of this.#entries.leases.items) {
      if (entry.dueAt === Infinity) this.#entries.leases.move(entry, now + leaseMillis);
      if (entry.lease?.token === undefined) entry.lease = { token: '', againAt: entry.lease?.againAt ?? Infinity };
    }
  }

  /** {@link ShardQueue.mark}. */
  mark(incarnation: string, now: number, restMillis: number): void {
    this.marker = incarnation;
    if (restMillis <= 0) return;
    this.#rest = { from: now, until: Math.max(this.#rest.until, now + restMillis) };
    for (const entry of this.#entries.ready.items) this.#move(entry, this.#rested(entry.dueAt, now));
  }

  /** {@link ShardQueue.claim}. */
  claim(request: ShardClaimRequest, now: number): ShardClaimReply {
    if (now > request.notAfter) return { kind: 'late' };
    if (this.marker !== request.incarnation) return { kind: 'unmarked' };
    this.#entries.expire(now);
    if (this.#isTorn) this.#mend(now, request.leaseMillis);
    const claimed: ShardClaimed[] = [];
    while (claimed.length < request.max) {
      const entry = this.#next(now);
      if (entry === undefined || entry.dueAt > now) break;
      const lateMillis = now - entry.dueAt;
      const token = `${request.process}${String(request.firstNumber + claimed.length)}`;
      this.#entries.lend(entry, { token, againAt: Infinity }, now + request.leaseMillis);
      claimed.push({ id: entry.id, token, lateMillis });
    }
    const head = this.#entries.ready.first;
    const next = this.#next(now)?.dueAt ?? Infinity;
    const nextDueAt = head !== undefined && this.#rests(head, now) ? Math.min(next, this.#rest.until) : next;
    const lease = this.#entries.leases.first;
    return {
      kind: 'claimed',
      claimed,
      ...(nextDueAt === Infinity ? undefined : { nextDelayMillis: nextDueAt - now }),
      ...(lease === undefined ? undefined : { leaseEndsInMillis: lease.dueAt - now }),
    };
  }

  /** {@link ShardQueue.claimEach}. */
  claimEach(ids: readonly string[], request: ShardClaimEachRequest, now: number): readonly boolean[] | 'unmarked' {
    const { process, firstNumber, leaseMillis, incarnation } = request;
    if (this.marker !== incarnation) return 'unmarked';
    return ids.map((id, i) => this.#claimListed(id, `${process}${String(firstNumber + i)}`, now + leaseMillis, now));
  }

  #claimListed(id: string, token: string, until: number, now: number): boolean {
    const known = this.#entries.byId.get(id);
    const entry = known ?? this.#add(id, now);
    if (entry.lease?.token === token) {
      this.#entries.leases.move(entry, until);
      return true;
    }
    if (known !== undefined && now < this.#rest.until) return false;
    if (entry.lease !== undefined) {
      if (entry.dueAt > now) return false;
      this.#entries.giveBack(entry, entry.since);
    }
    this.#entries.lend(entry, { token, againAt: Infinity }, until);
    return true;
  }

  /** {@link ShardQueue.enqueue}. */
  enqueue(items: readonly ShardItem[], now: number): readonly Held[] {
    const marked: Held[] = [];
    for (const { id, delayMillis } of items) {
      const lease = this.#entries.byId.get(id)?.lease;
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
      if (ending.next === 'back') this.#entries.giveBack(entry, entry.since);
      else if (ending.next !== 'gone') this.#entries.giveBack(entry, now + Math.max(0, ending.next));
      else if (isAgain) this.#entries.giveBack(entry, Infinity);
      else this.#entries.forget(entry);
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
      const entry = this.#entries.byId.get(id) ?? this.#add(id, Infinity);
      if (entry.lease?.token === undefined || entry.lease.token === '') {
        const againAt = entry.lease?.againAt ?? (entry.dueAt <= now ? now : Infinity);
        this.#entries.lend(entry, { token, againAt }, until);
        entry.since = Math.min(entry.since, now + delayMillis);
        revived.push({ id, token });
      } else if (entry.lease.token === token) {
        this.#entries.leases.move(entry, until);
      } else {
        lost.push({ id, token });
        continue;
      }
      listed.add(entry);
    }
    for (const entry of orphansBelow > 0 ? this.#entries.leases.items : []) {
      const number = numberOf(entry.lease?.token ?? '', process);
      if (number !== undefined && number < orphansBelow && !listed.has(entry))
        this.#entries.giveBack(entry, entry.since);
    }
    return { lost, revived };
  }

  /** {@link ShardQueue.restore}. */
  restore(items: readonly ShardItem[], now: number, restMillis: number): readonly string[] {
    // Processes that report the same loss request almost the same end: a difference of up to 100 ms does not extend the rest.
    if (restMillis > 0 && this.marker !== undefined && this.#rest.until < now + restMillis - 100) {
      this.#rest = { from: now, until: now + restMillis };
    }
    const isDue = ({ id }: ShardItem): boolean => (this.#entries.byId.get(id)?.since ?? Infinity) <= now;
    const keeps = new Set(items.filter(isDue).map(({ id }) => id));
    const absent: string[] = [];
    for (const { id, delayMillis } of items) {
      const entry = this.#entries.byId.get(id);
      if (entry === undefined) absent.push(id);
      else if (entry.lease !== undefined || keeps.has(id)) continue;
      this.#makeDue(id, this.#rested(now + delayMillis, now));
    }
    return absent;
  }

  #rests(entry: Entry, now: number): boolean {
    return now < this.#rest.until && entry.dueAt <= this.#rest.from;
  }

  /** Makes ids that become due during the rest wait, too: they may have been parked under another shard count. */
  #rested(dueAt: number, now: number): number {
    const { from, until } = this.#rest;
    return now < until && dueAt <= until ? Math.min(dueAt, from) : dueAt;
  }

  /** The first ready id that may be claimed. */
  #next(now: number): Entry | undefined {
    const { first } = this.#entries.ready;
    if (first === undefined || !this.#rests(first, now)) return first;
    const others = this.#entries.ready.items.filter((entry) => !this.#rests(entry, now));
    return others.sort((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
  }

  /** {@link ShardQueue.restoreHeld}. */
  restoreHeld(items: readonly ShardItem[], leaseMillis: number, now: number): readonly string[] {
    const until = now + leaseMillis;
    const absent: string[] = [];
    for (const { id, delayMillis } of items) {
      const known = this.#entries.byId.get(id);
      if (known !== undefined && known.lease === undefined) this.#makeDue(id, until);
      if (known !== undefined && (known.lease === undefined || known.lease.token !== undefined)) continue;
      absent.push(id);
      if (known !== undefined) {
        known.lease = { token: '', againAt: Infinity };
        continue;
      }
      const entry = this.#add(id, now + delayMillis);
      this.#entries.lend(entry, { token: '', againAt: Infinity }, until);
    }
    return absent;
  }

  #add(id: string, dueAt: number): Entry {
    return this.#entries.add({ id, dueAt, since: dueAt, order: 0, place: -1, lease: undefined });
  }

  /** Adds an id that is not in flight, or moves it to an earlier time. */
  #makeDue(id: string, dueAt: number): void {
    const entry = this.#entries.byId.get(id);
    if (entry === undefined) this.#add(id, dueAt);
    else if (dueAt < entry.dueAt) this.#move(entry, dueAt);
  }

  #move(entry: Entry, dueAt: number): void {
    entry.since = dueAt;
    this.#entries.ready.move(entry, dueAt);
  }

  #held({ id, token }: Held): Entry | undefined {
    const entry = this.#entries.byId.get(id);
    return entry?.lease?.token === token ? entry : undefined;
  }
}

/** The number of a token if it belongs to that process, otherwise undefined. */
function numberOf(token: string, process: string): number | undefined {
  return token.startsWith(process) ? Number(token.slice(process.length)) : undefined;
}
