/** Whether a shard may lack ids: see {@link OwnedShards}. */
type Condition = 'gained' | 'lost' | 'whole';

interface Shard {
  condition: Condition;
  /** When an id is or was due, by this process' clock; -Infinity when the next claim has to find out. */
  dueAt: number;
  /** The known due time when the claim under way began; Infinity where none was known, or no claim is under way. */
  askedDueAt: number;
  /** When its latest loss was first seen; 0 without a loss. */
  lostAt: number;
  /** The run of its server in which it was last found whole. */
  incarnation: string | undefined;
  /** Since its refill began, an id could not be added. */
  missed: boolean;
}

/**
 * The state of the shards that this process owns: when each has a due id, and whether each may lack ids that the store
 * has.
 *
 * An owned shard is
 * - `gained`: new here; claims continue, and the reconciler adds ids that the shard may lack;
 * - `lost`: the server has lost data of the shard; no claims until it is refilled and marked;
 * - `whole` otherwise.
 */
export class OwnedShards {
  #shards = new Map<number, Shard>();
  /** The earliest known due time, past or future; undefined if it has to be computed. */
  #oldestDueAt: number | undefined;
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

  /** Sets the owned shards; returns how many are new. */
  own(indexes: readonly number[]): number {
    const before = this.#shards;
    this.#oldestDueAt = undefined;
    this.indexes = indexes;
    this.#shards = new Map(
      indexes.map((index) => [
        index,
        before.get(index) ?? {
          condition: 'gained',
          dueAt: -Infinity,
          askedDueAt: Infinity,
          lostAt: 0,
          incarnation: undefined,
          missed: false,
        },
      ]),
    );
    return indexes.filter((index) => !before.has(index)).length;
  }

  /** Treats all shards as gained, because other processes worked on them meanwhile. */
  regain(): void {
    this.#oldestDueAt = undefined;
    for (const shard of this.#shards.values()) {
      if (shard.condition === 'whole') shard.condition = 'gained';
      shard.dueAt = -Infinity;
    }
  }

  /** Makes the next claims check every shard. A shard with a known due time is claimed in its turn anyway. */
  suspect(now: number): void {
    for (const index of this.indexes) this.doubt(index, now);
  }

  /** Makes the next claim check the shard, unless an id in it is known to be due. */
  doubt(index: number, now: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined || shard.dueAt <= now) return;
    shard.dueAt = -Infinity;
    this.#oldestDueAt = undefined;
  }

  /** Notes that an id of the shard is due at that time. */
  rung(index: number, dueAt: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined || dueAt >= shard.dueAt) return;
    shard.dueAt = dueAt;
    if (this.#oldestDueAt !== undefined && shard.condition !== 'lost') {
      this.#oldestDueAt = Math.min(this.#oldestDueAt, dueAt);
    }
  }

  /** Notes that a claim begins. Its result does not cover rings that arrive from now on. */
  asked(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.askedDueAt = shard.dueAt === -Infinity ? Infinity : shard.dueAt;
    shard.dueAt = Infinity;
  }

  /** Notes that the claim has no answer so far, or one without a due time. */
  unanswered(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.askedDueAt = Infinity;
    this.#oldestDueAt = undefined;
  }

  /** Notes that a claim found the shard whole in the run `incarnation` of its server. */
  found(index: number, incarnation: string, nextDueAt: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.incarnation = incarnation;
    this.unanswered(index);
    this.rung(index, nextDueAt);
  }

  /** Notes that the server has lost the shard; returns false if the loss was known. */
  lose(index: number, now: number): boolean {
    const shard = this.#shards.get(index);
    if (shard === undefined || shard.condition === 'lost') return false;
    shard.condition = 'lost';
    shard.lostAt = now;
    this.#oldestDueAt = undefined;
    return true;
  }

  /** When the loss of a shard that is still lost was seen. */
  lostAt(index: number): number | undefined {
    const shard = this.#shards.get(index);
    return shard?.condition === 'lost' ? shard.lostAt : undefined;
  }

  /** When the latest loss of the shard was seen, even if it has been refilled since; 0 without a loss. */
  lastLostAt(index: number): number {
    return this.#shards.get(index)?.lostAt ?? 0;
  }

  /** Whether the shard was ever found whole. */
  wasWhole(index: number): boolean {
    return this.#shards.get(index)?.incarnation !== undefined;
  }

  /** Whether each shard was found whole, or was refilled after a loss. */
  get isSettled(): boolean {
    for (const { condition, incarnation, lostAt } of this.#shards.values()) {
      if (condition !== 'whole' || (incarnation === undefined && lostAt === 0)) return false;
    }
    return true;
  }

  /** Notes that an id could not be added: the shard needs a refill once its server answers. */
  missed(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.missed = true;
    if (shard.condition === 'whole') shard.condition = 'gained';
  }

  /** Notes that the refill of the shard begins: all due ids are about to be added. */
  refilling(index: number): void {
    const shard = this.#shards.get(index);
    if (shard !== undefined) shard.missed = false;
  }

  /** Whether no id was {@link OwnedShards.missed} since the refill began. */
  isComplete(index: number): boolean {
    return this.#shards.get(index)?.missed === false;
  }

  /** Notes that the shard is complete. */
  refilled(index: number): void {
    const shard = this.#shards.get(index);
    if (shard === undefined) return;
    shard.condition = 'whole';
    shard.dueAt = -Infinity;
    this.#oldestDueAt = undefined;
  }

  /** Shards that may lack ids. */
  get incomplete(): readonly number[] {
    return this.#select((shard) => shard.condition !== 'whole');
  }

  /** Open shards with a due id, the longest due first. */
  due(now: number): readonly number[] {
    return this.#select((shard) => shard.condition !== 'lost' && shard.dueAt <= now).sort(
      (a, b) => (this.#shards.get(a)?.dueAt ?? 0) - (this.#shards.get(b)?.dueAt ?? 0),
    );
  }

  /**
   * Since when the longest due known id of the open shards is due, without those left out; undefined where none is due.
   */
  oldestDueAt(now: number, isLeftOut: ((index: number) => boolean) | undefined): number | undefined {
    const oldest = isLeftOut === undefined ? (this.#oldestDueAt ??= this.#oldest()) : this.#oldest(isLeftOut);
    return oldest <= now ? oldest : undefined;
  }

  #oldest(isLeftOut?: (index: number) => boolean): number {
    let oldest = Infinity;
    for (const [index, { condition, dueAt, askedDueAt }] of this.#shards) {
      const known = dueAt === -Infinity ? askedDueAt : Math.min(dueAt, askedDueAt);
      if (known < oldest && condition !== 'lost' && isLeftOut?.(index) !== true) oldest = known;
    }
    return oldest;
  }

  /** The next due time of the open shards that are not left out. */
  nextDueAt(isLeftOut: (index: number) => boolean): number {
    let next = Infinity;
    for (const [index, shard] of this.#shards) {
      if (shard.condition !== 'lost' && shard.dueAt < next && !isLeftOut(index)) next = shard.dueAt;
    }
    return next;
  }

  /** Shards whose server runs under another incarnation than the one in which they were last found whole. */
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
