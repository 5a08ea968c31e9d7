import { shardOf, type ShardSet } from '../../../core/value/slot.ts';
import type { Clock, Entropy } from '../../../ports/clock.ts';
import {
  type Claimed,
  type ClaimResult,
  type Queue,
  type QueueItem,
  type QueueListener,
  type QueueTrouble,
  type Refill,
  type Released,
  type Renewal,
  type StoredItem,
  QueueUnavailable,
} from '../../../ports/queue.ts';
import type { Shard, ShardEnding, ShardItem, ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { Pulse } from '../../service.ts';
import { type ClusterMember, type MemberLoad, toldOf } from './member-info.ts';
import type { FirstFill } from './first-fill.ts';
import { Membership, type MembershipChange } from './membership.ts';
import { groupByShard, perShard } from './per-shard.ts';
import { RetiredShards } from './retired-shards.ts';
import { OwnedShards } from './owned-shards.ts';
import { ShardClaims } from './shard-claims.ts';
import { ShardRefills } from './shard-refills.ts';
import { ShardRenewals } from './shard-renewals.ts';
import { ShardRouter } from './shard-router.ts';
import type { ShardCount } from './shard-count.ts';

/** What a sharded queue needs. */
export interface ShardedQueueParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly server: ShardQueue;
  readonly count: ShardCount;
  readonly podId: string;
  readonly version: string;
  /** False: owns no shards and only rings the owners. */
  readonly works: boolean;
  readonly ttlMillis: number;
  readonly beatMillis: number;
  readonly sweepMillis: number;
  readonly leaseMillis: number;
  /** Bounds the requests under way at once: eight times as many. */
  readonly claimers: number;
  /** The load of this process, for the others to see. */
  readonly load?: () => MemberLoad;
  /** Reads the identity of the store; absent: this process does not tell the others. */
  readonly storeIdentity?: () => Promise<string>;
  /** Absent: every shard without its mark counts as lost. */
  readonly firstFill?: FirstFill;
}

const foreignSentence =
  'Processes of another store use the same keys in Redis: each installation needs its own redis.queue.keyPrefix and ' +
  'redis.sharding.membershipKey, or its own Redis';

/**
 * The queue of a cluster: spreads the ids over the virtual shards of a shared server.
 *
 * Guarantees: this process claims only in shards that it owns by the latest view of the members; every process may enqueue
 * in any shard, and rings its owner then. The queue claims nothing in a shard that the server has lost (no mark, or the mark
 * of another run) before the reconciler has refilled it from the store ({@link ShardedQueue.toRefill}). After a loss every
 * process asserts the claims that it runs. Ids that are ready in the shard may be running elsewhere, so they are handed over
 * only `assertMillis` after the loss was seen: a loss repeats no call.
 *
 * What wakes a claim: a ring, the next due time of a shard, a gained shard, and a slow sweep over all of them. What stops it:
 * {@link ShardedQueue.leave} ends the claims, {@link ShardedQueue.stop} the membership and the connection.
 */
export class ShardedQueue implements Queue {
  /** This process among the members: `<podId>/<nonce>`. */
  readonly member: string;
  readonly #parts: ShardedQueueParts;
  readonly #membership: Membership;
  readonly #ownedShards = new OwnedShards();
  readonly #router: ShardRouter;
  readonly #claims: ShardClaims;
  readonly #renewals: ShardRenewals;
  readonly #refills: ShardRefills;
  readonly #retired: RetiredShards;
  #works: boolean;
  #storeIdentity = '';
  #closed = false;

