/** Tells those who wait for an execution, in this process, that it has moved: waiting requests and event streams. */
import type { State, TerminalStatus } from '../core/state.ts';
import { Overloaded } from './settings.ts';

/** What a watcher learns; rows up to `ord` are durable. A watcher that needs more reads the store. */
export interface Moved {
  readonly id: string;
  readonly ord: number;
  /** Present once the execution is over. */
  readonly end?: TerminalStatus;
}

/** Must not throw, and must be quick: it runs inside the engine's commit. */
export type Watcher = (moved: Moved) => void;

/** See the file header. */
export class WatchHub {
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #limit: number;
  #count = 0;

  /** `limit` bounds the watchers of all executions together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Watchers now. */
  get size(): number {
    return this.#count;
  }

  /**
   * Calls `watcher` after every change of the execution that this process makes. The result ends that; a second call of it
   * does nothing.
   *
   * @throws Overloaded when too many watch.
   */
  watch(id: string, watcher: Watcher): () => void {
    if (this.#count >= this.#limit) throw new Overloaded('Too many requests wait for executions.');
    let watchers = this.#watchers.get(id);
    if (watchers === undefined) this.#watchers.set(id, (watchers = new Set()));
    // Its own function, so that the same watcher may be given twice.
    const own: Watcher = (moved) => watcher(moved);
    watchers.add(own);
    this.#count++;
    const set = watchers;
    return () => {
      if (!set.delete(own)) return;
      this.#count--;
      if (set.size === 0 && this.#watchers.get(id) === set) this.#watchers.delete(id);
    };
  }

  /** Tells the watchers of an execution about a state that is durable. Builds the news only where there are watchers. */
  changed(id: string, { ord, end }: Pick<State, 'ord' | 'end'>): void {
    if (this.#watchers.has(id)) this.tell({ id, ord, ...(end && { end: end.status }) });
  }

  /** Tells its watchers. */
  tell(moved: Moved): void {
    const watchers = this.#watchers.get(moved.id);
    if (watchers === undefined) return;
    for (const watcher of watchers) watcher(moved);
  }
}
