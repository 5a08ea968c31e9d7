/**
 * What this process knows of the shards that it works on: when each has something due, and whether each may lack ids that
 * the store has.
 *
 * A shard owned is
 * - `gained`: new here; claims go on, and the store is asked for ids that it may lack;
 * - `lost`: the server has lost (some of) it; nothing is claimed until it was refilled and marked;
 * - `whole` otherwise.
 */

/** See the file header. */
type Condition = 'gained' | 'lost' | 'whole';

interface Shard {
  condition: Condition;
  /** When something is due, by this process' clock: -Infinity when that is to be found out. */
  dueAt: number;
  /** When its latest loss was first seen; 0 where there was none. */
  lostAt: number;
  /** For which run of its server it was last found whole. */
  incarnation: string | undefined;
  /** Ids that it lacks could not be added since its refill began. */
  missed: boolean;
}

/** See the file header. */
export class ShardBoard {
  #shards = new Map<number, Shard>();
  /** Indexes owned, in ascending order. */
  indexes: readonly number[] = [];

  has(index: number): boolean {
    return this.#shards.has(index);
  }

  /** Whether ids may be claimed in it. */
  isOpen(index: number): boolean {
    const shard = this.#shards.get(index);
    return shard !== undefined && shard.condition !== 'lost';
  }

  /** Owns exactly these; answers how many are new. */
  own(indexes: readonly number[]): number {
    const before = this.#shards;
    this.indexes = indexes;
    this.#shards = new Map(
      indexes.map((index) => [
        index,
        before.get(index) ?? {
          condition: 'gained',
          dueAt: -Infinity,
          lostAt: 0,
          incarnation: undefined,
          missed: false,
        },
      ]),
    );
    return indexes.filter((index) => !before.has(index)).length;
  }

  /** Others worked on all of them meanwhile. */
  regain(): void {
    for (const shard of this.#shards.values()) {
      if (shard.condition === 'whole') shard.condition = 'gained';
      shard.dueAt = -Infinity;
    }
  }

  /** Everything is to be looked at. */
  suspect(): void {
    for (const shard of this.#shards.values()) shard.dueAt = -Infinity;
  }

  /** Something is due in it at that time. */
  rung(index: number, dueAt: number): void {
    const shard = this.#shards.get(index);
    if (shard !== undefined && dueAt < shard.dueAt) shard.dueAt = dueAt;
  }

  /** A claim begins: whatever rings from now on is news. */
  asked(index: number): void {
    const shard = this.#shards.get(index);
    if (shard !== undefined) shard.dueAt = Infinity;
  }

  /** A claim found the shard as `incarnation` says. */
  found(index: number, incarnation: string, nextDueAt: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.incarnation = incarnation;
    this.rung(index, nextDueAt);
  }

  /** The server has lost it; answers false when that was known. */
  lose(index: number, now: number): boolean {
    const shard = this.#shards.get(index);
    if (shard === undefined || shard.condition === 'lost') return false;
    shard.condition = 'lost';
    shard.lostAt = now;
    return true;
  }

  /** When the loss of a shard that is still lost was seen. */
  lostAt(index: number): number | undefined {
    const shard = this.#shards.get(index);
    return shard?.condition === 'lost' ? shard.lostAt : undefined;
  }

  /** When its latest loss was seen, refilled since or not; 0 where there was none. */
  lastLostAt(index: number): number {
    return this.#shards.get(index)?.lostAt ?? 0;
  }

  /** An id could not be added to it: it is to be refilled once its server answers. */
  missed(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.missed = true;
    if (shard.condition === 'whole') shard.condition = 'gained';
  }

  /** Its refill begins: everything due is about to be added. */
  refilling(index: number): void {
    const shard = this.#shards.get(index);
    if (shard !== undefined) shard.missed = false;
  }

  /** Whether nothing was {@link ShardBoard.missed} since its refill began. */
  isComplete(index: number): boolean {
    return this.#shards.get(index)?.missed === false;
  }

  /** Its ids are complete. */
  refilled(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.condition = 'whole';
    shard.dueAt = -Infinity;
  }

  /** Those that may lack ids. */
  get incomplete(): readonly number[] {
    return this.#select((shard) => shard.condition !== 'whole');
  }

  /** Open ones with something due, the longest due first. */
  due(now: number): readonly number[] {
    return this.#select((shard) => shard.condition !== 'lost' && shard.dueAt <= now).sort(
      (a, b) => (this.#shards.get(a)?.dueAt ?? 0) - (this.#shards.get(b)?.dueAt ?? 0),
    );
  }

  /** When the next is due of those open that are not left out. */
  nextDueAt(isLeftOut: (index: number) => boolean): number {
    let next = Infinity;
    for (const [index, shard] of this.#shards) {
      if (shard.condition !== 'lost' && shard.dueAt < next && !isLeftOut(index)) next = shard.dueAt;
    }
    return next;
  }

  /** Those whose server is not the one that they were last found whole on. */
  moved(incarnationOf: (index: number) => string | undefined): readonly number[] {
    return [...this.#shards].flatMap(([index, { incarnation }]) => {
      const present = incarnationOf(index);
      return incarnation !== undefined && present !== undefined && present !== incarnation ? [index] : [];
    });
  }

  #select(wanted: (shard: Shard) => boolean): number[] {
    const found: number[] = [];
    for (const [index, shard] of this.#shards) if (wanted(shard)) found.push(index);
    return found;
  }
}
