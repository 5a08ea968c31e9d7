import { DueHeap, type HeapItem } from './due-heap.ts';

/** `dueAt` is the due time; while the id is in flight, the end of its lease. */
export interface Entry<Lease extends { readonly againAt: number }> extends HeapItem {
  readonly id: string;
  /** Present while in flight. `againAt` is when the id was marked `again`; Infinity when it was not. */
  lease: Lease | undefined;
  /** When the id became due: its place in the order, which it keeps while in flight. */
  since: number;
}

/** The ids of a queue in memory: a heap of ready ids, a heap of ids in flight, and an index by id. */
export class Entries<E extends Entry<{ readonly againAt: number }>> {
  readonly byId: Map<string, E> = new Map();
  readonly ready: DueHeap<E> = new DueHeap();
  readonly leases: DueHeap<E> = new DueHeap();

  /** Adds an absent id as ready. */
  add(entry: E): E {
    this.byId.set(entry.id, entry);
    this.ready.push(entry);
    return entry;
  }

  /** Puts an id in any state in flight under a lease that ends at `until`. */
  lend(entry: E, lease: Exclude<E['lease'], undefined>, until: number): void {
    this.take(entry);
    entry.lease = lease;
    entry.dueAt = until;
    this.leases.push(entry);
  }

  /** Makes an id in flight ready, due at `dueAt` or when it was marked `again`, whichever is earlier. */
  giveBack(entry: E, dueAt: number): void {
    this.leases.remove(entry);
    entry.since = Math.min(dueAt, entry.lease?.againAt ?? Infinity);
    entry.dueAt = entry.since;
    entry.lease = undefined;
    this.ready.push(entry);
  }

  /** Makes ids with an expired lease ready, each in its place. */
  expire(now: number): void {
    for (let entry = this.leases.first; entry !== undefined && entry.dueAt <= now; entry = this.leases.first) {
      this.giveBack(entry, entry.since);
    }
  }

  /** Removes an id in any state. */
  forget(entry: E): void {
    this.take(entry);
    this.byId.delete(entry.id);
  }

  /** Removes an id from its heap; the caller puts it into another, or back. */
  take(entry: E): void {
    if (entry.lease === undefined) this.ready.remove(entry);
    else this.leases.remove(entry);
  }
}