  constructor(parts: ShardedQueueParts) {
    this.#parts = parts;
    this.#works = parts.works;
    this.member = `${parts.podId}/${parts.entropy.nonce()}`;
    this.#router = new ShardRouter({
      ...parts,
      member: this.member,
      ownedShards: this.#ownedShards,
      membersRang: () => this.#membership.reread(),
    });
    this.#claims = new ShardClaims({
      ...parts,
      member: this.member,
      ownedShards: this.#ownedShards,
      lost: (index) => {
        this.#lose(index);
      },
      unanswered: () => {
        this.#listener?.renew();
      },
      answered: () => {
        this.#listener?.rung(parts.clock.now());
      },
    });
    this.#renewals = new ShardRenewals({ ...parts, claims: this.#claims });
    this.#refills = new ShardRefills({
      ...parts,
      ownedShards: this.#ownedShards,
      claims: this.#claims,
      router: this.#router,
      member: this.member,
      refilled: () => {
        this.#listener?.rung(parts.clock.now());
      },
    });
    this.#retired = new RetiredShards({ ...parts, restMillis: 2 * parts.ttlMillis });
    this.#membership = new Membership({
      ...parts,
      id: this.member,
      info: () => ({
        podId: parts.podId,
        works: this.#works,
        count: parts.count.inForce,
        wants: parts.count.wants,
        version: parts.version,
        ...toldOf(parts.load?.() ?? { busy: 0 }),
      }),
      storeIdentity: () => this.#storeIdentity,
      changed: (change) => {
        this.#membersChanged(change);
      },
      beaten: () => {
        this.#probe();
        if (parts.firstFill !== undefined) void this.#refills.settle(parts.firstFill);
      },
    });
  }

  get #listener(): QueueListener | undefined {
    return this.#router.listener;
  }

  get process(): string {
    return this.member;
  }

  get pulse(): Pulse {
    return this.#membership.pulse;
  }

  /** All members of the latest view. */
  get members(): readonly ClusterMember[] {
    return this.#membership.members;
  }

  /** Shards of each member by its id, by the latest view. */
  get shardCounts(): ReadonlyMap<string, number> {
    return this.#router.shardCounts;
  }

  /** Milliseconds since the members were read. */
  get membershipAgeMillis(): number {
    return this.#membership.ageMillis;
  }

  get owned(): ShardSet {
    return { count: this.#parts.count.inForce, shards: this.#ownedShards.indexes };
  }

  owns(slot: number): boolean {
    return this.#ownedShards.has(shardOf(slot, this.#parts.count.inForce));
  }

  reaches(slot: number): boolean {
    return this.#claims.reaches(shardOf(slot, this.#parts.count.inForce));
  }

  serverIdOf(slot: number): string {
    return this.#parts.server.incarnationOf(this.#shardOf(slot)) ?? '';
  }

  get oldestDueAt(): number | undefined {
    return this.#claims.oldestDueAt;
  }

  get trouble(): readonly QueueTrouble[] {
    const { ttlMillis, beatMillis } = this.#parts;
    const trouble: QueueTrouble[] = [];
    if (this.#membership.ageMillis > Math.min(ttlMillis, 3 * beatMillis)) trouble.push('redis_unreachable');
    if (this.#membership.isStale) trouble.push('membership_stale');
    if (this.#membership.hasConflict) trouble.push('pod_id_conflict');
    return trouble;
  }

  async start(listener: QueueListener): Promise<void> {
    this.#router.listener = listener;
    await this.#parts.count.open();
    if (this.#parts.firstFill !== undefined) await this.#parts.firstFill.open();
    await this.#parts.server.open(this.member, {
      rung: (ring) => {
        this.#router.received(ring);
      },
      changed: () => {
        this.#serverChanged();
      },
    });
    if (this.#parts.storeIdentity !== undefined) {
      this.#storeIdentity = await this.#parts.storeIdentity();
      await this.#membership.greet();
      if (this.#membership.isRefused) throw new Error(`${foreignSentence}.`);
    }
    this.#membership.start();
  }

  /**
   * Gives the shards to the others; claims can still be renewed and ended. Until the stop this process remains a member
   * without shards, so that it knows which owner to ring when it hands something back, however the others change meanwhile.
   */
  async leave(): Promise<void> {
    this.#works = false;
    this.#ownedShards.own([]);
    await this.#membership.announce();
    this.#router.assign(this.#workers().filter((id) => id !== this.member));
    this.#listener?.owned();
  }

  async stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#membership.leave();
    await this.#parts.server.close();
  }

  async enqueue(items: readonly StoredItem[]): Promise<void> {
    if (this.#membership.isRefused) throw new QueueUnavailable(foreignSentence);
    const now = this.#parts.clock.now();
    await perShard(this.#parts.count.inForce, items, async (shard, group) => {
      const held = group.filter(({ heldBy = this.member }) => heldBy !== this.member);
      if (held.length > 0) await this.#refills.restoreHeld(shard, held);
      const wanted = group.map((item): ShardItem => ({ id: item.id, delayMillis: item.dueAt - now }));
      const inFlight = await this.#parts.server.enqueue(shard, wanted);
      const delayMillis = Math.min(...wanted.map((item) => item.delayMillis));
      if (inFlight.length < group.length) this.#router.ringOwner({ shard, delayMillis });
      for (const held of inFlight) this.#router.ringHolder(shard, held);
    });
  }

  claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    return this.#claims.claim(max, leaseMillis);
  }

  claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]> {
    return this.#claims.claimDirect(items, leaseMillis);
  }

  renew(held: readonly Claimed[], leaseMillis: number): Promise<Renewal> {
    return this.#renewals.renew(groupByShard(held, this.#parts.count.inForce), leaseMillis);
  }

  get wantsRenewal(): boolean {
    return this.#claims.orphanShards.length > 0;
  }

  async ack(done: readonly (Claimed & { readonly parkUntil?: number })[]): Promise<void> {
    const now = this.#parts.clock.now();
    await perShard(this.#parts.count.inForce, done, async (shard, group) => {
      const endings = group.map(({ id, token, parkUntil }): ShardEnding => ({
        id,
        token,
        next: parkUntil === undefined ? 'gone' : Math.max(0, parkUntil - now),
      }));
      // The ring about a mark may have come when this process was already done with the id.
      let delayMillis = (await this.#parts.server.finish(shard, endings)) > 0 ? 0 : Infinity;
      for (const { next } of endings) if (typeof next === 'number') delayMillis = Math.min(delayMillis, next);
      if (delayMillis < Infinity) this.#router.ringOwner({ shard, delayMillis });
    });
  }

  async release(held: readonly Released[]): Promise<void> {
    const now = this.#parts.clock.now();
    await perShard(this.#parts.count.inForce, held, async (shard, group) => {
      await this.#parts.server.finish(
        shard,
        group.map(({ id, token, yields }) => ({ id, token, next: yields === true ? 0 : 'back' })),
      );
      this.#router.ringOwner({
        shard,
        delayMillis: Math.min(0, ...group.map(({ dueAt, yields }) => (yields === true ? 0 : dueAt - now))),
      });
    });
  }

  reconcile(items: readonly StoredItem[]): Promise<readonly string[]> {
    return this.#refills.reconcile(items);
  }

  toRefill(): Refill | undefined {
    return this.#refills.next();
  }

  async size(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    return this.#parts.server.count(this.#ownedShards.indexes.map((index) => this.#shard(index)));
  }

  /** The size of all shards, those of other members included. */
  sizeOfAll(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    const { server, count } = this.#parts;
    return server.count(Array.from({ length: count.inForce }, (_, index) => this.#shard(index)));
  }

  #membersChanged(change: MembershipChange): void {
    const { telemetry, clock } = this.#parts;
    const workers = this.#workers();
    this.#router.assign(workers);
    const mine = this.#works ? this.#router.ownIndexes : [];
    const gained = this.#ownedShards.own(mine);
    if (change !== 'members') {
      telemetry.log('warn', 'the queue had forgotten this process', { change });
      this.#ownedShards.regain();
      this.#listener?.renew();
    }
    // A server that forgot a member in time has lost more than that. Ids read from the store before a claim notices the
    // absent mark have to wait for running claims to be asserted, too.
    if (change === 'forgotten') for (const index of mine) this.#lose(index);
    telemetry.log('info', 'members of the cluster', { members: workers.length, shards: mine.length, gained });
    this.#listener?.owned();
    this.#listener?.refill();
    this.#listener?.rung(clock.now());
  }

  #workers(): readonly string[] {
    return this.#membership.members.filter((member) => member.works).map(({ id }) => id);
  }

  /** Looks at one shard of each server with every heartbeat: an absent mark shows that a server lost its data. */
  #probe(): void {
    const { server, clock, count } = this.#parts;
    const before = count.inForce;
    void count.compare(this.#membership.members).then((changed) => {
      if (changed) this.#countChanged(before);
    });
    void this.#retired.drop(this.#membership.members);
    const seen = new Set<string>();
    for (const index of this.#ownedShards.indexes) {
      const incarnation = server.incarnationOf(this.#shard(index));
      if (incarnation === undefined || seen.has(incarnation) || !this.#ownedShards.isOpen(index)) continue;
      seen.add(incarnation);
      this.#ownedShards.doubt(index, clock.now());
    }
    if (seen.size > 0) this.#listener?.rung(clock.now());
  }

  #serverChanged(): void {
    for (const index of this.#ownedShards.moved((i) => this.#parts.server.incarnationOf(this.#shard(i))))
      this.#lose(index);
    this.#ownedShards.suspect(this.#parts.clock.now());
    this.#membership.reread();
    this.#listener?.renew();
    this.#listener?.refill();
    this.#listener?.rung(this.#parts.clock.now());
  }

  /** Another number of shards is in force: all shards are new, and the server knows nothing of them. */
  #countChanged(before: number): void {
    this.#retired.retire(before);
    const { telemetry, count } = this.#parts;
    telemetry.log('info', 'another number of virtual shards is in force', { count: count.inForce });
    this.#ownedShards.own([]);
    this.#membersChanged('members');
    for (const index of this.#ownedShards.indexes) this.#lose(index);
    this.#listener?.renew();
    this.#membership.reread();
  }

  #lose(index: number): void {
    const { clock } = this.#parts;
    if (!this.#ownedShards.lose(index, clock.now())) return;
    // The other shards of the same server may be lost, too.
    this.#ownedShards.suspect(clock.now());
    this.#listener?.renew();
    this.#listener?.refill();
    this.#listener?.rung(clock.now());
  }

  #shard(index: number): Shard {
    return { count: this.#parts.count.inForce, index };
  }

  #shardOf(slot: number): Shard {
    return this.#shard(shardOf(slot, this.#parts.count.inForce));
  }
}
