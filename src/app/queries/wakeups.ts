import type { State } from '../../core/state.ts';
import type { AppContext } from '../context.ts';

/** How long to hear nothing of an execution before it is read: another process may run it. */
export const silenceMillis = 1000;

/**
 * Waits for news of one execution, and remembers the latest between two waits. The engine tells only what this process
 * does; after a silence the waiting reader looks at the store.
 */
export class Wakeups {
  readonly #app: AppContext;
  readonly #signal: AbortSignal;
  #unwatch: (() => void) | undefined;
  #heard: State | undefined;
  #resume: (() => void) | undefined;

  constructor(app: AppContext, signal: AbortSignal) {
    this.#app = app;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#resume?.();

  /**
   * Listens for this execution instead of an earlier one.
   *
   * @throws Overloaded when there are too many watchers.
   */
  watch(id: string): void {
    this.#unwatch?.();
    this.#heard = undefined;
    this.#unwatch = this.#app.engine.watch(id, (state) => {
      this.#heard = state;
      this.#resume?.();
    });
  }

  /** The latest durable state since the last call; undefined after `millis` of silence, and once the signal aborts. */
  async next(millis: number): Promise<State | undefined> {
    if (this.#heard === undefined && !this.#signal.aborted) await this.#sleep(millis);
    const heard = this.#heard;
    this.#heard = undefined;
    return heard;
  }

  #sleep(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#app.clock.after(millis, () => this.#resume?.());
      this.#resume = () => {
        this.#resume = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#resume?.();
  }
}
