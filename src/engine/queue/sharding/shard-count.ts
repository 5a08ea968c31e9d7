import type { Store } from '../../../ports/store.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { ClusterMember } from './member-info.ts';

const settingName = 'queue.shardCount';
/** Counts that were in force and whose shards may still be in the server: numbers separated by commas. */
const retiredName = 'queue.retiredShardCounts';
/** When several processes change the setting at once, one succeeds in each try. */
const maxTries = 20;

/** What a shard count needs. */
export interface ShardCountParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  readonly telemetry: Telemetry;
  /** The configured number. */
  readonly wants: number;
}

/**
 * The number of virtual shards. All processes must agree, so the store keeps the number in force: the first process
 * sets it; the others use it whatever their configuration says, and log the difference. The number changes once every
 * live member is configured with the same other number, by a rolling restart. The store also keeps former numbers until
 * their shards are gone, because the processes that saw the change may end earlier.
 */
export class ShardCount {
  readonly wants: number;
  readonly #parts: ShardCountParts;
  #inForce: number;
  #retired: readonly number[] = [];
  #comparing = false;

  constructor(parts: ShardCountParts) {
    this.#parts = parts;
    this.wants = parts.wants;
    this.#inForce = parts.wants;
  }

  /** The number in force, as last known. */
  get inForce(): number {
    return this.#inForce;
  }

  /** Numbers that were in force before and whose shards still existed when they were last read. */
  get retired(): readonly number[] {
    return this.#retired;
  }

  /** Reads the number, or sets it where there is none. Call it before the first claim. */
  async open(): Promise<void> {
    const { store, telemetry } = this.#parts;
    this.#inForce = Number(await store.initSetting(settingName, String(this.wants)));
    this.#retired = numbersOf(await store.initSetting(retiredName, ''));
    if (this.#inForce !== this.wants) {
      telemetry.log('warn', 'virtual shards as in force, not as configured', {
        inForce: this.#inForce,
        configured: this.wants,
      });
    }
  }

  /**
   * Checks whether the members want another number, or already have one. Returns whether the number in force has
   * changed. Never throws: the next check tries again.
   */
  async compare(members: readonly ClusterMember[]): Promise<boolean> {
    const workers = members.filter((member) => member.works);
    const wanted = workers[0]?.wants;
    const isAgreed =
      wanted !== undefined && wanted !== this.#inForce && workers.every((member) => member.wants === wanted);
    if (this.#comparing || (!isAgreed && members.every((member) => member.count === this.#inForce))) return false;
    this.#comparing = true;
    const { store, telemetry } = this.#parts;
    const before = this.#inForce;
    try {
      if (isAgreed) {
        // The note of the old number comes first: a process that changes the number may end at once.
        await this.#retire(before);
        await store.changeSetting(settingName, String(before), String(wanted));
      }
      const present = Number((await store.getSetting(settingName)) ?? before);
      // Another process may have dropped the old shards already, but this one has used them until now.
      if (!isAgreed && present !== before) await this.#retire(before);
      this.#inForce = present;
    } catch (error) {
      telemetry.log('warn', 'the number of virtual shards could not be compared', { error: String(error) });
    } finally {
      this.#comparing = false;
    }
    return this.#inForce !== before;
  }

  /** The shards of that number are gone. @throws StoreUnavailable */
  async forget(count: number): Promise<void> {
    await this.#changeRetired((counts) => counts.filter((one) => one !== count));
  }

  async #retire(count: number): Promise<void> {
    await this.#changeRetired((counts) => [...counts, count]);
  }

  /** Reads the retired numbers and changes them; repeats when another process changes them at the same time. */
  async #changeRetired(change: (counts: readonly number[]) => readonly number[]): Promise<void> {
    const { store } = this.#parts;
    for (let tries = 0; tries < maxTries; tries++) {
      const known = (await store.getSetting(retiredName)) ?? '';
      const next = [...new Set(change(numbersOf(known)))].join(',');
      if (next === known || (await store.changeSetting(retiredName, known, next))) {
        this.#retired = numbersOf(next);
        return;
      }
    }
    throw new Error('The retired numbers of virtual shards change too often.');
  }
}

function numbersOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(',').map(Number);
}
