import type { State } from '../core/state.ts';
import { Overloaded } from './settings.ts';

/**
 * Receives a durable state: rows up to its `ord` are durable, too. Must not throw, and must be quick, since it runs
 * inside the engine's commit.
 */
export type Watcher = (state: State) => void;

/** Tells the watchers in this process, such as waiting requests and event streams, that an execution has moved. */
export class WatchHub {
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #limit: number;
  #count = 0;

  /** `limit` bounds the watchers of all executions together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Number of watchers. */
  get size(): number {
    return this.#count;
  }

  /**
   * Calls `watcher` after every change that the engine of this process makes to the execution, which need not exist
   * yet. The returned function ends the watch; a second call of it does nothing.
   *
   * @throws Overloaded when there are too many watchers.
   */
  watch(id: string, watcher: Watcher): () => void {
    if (this.#count >= this.#limit) throw new Overloaded('Too many requests wait for executions.');
    let watchers = this.#watchers.get(id);
    if (watchers === undefined) this.#watchers.set(id, (watchers = new Set()));
    // Wraps the watcher in a new function, so that the same watcher may be added twice.
    const own: Watcher = (state) => watcher(state);
    watchers.add(own);
    this.#count++;
    const set = watchers;
    return () => {
      if (!set.delete(own)) return;
      this.#count--;
      if (set.size === 0 && this.#watchers.get(id) === set) this.#watchers.delete(id);
    };
  }

  /** Notifies the watchers of an execution of a durable state. */
  changed(id: string, state: State): void {
    const watchers = this.#watchers.get(id);
    if (watchers === undefined) return;
    for (const watcher of watchers) watcher(state);
  }
}
