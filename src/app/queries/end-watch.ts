import type { State } from '../../core/state.ts';
import type { AppContext } from '../context.ts';
import { silenceMillis, Wakeups } from './wakeups.ts';

/**
 * Waits for the end of one execution.
 *
 * Reads nothing while this process runs the execution: the engine's news of the end is enough, as long as the watch
 * began before the execution could end. After each silence of {@link silenceMillis} it reads the store once, since
 * another process may run the execution. Call `close` when the wait is over.
 */
export class EndWatch {
  readonly #app: AppContext;
  readonly #signal: AbortSignal;
  readonly #wakeups: Wakeups;
  #id = '';

  constructor(app: AppContext, signal: AbortSignal) {
    this.#app = app;
    this.#signal = signal;
    this.#wakeups = new Wakeups(app, signal);
  }

  /**
   * Watches this execution instead of an earlier one. Call it before the execution is stored or read.
   *
   * @throws Overloaded when there are too many watchers.
   */
  watch(id: string): void {
    this.#id = id;
    this.#wakeups.watch(id);
  }

  /**
   * Resolves once the execution is over or gone, the time is up, or the signal aborts. Returns the final state if this
   * process made it; it is durable.
   */
  async end(millis: number): Promise<State | undefined> {
    const { clock, store } = this.#app;
    const until = clock.monotonic() + millis;
    for (;;) {
      const left = until - clock.monotonic();
      if (left <= 0 || this.#signal.aborted) return undefined;
      const heard = await this.#wakeups.next(Math.min(left, silenceMillis));
      if (heard?.end !== undefined) return heard;
      if (heard !== undefined || left <= silenceMillis || this.#signal.aborted) continue;
      const found = await store.getProgress(this.#id);
      if (found === undefined || found.state.end !== undefined) return undefined;
    }
  }

  close(): void {
    this.#wakeups.close();
  }
}
