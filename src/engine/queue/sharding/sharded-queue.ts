/**
 * The queue of a cluster: what the engine asks of a {@link Queue}, spread over the virtual shards of a shared server.
 *
 * This process claims only in shards that it owns by the membership's latest view; anybody may enqueue anywhere, and then
 * rings the owner. What wakes a claim: a bell, the time at which a shard's next id is due, a shard gained, and a slow sweep over all
 * of them. A shard that the server has lost (no mark, or that of another run) is refilled from the store before anything is
 * claimed in it: the reconciler asks {@link ShardedQueue.toRefill}.
 *
 * After a loss every process first asserts the claims that it runs, and whatever is ready in the shard, which may be running
 * elsewhere, is handed over only {@link settleMillis} after the loss was first seen: a loss repeats no call.
 */
import { shardOf, type ShardSet } from '../../../core/slot.ts';
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
  processOf,
  QueueUnavailable,
} from '../../../ports/queue.ts';
import {
  assertMillis,
  type Held,
  type Ring,
  type Shard,
  type ShardEnding,
  type ShardItem,
  type ShardQueue,
} from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { Pulse } from '../../service.ts';
import { type ClusterMember, type MemberLoad, toldOf } from './member-info.ts';
import type { FirstFill } from './first-fill.ts';
import { Membership, type MembershipChange } from './membership.ts';
import { assignShards } from './ownership.ts';
import { groupByShard, perShard } from './per-shard.ts';
import { RetiredShards } from './retired-shards.ts';
import { OwnedShards } from './owned-shards.ts';
import { ShardClaims } from './shard-claims.ts';
import { ShardRefills } from './shard-refills.ts';
import { ShardRenewals } from './shard-renewals.ts';
import type { ShardCount } from './shard-count.ts';

/** How long after a loss ids that may be running elsewhere are left alone: others notice it and assert their claims. */
export const settleMillis: number = assertMillis;

/** What a sharded queue stands on. */
export interface ShardedQueueParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly server: ShardQueue;
  readonly count: ShardCount;
  readonly podId: string;
  readonly version: string;
  /** False: only rings others. */
  readonly works: boolean;
  readonly ttlMillis: number;
  readonly beatMillis: number;
  readonly sweepMillis: number;
  readonly leaseMillis: number;
  /** Requests that are under way at once are eight times as many. */
  readonly claimers: number;
  /** What this process has in hand, for the others to see. */
  readonly load?: () => MemberLoad;
  /** Reads what tells the store from others; absent: it is not told. */
  readonly storeIdentity?: () => Promise<string>;
  /** Absent: every shard that the server lacks counts as lost. */
  readonly firstFill?: FirstFill;
}

const foreignSentence =
  'Processes of another store live under the same keys in Redis: each installation needs a redis.queue.keyPrefix and a ' +
  'redis.sharding.membershipKey of its own, or a Redis of its own';

/** Another store has the keys of this queue; the message is for people. */
class ForeignQueue extends Error {
  constructor() {
    super(`${foreignSentence}.`);
  }
}

/** See the file header. */
export class ShardedQueue implements Queue {
  /** This process among the members: `<podId>/<nonce>`. */
  readonly member: string;
  readonly #parts: ShardedQueueParts;
  readonly #membership: Membership;
  readonly #ownedShards = new OwnedShards();
  readonly #claims: ShardClaims;
  readonly #renewals: ShardRenewals;
  readonly #refills: ShardRefills;
  readonly #retired: RetiredShards;
  /** Member by shard, of those that work. */
  #owners: readonly string[] = [];
  #listener: QueueListener | undefined;
  #works: boolean;
  #storeIdentity = '';
  #closed = false;

