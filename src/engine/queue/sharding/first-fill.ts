/**
 * Tells the first fill of a queue from a loss: a server that is new has no marks, as one has that lost everything. Which number of shards
 * was filled once is in the store; only what is said and counted depends on it.
 */
import type { Store } from '../../../ports/store.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';

/** The number of shards that was filled once: from then on a shard of that number without its mark has lost its ids. */
const settingName = 'queue.filledShardCount';

/** What it stands on. */
export interface FirstFillParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  readonly telemetry: Telemetry;
}

/** Whether shards are filled for the first time, and the one line that says that they are. */
export class FirstFill {
  readonly #parts: FirstFillParts;
  /** The number that was filled, as far as this process knows. */
  #filled: string | undefined;
  /** Shards that this process has filled for the first time and not told of. */
  #shards = 0;

  constructor(parts: FirstFillParts) {
    this.#parts = parts;
  }

  /** Reads what was filled before. To be done before anything is claimed. */
  async open(): Promise<void> {
    this.#filled = await this.#parts.store.getSetting(settingName);
  }

  /** Whether shards of that number lack their marks because they are new. */
  isNew(count: number): boolean {
    return this.#filled !== String(count);
  }

  /** A new shard was filled. */
  add(): void {
    this.#shards++;
  }

  /**
   * All shards of this process are filled: says so once. Never throws: where the store does not take the note, a process that starts
   * later takes a loss of all shards for a first start, and says so in a line of level `info`.
   */
  async complete(count: number): Promise<void> {
    const { store, telemetry } = this.#parts;
    if (this.#shards > 0) telemetry.log('info', 'queue filled from the store', { shards: this.#shards });
    this.#shards = 0;
    const filled = String(count);
    this.#filled = filled;
    try {
      // Of several processes that fill their shards at the same time one succeeds, and the others find its number.
      const known = await store.initSetting(settingName, filled);
      if (known !== filled) await store.changeSetting(settingName, known, filled);
    } catch (error) {
      telemetry.log('warn', 'the store did not note that the queue is filled', { error: String(error) });
    }
  }
}
