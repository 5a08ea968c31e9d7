import type { Store } from '../../../ports/store.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';

/**
 * The shard count for which the queue was filled once. From then on, a shard of that count without its mark has lost
 * its ids.
 */
const settingName = 'queue.filledShardCount';

/** What the first fill needs. */
export interface FirstFillParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  readonly telemetry: Telemetry;
}

/**
 * Distinguishes the first fill of a queue from a loss: a new server has no marks, and neither has a server that lost
 * everything. The store keeps the shard count that was filled once. Only logs and metrics depend on it.
 */
export class FirstFill {
  readonly #parts: FirstFillParts;
  /** The shard count that was filled; undefined if this process knows of none. */
  #filled: string | undefined;
  /** Shards that this process has filled for the first time and not logged yet. */
  #shards = 0;

  constructor(parts: FirstFillParts) {
    this.#parts = parts;
  }

  /** Reads the filled count. Call it before the first claim. */
  async open(): Promise<void> {
    this.#filled = await this.#parts.store.getSetting(settingName);
  }

  /** Whether shards of that count lack their marks because they are new. */
  isNew(count: number): boolean {
    return this.#filled !== String(count);
  }

  /** A new shard was filled. */
  add(): void {
    this.#shards++;
  }

  /**
   * All shards of this process are filled: logs it once and notes it in the store. Never throws. Where the store does
   * not take the note, a process that starts later takes a loss of all shards for a first fill, and logs it at level
   * `info`.
   */
  async complete(count: number): Promise<void> {
    const { store, telemetry } = this.#parts;
    if (this.#shards > 0) telemetry.log('info', 'queue filled from the store', { shards: this.#shards });
    this.#shards = 0;
    const filled = String(count);
    this.#filled = filled;
    try {
      // When several processes fill their shards at the same time, one succeeds and the others find its number.
      const known = await store.initSetting(settingName, filled);
      if (known !== filled) await store.changeSetting(settingName, known, filled);
    } catch (error) {
      telemetry.log('warn', 'the store did not note that the queue is filled', { error: String(error) });
    }
  }
}
