/** The heap's data about an item. `place` is −1 while the item is in no heap; only the heap writes it. */
export interface HeapItem {
  dueAt: number;
  order: number;
  place: number;
}

/**
 * A binary heap of items by due time, then by order of arrival. Each item knows its place, so moving or removing one is
 * O(log n), too. An item may be in one heap at a time.
 */
export class DueHeap<T extends HeapItem> {
  readonly #items: T[] = [];
  #arrivals = 0;

  /** Number of items. */
  get size(): number {
    return this.#items.length;
  }

  /** The first item by due time, or undefined. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** All items in an arbitrary but deterministic order; later changes do not affect the result. */
  get items(): readonly T[] {
    return [...this.#items];
  }

  /** Adds an item that is in no heap. */
  push(item: T): void {
    item.order = ++this.#arrivals;
    item.place = this.#items.length;
    this.#items.push(item);
    this.#up(item);
  }

  /** Changes the due time of an item of this heap. */
  move(item: T, dueAt: number): void {
    const earlier = dueAt < item.dueAt;
    item.dueAt = dueAt;
    if (earlier) this.#up(item);
    else this.#down(item);
  }

  /** Removes an item of this heap. */
  remove(item: T): void {
    const last = this.#items.pop();
    if (last === undefined) return;
    if (last !== item) {
      last.place = item.place;
      this.#items[last.place] = last;
      this.#up(last);
      this.#down(last);
    }
    item.place = -1;
  }

  /** Removes and returns the first item by due time. */
  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  #up(item: T): void {
    const items = this.#items;
    let place = item.place;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = items[above] as T;
      if (!isBefore(item, parent)) break;
      items[place] = parent;
      parent.place = place;
      place = above;
    }
    items[place] = item;
    item.place = place;
  }

  #down(item: T): void {
    const items = this.#items;
    let place = item.place;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && isBefore(items[below + 1] as T, items[below] as T)) below++;
      const child = items[below] as T;
      if (!isBefore(child, item)) break;
      items[place] = child;
      child.place = place;
      place = below;
    }
    items[place] = item;
    item.place = place;
  }
}

function isBefore(a: HeapItem, b: HeapItem): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}
