import type { Store } from '../../../ports/store.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { ClusterMember } from './member-info.ts';

const settingName = 'queue.shardCount';
/** Counts that were in force and whose shards may still be in the server: numbers with commas between. */
const retiredName = 'queue.retiredShardCounts';
/** Of several processes that change them at once each time one succeeds. */
const maxTries = 20;

/** What a shard count stands on. */
export interface ShardCountParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;
  readonly telemetry: Telemetry;
  /** The configured number. */
  readonly wants: number;
}

/**
 * How many virtual shards there are. All processes must agree, so the number in force is in the store: the first process
 * sets it, the others run with it whatever they were configured with, and say so. It changes once every live member was
 * configured with the same other number: by a rolling restart. The numbers before it are in the store, too, until their
 * shards are gone: whoever saw the change may not live for long enough to see to that.
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

  /** Numbers that were in force before and whose shards were not yet gone when this was last read. */
  get retired(): readonly number[] {
    return this.#retired;
  }

  /** Reads it, or sets it where there is none. To be done before anything is claimed. */
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
   * Looks whether the members want another number, or already have one. Answers whether the number in force has changed. Never
   * throws: the next look tries again.
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
        // First, so that nobody can change the number and be gone before it is known what it was.
        await this.#retire(before);
        await store.changeSetting(settingName, String(before), String(wanted));
      }
      const present = Number((await store.getSetting(settingName)) ?? before);
      // Others may have seen to the old shards already; this process has used them until now.
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

  /** Reads the retired numbers and changes them; tried again when somebody else does so at the same time. */
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
