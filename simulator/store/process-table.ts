/** The processes that use a store in memory. */
import { type BeatAnswer, type ProcessInfo, type ProcessRow, rememberedMillis } from '../../src/ports/processes.ts';

/** See {@link Store.beat}. */
export class ProcessTable {
  readonly #rows = new Map<string, ProcessRow>();

  /** Records the beat of a process at an instant of the store's clock. */
  beat(process: ProcessInfo, isFirst: boolean, now: number): BeatAnswer {
    for (const { id, podId, beatAt } of this.#rows.values()) {
      const isFormerRun = isFirst && podId === process.podId;
      if (isFormerRun || now - beatAt > rememberedMillis) this.#rows.delete(id);
    }
    const others = [...this.#rows.values()]
      .filter(({ id }) => id !== process.id)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#rows.set(process.id, { ...process, beatAt: now });
    return { now, others };
  }

  /** Removes a process that has ended in order. */
  end(id: string): void {
    this.#rows.delete(id);
  }
}
