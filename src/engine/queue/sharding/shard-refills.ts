import type { ShardSet } from '../../../core/value/slot.ts';
import type { Clock } from '../../../ports/clock.ts';
import { QueuePartlyUnavailable, type Refill, type StoredItem } from '../../../ports/queue.ts';
import { assertMillis, type Shard, type ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import type { FirstFill } from './first-fill.ts';
import { perShard } from './per-shard.ts';
import { asFailure, settleAll } from './settling.ts';
import type { OwnedShards } from './owned-shards.ts';
import type { ShardClaims } from './shard-claims.ts';
import type { ShardRouter } from './shard-router.ts';

/** What refills need. */
export interface ShardRefillsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'restore' | 'restoreHeld' | 'mark' | 'incarnationOf'>;
  /** This process among the members. */
  readonly member: string;
  /** How long a process that is cut off may believe that it holds its claims. */
  readonly leaseMillis: number;
  readonly count: { readonly inForce: number };
  /** Absent: every shard without its mark counts as lost. */
  readonly firstFill?: FirstFill;
  readonly ownedShards: OwnedShards;
  readonly claims: Pick<ShardClaims, 'hasOther' | 'serverIdOf'>;
  readonly router: Pick<ShardRouter, 'ringOwner' | 'ring'>;
  /** A refill is over. Must not throw. */
  refilled(): void;
}

/**
 * Restores ids from the store in the queue: single ids that the queue may lack, and whole shards that the server has lost
 * or that are new to this process.
 *
 * Guarantees: a lost shard is marked only after all its due ids were added, and rests until {@link assertMillis} after
 * the loss was seen. During that time, ids that a live process works on stay reserved for it, and it is rung. A shard to
 * which an id could not be added is refilled once its server answers.
 */
export class ShardRefills {
  readonly #parts: ShardRefillsParts;

  constructor(parts: ShardRefillsParts) {
    this.#parts = parts;
  }

  /**
   * See {@link Queue.reconcile}.
   *
   * @throws QueuePartlyUnavailable where other servers answer.
   */
  async reconcile(items: readonly StoredItem[]): Promise<readonly string[]> {
    const { ownedShards, claims, count } = this.#parts;
    const added: string[] = [];
    const servers = new Set<string>();
    try {
      await perShard(count.inForce, items, async (shard, group) => {
        try {
          added.push(...(await this.#restore(shard, group)));
        } catch (error) {
          servers.add(claims.serverIdOf(shard.index));
          ownedShards.missed(shard.index);
          throw error;
        }
      });
    } catch (error) {
      if (error instanceof QueuePartlyUnavailable || !claims.hasOther(servers)) throw error;
      throw new QueuePartlyUnavailable(asFailure(error).message, new Set(items.map(({ id }) => id)));
    }
    return added;
  }

  /** See {@link Queue.toRefill}. */
  next(): Refill | undefined {
    const { server, count, ownedShards } = this.#parts;
    const incarnations = new Map<number, string>();
    for (const index of ownedShards.incomplete) {
      const incarnation = server.incarnationOf({ count: count.inForce, index });
      if (incarnation !== undefined) incarnations.set(index, incarnation);
    }
    if (incarnations.size === 0) return undefined;
    const shards: ShardSet = { count: count.inForce, shards: [...incarnations.keys()] };
    for (const index of shards.shards) ownedShards.refilling(index);
    return { shards, done: () => this.#refilled(shards, incarnations) };
  }

  async #restore(shard: Shard, group: readonly StoredItem[]): Promise<readonly string[]> {
    const { server, ownedShards, clock, member } = this.#parts;
    // This process does not reconcile ids that it works on itself.
    const isHeld = ({ heldBy = member }: StoredItem): boolean => heldBy !== member;
    const held = group.filter(isHeld);
    const others = group.filter((item) => !isHeld(item));
    const now = clock.now();
    // Even in a refilled shard: shortly after a loss, an id that the store calls due may be running in a process that
    // has not noticed the loss.
    const restMillis = Math.max(0, ownedShards.lastLostAt(shard.index) + assertMillis - now);
    const absentHeld = held.length === 0 ? [] : await this.restoreHeld(shard, held, restMillis === 0);
    if (others.length === 0) return absentHeld;
    const wanted = others.map((item) => ({ id: item.id, delayMillis: item.dueAt - now }));
    const absent = await server.restore(shard, wanted, restMillis);
    // `absent` does not include parked ids that were moved to an earlier time, so the owner is rung for all of them.
    const delayMillis = Math.min(...wanted.map((item) => item.delayMillis));
    this.#parts.router.ringOwner({
      shard,
      delayMillis: restMillis > 0 ? Math.max(restMillis, delayMillis) : delayMillis,
    });
    return [...absent, ...absentHeld];
  }

  /**
   * Reserves ids for the live processes that work on them, for one lease: a process that the ring does not reach may
   * believe for so long that it holds them. Returns the ids that were absent; rings their holders if `rings`.
   */
  async restoreHeld(shard: Shard, held: readonly StoredItem[], rings: boolean = true): Promise<readonly string[]> {
    const { clock, leaseMillis } = this.#parts;
    const now = clock.now();
    const wanted = held.map((item) => ({ id: item.id, delayMillis: item.dueAt - now }));
    const absent = await this.#parts.server.restoreHeld(shard, wanted, leaseMillis);
    const holders = new Map(held.map(({ id, heldBy }) => [id, heldBy]));
    for (const id of absent) {
      const holder = holders.get(id);
      // After a noticed loss every process renews its claims anyway.
      if (holder !== undefined && rings) this.#parts.router.ring(holder, { shard, delayMillis: 0, id, lost: true });
    }
    if (absent.length > 0) this.#parts.router.ringOwner({ shard, delayMillis: leaseMillis + 1 });
    return absent;
  }

  async #refilled(shards: ShardSet, incarnations: ReadonlyMap<number, string>): Promise<void> {
    const { server, telemetry, ownedShards, clock, count, firstFill } = this.#parts;
    if (shards.count !== count.inForce) return;
    let lost = 0;
    const complete = [...incarnations].filter(([index]) => ownedShards.isComplete(index));
    try {
      await settleAll(complete, async ([index, incarnation]) => {
        const lostAt = ownedShards.lostAt(index);
        if (lostAt !== undefined) {
          // If another loss has changed the incarnation meanwhile, the mark does not fit, and the refill is repeated.
          await server.mark(
            { count: shards.count, index },
            incarnation,
            Math.max(0, lostAt + assertMillis - clock.now()),
          );
          const isFirst = firstFill?.isNew(shards.count) === true && !ownedShards.wasWhole(index);
          telemetry.rebuilt(isFirst ? 'first' : 'lost');
          if (isFirst) firstFill.add();
          else lost++;
        }
        ownedShards.refilled(index);
      });
    } finally {
      if (lost > 0) telemetry.log('warn', 'the queue had lost shards: rebuilt from the store', { shards: lost });
      if (firstFill !== undefined) await this.settle(firstFill);
      this.#parts.refilled();
    }
  }

  /** Checks whether a new queue is filled by now. Call it repeatedly; it never throws. */
  async settle(firstFill: FirstFill): Promise<void> {
    const { ownedShards, count } = this.#parts;
    if (!firstFill.isNew(count.inForce) || ownedShards.indexes.length === 0 || !ownedShards.isSettled) return;
    await firstFill.complete(count.inForce);
  }
}
