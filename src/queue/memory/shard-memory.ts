/**
 * One virtual shard in memory: a heap of ready ids, a heap of leases, and the marker of what it was rebuilt for. Each
 * method is one step, at an instant `now` of the server's clock. The steps are those of the scripts for Redis.
 */
import type {
  Held,
  ShardClaimed,
  ShardClaimReply,
  ShardClaimRequest,
  ShardEnding,
  ShardItem,
  ShardRenewal,
} from '../../ports/shard-queue.ts';
import { DueHeap, type HeapItem } from './due-heap.ts';

interface Lease {
  readonly token: string;
  again: boolean;
}

/** `dueAt` is when it is due; while it is in flight, when its lease ends. */
interface Entry extends HeapItem {
  readonly id: string;
  lease: Lease | undefined;
}

/** See the file header. */
export class ShardMemory {
  readonly #entries = new Map<string, Entry>();
  readonly #ready: DueHeap<Entry> = new DueHeap();
  readonly #leases: DueHeap<Entry> = new DueHeap();
  /** What the shard was rebuilt for; undefined for a shard that never was. */
  marker: string | undefined;
  /** Until when nothing that is restored may be due. */
  #restUntil = -Infinity;

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

  /** {@link ShardQueue.mark}. */
  mark(incarnation: string, first: number): void {
    this.marker = incarnation;
    this.#restUntil = Math.max(this.#restUntil, first);
    for (let entry = this.#ready.first; entry !== undefined && entry.dueAt < first; entry = this.#ready.first) {
      this.#ready.move(entry, first);
    }
  }

  /** {@link ShardQueue.claim}. */
  claim(request: ShardClaimRequest, now: number): ShardClaimReply {
    if (now > request.notAfter) return { kind: 'late' };
    if (this.marker !== request.incarnation) return { kind: 'unmarked' };
    for (let entry = this.#leases.first; entry !== undefined && entry.dueAt <= now; entry = this.#leases.first) {
      this.#giveBack(entry, entry.dueAt);
    }
    const claimed: ShardClaimed[] = [];
    while (claimed.length < request.max) {
      const entry = this.#ready.first;
      if (entry === undefined || entry.dueAt > now) break;
      const lateMillis = now - entry.dueAt;
      const token = `${request.process}${String(request.firstNumber + claimed.length)}`;
      this.#lend(entry, token, now + request.leaseMillis);
      claimed.push({ id: entry.id, token, lateMillis });
    }
    const next = this.#ready.first;
    const lease = this.#leases.first;
    return {
      kind: 'claimed',
      claimed,
      ...(next === undefined ? undefined : { nextDelayMillis: Math.max(0, next.dueAt - now) }),
      ...(lease === undefined ? undefined : { leaseEndsInMillis: lease.dueAt - now }),
    };
  }

  /** {@link ShardQueue.claimOne}. */
  claimOne(held: Held, leaseMillis: number, incarnation: string, now: number): 'claimed' | 'held' | 'unmarked' {
    if (this.marker !== incarnation) return 'unmarked';
    const until = now + leaseMillis;
    const entry = this.#entries.get(held.id) ?? this.#add(held.id, now);
    if (entry.lease?.token === held.token) {
      this.#leases.move(entry, until);
      return 'claimed';
    }
    if (entry.lease !== undefined) {
      if (entry.dueAt > now) return 'held';
      this.#giveBack(entry, entry.dueAt);
    }
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
        lease.again = true;
        marked.push({ id, token: lease.token });
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
      if (entry.lease?.again === true) {
        this.#giveBack(entry, now);
        again++;
      } else if (ending.next === 'gone') this.#forget(entry);
      else this.#giveBack(entry, now + Math.max(0, ending.next));
    }
    return again;
  }

  /** {@link ShardQueue.renew}. */
  renew(process: string, held: readonly Held[], leaseMillis: number, orphansBelow: number, now: number): ShardRenewal {
    const until = now + leaseMillis;
    const listed = new Set<Entry>();
    const lost: Held[] = [];
    const revived: Held[] = [];
    for (const claim of held) {
      const entry = this.#entries.get(claim.id) ?? this.#add(claim.id, Infinity);
      if (entry.lease === undefined) {
        const again = entry.dueAt <= now;
        this.#lend(entry, claim.token, until, again);
        revived.push(claim);
      } else if (entry.lease.token === claim.token) {
        this.#leases.move(entry, until);
      } else {
        lost.push(claim);
        continue;
      }
      listed.add(entry);
    }
    for (const entry of orphansBelow > 0 ? this.#leases.items : []) {
      const number = numberOf(entry.lease?.token ?? '', process);
      if (number !== undefined && number < orphansBelow && !listed.has(entry)) this.#giveBack(entry, now);
    }
    return { lost, revived };
  }

  /** {@link ShardQueue.restore}. */
  restore(items: readonly ShardItem[], now: number): number {
    let absent = 0;
    for (const { id, delayMillis } of items) {
      const entry = this.#entries.get(id);
      if (entry === undefined) absent++;
      if (entry?.lease === undefined) this.#makeDue(id, Math.max(now + delayMillis, this.#restUntil));
    }
    return absent;
  }

  #add(id: string, dueAt: number): Entry {
    const entry: Entry = { id, dueAt, order: 0, place: -1, lease: undefined };
    this.#entries.set(id, entry);
    this.#ready.push(entry);
    return entry;
  }

  /** Adds an id that is not in flight, or moves it to an earlier time. */
  #makeDue(id: string, dueAt: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) this.#add(id, dueAt);
    else if (dueAt < entry.dueAt) this.#ready.move(entry, dueAt);
  }

  #lend(entry: Entry, token: string, until: number, again: boolean = false): void {
    this.#ready.remove(entry);
    entry.lease = { token, again };
    entry.dueAt = until;
    this.#leases.push(entry);
  }

  #giveBack(entry: Entry, dueAt: number): void {
    this.#leases.remove(entry);
    entry.lease = undefined;
    entry.dueAt = dueAt;
    this.#ready.push(entry);
  }

  #forget(entry: Entry): void {
    if (entry.lease === undefined) this.#ready.remove(entry);
    else this.#leases.remove(entry);
    this.#entries.delete(entry.id);
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