  constructor(parts: ShardedQueueParts) {
    this.#parts = parts;
    this.#works = parts.works;
    this.member = `${parts.podId}/${parts.entropy.nonce()}`;
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
      ringOwner: (ring) => {
        this.#ringOwner(ring);
      },
      member: this.member,
      ring: (member, ring) => {
        this.#ring(member, ring);
      },
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
    const counts = new Map<string, number>();
    for (const owner of this.#owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return counts;
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
    const { ttlMillis } = this.#parts;
    const trouble: QueueTrouble[] = [];
    if (this.#membership.ageMillis > Math.min(ttlMillis, 3 * this.#parts.beatMillis)) trouble.push('redis_unreachable');
    if (this.#membership.isStale) trouble.push('membership_stale');
    if (this.#membership.hasConflict) trouble.push('pod_id_conflict');
    return trouble;
  }

  async start(listener: QueueListener): Promise<void> {
    this.#listener = listener;
    await this.#parts.count.open();
    if (this.#parts.firstFill !== undefined) await this.#parts.firstFill.open();
    await this.#parts.server.open(this.member, {
      rung: (ring) => {
        this.#rung(ring);
      },
      changed: () => {
        this.#serverChanged();
      },
    });
    if (this.#parts.storeIdentity !== undefined) {
      this.#storeIdentity = await this.#parts.storeIdentity();
      await this.#membership.greet();
      if (this.#membership.isRefused) throw new ForeignQueue();
    }
    this.#membership.start();
  }

  /**
   * Gives the shards to the others; claims that are held can still be renewed and ended. Until it stops it is a member that
   * takes no shards: so it knows whom to ring when it hands something back, however the others change meanwhile.
   */
  async leave(): Promise<void> {
    this.#works = false;
    this.#ownedShards.own([]);
    await this.#membership.announce();
    this.#assign(this.#workers().filter((id) => id !== this.member));
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
      if (inFlight.length < group.length) this.#ringOwner({ shard, delayMillis });
      for (const held of inFlight) this.#ringHolder(shard, held);
    });
  }

  claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    return this.#claims.claim(max, leaseMillis);
  }

  claimDirect(item: QueueItem, leaseMillis: number): Promise<Claimed | undefined> {
    return this.#claims.claimDirect(this.#shardOf(item.slot), item, leaseMillis);
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
      const again = await this.#parts.server.finish(shard, endings);
      const delays = endings.flatMap(({ next }) => (typeof next === 'number' ? [next] : []));
      // Whoever marked it rang its holder, who had done with it by then.
      if (again > 0) delays.push(0);
      if (delays.length > 0) this.#ringOwner({ shard, delayMillis: Math.min(...delays) });
    });
  }

  async release(held: readonly Released[]): Promise<void> {
    const now = this.#parts.clock.now();
    await perShard(this.#parts.count.inForce, held, async (shard, group) => {
      await this.#parts.server.finish(
        shard,
        group.map(({ id, token, yields }) => ({ id, token, next: yields === true ? 0 : 'back' })),
      );
      this.#ringOwner({
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

  /** The size of all shards, whoever works on them. */
  sizeOfAll(): Promise<{ readonly ready: number; readonly inFlight: number }> {
    const all = Array.from({ length: this.#parts.count.inForce }, (_, index) => this.#shard(index));
    return this.#parts.server.count(all);
  }

  #rung(ring: Ring): void {
    const { clock, count } = this.#parts;
    if (ring.members === true) this.#membership.reread();
    const dueAt = clock.now() + ring.delayMillis;
    const { id, shard, hops = 0 } = ring;
    if (id !== undefined) {
      if (ring.lost !== true) this.#listener?.rung(dueAt, id);
      else if (shard !== undefined && this.#listener?.unknown(id) !== true) void this.#disown(shard, id);
      return;
    }
    if (shard === undefined || shard.count !== count.inForce) return;
    if (this.#ownedShards.has(shard.index)) {
      this.#ownedShards.rung(shard.index, dueAt);
      this.#listener?.rung(dueAt);
      // Whoever rang may have an older view of the members than this process, which then knows better.
    } else if (hops === 0) this.#ringOwner({ shard, delayMillis: ring.delayMillis, hops: 1 });
  }

  /** Nobody here works on the id: what is kept for this process goes on elsewhere. Never rejects: it ends by itself soon. */
  async #disown(shard: Shard, id: string): Promise<void> {
    try {
      await this.#parts.server.finish(shard, [{ id, token: '', next: 'back' }]);
      if (shard.count === this.#parts.count.inForce) this.#ringOwner({ shard, delayMillis: 0 });
    } catch {
      this.#parts.telemetry.queueFailed('release');
    }
  }

  #ringOwner(ring: Ring & { readonly shard: Shard }): void {
    const owner = this.#owners[ring.shard.index];
    if (owner === this.member) {
      const dueAt = this.#parts.clock.now() + ring.delayMillis;
      this.#ownedShards.rung(ring.shard.index, dueAt);
      this.#listener?.rung(dueAt);
    } else if (owner !== undefined) this.#ring(owner, ring);
  }

  #ringHolder(shard: Shard, { id, token }: Held): void {
    const holder = processOf(token);
    if (holder === this.member) this.#listener?.rung(this.#parts.clock.now(), id);
    else this.#ring(holder, { shard, delayMillis: 0, id });
  }

  /** Best effort: sweep and reconcile find what a lost ring meant. */
  #ring(member: string, ring: Ring): void {
    this.#parts.server.ring(member, ring).catch(() => {
      this.#parts.telemetry.queueFailed('ring');
    });
  }

  #membersChanged(change: MembershipChange): void {
    const { telemetry, clock } = this.#parts;
    const workers = this.#workers();
    this.#assign(workers);
    const mine = this.#works ? this.#owners.flatMap((owner, index) => (owner === this.member ? [index] : [])) : [];
    const gained = this.#ownedShards.own(mine);
    if (change !== 'members') {
      telemetry.log('warn', 'the queue had forgotten this process', { change });
      this.#ownedShards.regain();
      this.#listener?.renew();
    }
    // A server that forgot a member in time has lost more than that. What is read from the store before a claim notices the absent mark must wait for running claims to be asserted, too.
    if (change === 'forgotten') for (const index of mine) this.#lose(index);
    telemetry.log('info', 'members of the cluster', { members: workers.length, shards: mine.length, gained });
    this.#listener?.owned();
    this.#listener?.refill();
    this.#listener?.rung(clock.now());
  }

  #workers(): readonly string[] {
    return this.#membership.members.filter((member) => member.works).map(({ id }) => id);
  }

  #assign(workers: readonly string[]): void {
    const owners = workers.length === 0 ? [] : assignShards(workers, this.#parts.count.inForce);
    this.#owners = Array.from(owners, (i) => workers[i] ?? '');
  }

  /** One shard of each server is looked at with every heartbeat: a server that lost its data shows by an absent mark. */
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

  /** Another number of shards is in force: all of them are other shards, of which the server knows nothing. */
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
    // Its neighbours on the same server are in doubt, too.
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
