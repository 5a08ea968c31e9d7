import type { BlockCause } from '../../../core/state.ts';

/** A call that waits. */
export interface WaitingCall {
  readonly executionId: string;
  /** The token of the execution that makes the call: an execution may have several calls. */
  readonly tokenId: number;
  /** Since when the call has been blocked, in ms since 1970; absent at its first block. */
  readonly blockedSince?: number;
}

/** A waiting call in a line. */
export interface Entry {
  readonly executionId: string;
  readonly tokenId: number;
  /** Time of the first block, in ms since 1970. */
  readonly since: number;
  /** Orders calls with the same time of the first block by the time of their listing. */
  readonly order: number;
  readonly line: WaitingLine;
  /** True from the wake-up of the call until it enters the gate again. */
  isCalled: boolean;
  /** When the call was woken; monotonic. */
  calledAt: number;
}

/**
 * The position of an entry in the heap. Removed entries remain until they reach the top or form most of the heap.
 */
interface Position {
  readonly entry: Entry;
}

/** How long a freed place is reserved for the execution woken for it, in ms. A load and a checkpoint take less. */
const promiseMillis = 2_000;

/**
 * The calls that wait for one cause, the longest blocked first, even if a call was woken in vain before or comes from a
 * process that has ended. Adding, taking and removal are O(log n) amortized.
 */
export class WaitingLine {
  readonly cause: BlockCause;
  /** A binary heap. */
  #heap: Position[] = [];
  readonly #positions = new Map<Entry, Position>();
  /** Woken calls that have not entered the gate again, earliest first. */
  readonly #told = new Set<Entry>();

  constructor(cause: BlockCause) {
    this.cause = cause;
  }

  /** Number of calls that have not been woken. */
  get size(): number {
    return this.#positions.size;
  }

  add(entry: Entry): void {
    const position = { entry };
    this.#positions.set(entry, position);
    this.#heap.push(position);
    this.#rise(this.#heap.length - 1);
  }

  /** Removes an entry. Does nothing if the entry is not in the line. */
  delete(entry: Entry): void {
    if (!this.#positions.delete(entry) || this.#heap.length <= 2 * this.#positions.size + 16) return;
    // A sorted array is a heap.
    this.#heap = [...this.#positions.values()].sort((a, b) => (isBefore(a.entry, b.entry) ? -1 : 1));
  }

  /** Removes and returns the first entries. */
  take(most: number): readonly Entry[] {
    if (most < this.size) return Array.from({ length: most }, () => this.#first());
    const all = Array.from(this.#positions.keys()).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#positions.clear();
    this.#heap = [];
    return all;
  }

  /** Notes that a call taken from the line was woken. */
  told(entry: Entry): void {
    this.#told.add(entry);
  }

  hasCome(entry: Entry): void {
    this.#told.delete(entry);
  }

  /** Whether a woken call has not entered the gate again. */
  get isAwaited(): boolean {
    return this.#told.size > 0;
  }

  /** Number of recently woken calls that have not entered the gate again; only those before `call` if it is one of them. */
  promised(now: number, call: WaitingCall): number {
    let count = 0;
    for (const { executionId, tokenId, calledAt } of this.#told) {
      if (executionId === call.executionId && tokenId === call.tokenId) break;
      if (now - calledAt < promiseMillis) count++;
    }
    return count;
  }

  /** Removes and returns the first entry. The line must not be empty. */
  #first(): Entry {
    for (;;) {
      const top = this.#heap[0];
      const last = this.#heap.pop();
      if (top === undefined || last === undefined) throw new Error('The line has lost its first one.');
      if (top !== last) {
        this.#heap[0] = last;
        this.#sink();
      }
      if (this.#positions.get(top.entry) !== top) continue;
      this.#positions.delete(top.entry);
      return top.entry;
    }
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#swapped(above, at)) return;
      at = above;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const [left, right] = [this.#heap[2 * at + 1], this.#heap[2 * at + 2]];
      if (left === undefined) return;
      const below = right !== undefined && isBefore(right.entry, left.entry) ? 2 * at + 2 : 2 * at + 1;
      if (!this.#swapped(at, below)) return;
      at = below;
    }
  }

  /** Swaps the two if they are in the wrong order; returns whether they were. */
  #swapped(above: number, below: number): boolean {
    const [high, low] = [this.#heap[above], this.#heap[below]];
    if (high === undefined || low === undefined || !isBefore(low.entry, high.entry)) return false;
    this.#heap[above] = low;
    this.#heap[below] = high;
    return true;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.since === other.since ? one.order < other.order : one.since < other.since;
}
