import type { ShardSet } from '../../../core/slot.ts';
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

/** What refills stand on. */
export interface ShardRefillsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'restore' | 'restoreHeld' | 'mark' | 'incarnationOf'>;
  /** This process among the members. */
  readonly member: string;
  /** How long a process that is cut off may believe that it holds what it had in hand. */
  readonly leaseMillis: number;
  readonly count: { readonly inForce: number };
  /** Absent: every shard without its mark has lost it. */
  readonly firstFill?: FirstFill;
  readonly ownedShards: OwnedShards;
  readonly claims: Pick<ShardClaims, 'hasOther' | 'serverIdOf'>;
  readonly router: Pick<ShardRouter, 'ringOwner' | 'ring'>;
  /** A refill is over. Must not throw. */
  refilled(): void;
}

/**
 * Brings into the queue what only the store knows: single ids that the queue may lack, and whole shards that it has lost or
 * that are new to this process.
 *
 * Guarantees: a shard that was lost is marked only after all that is due in it was added, and rests until
 * {@link assertMillis} after the loss was seen. What a process that lives works on is its own for as long, and it is told. What could not be added is not forgotten: its shard is refilled once its
 * server answers.
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
    // What this process itself works on is not asked for: it would not be here.
    const isHeld = ({ heldBy = member }: StoredItem): boolean => heldBy !== member;
    const held = group.filter(isHeld);
    const others = group.filter((item) => !isHeld(item));
    const now = clock.now();
    // Refilled or not: right after a loss what the store calls due may be running with a process that has not noticed.
    const restMillis = Math.max(0, ownedShards.lastLostAt(shard.index) + assertMillis - now);
    const absentHeld = held.length === 0 ? [] : await this.restoreHeld(shard, held, restMillis === 0);
    if (others.length === 0) return absentHeld;
    const wanted = others.map((item) => ({ id: item.id, delayMillis: item.dueAt - now }));
    const absent = await server.restore(shard, wanted, restMillis);
    // What was parked until later has been moved without being counted: it is as much news as what was absent.
    const delayMillis = Math.min(...wanted.map((item) => item.delayMillis));
    this.#parts.router.ringOwner({
      shard,
      delayMillis: restMillis > 0 ? Math.max(restMillis, delayMillis) : delayMillis,
    });
    return [...absent, ...absentHeld];
  }

  /**
   * What processes that live work on is theirs, if they say so within a lease: a process that the ring does not reach may
   * believe so long that it holds them. Answers those that were absent; their holders are rung where `rings`.
   */
  async restoreHeld(shard: Shard, held: readonly StoredItem[], rings: boolean = true): Promise<readonly string[]> {
    const { clock, leaseMillis } = this.#parts;
    const now = clock.now();
    const wanted = held.map((item) => ({ id: item.id, delayMillis: item.dueAt - now }));
    const absent = await this.#parts.server.restoreHeld(shard, wanted, leaseMillis);
    const holders = new Map(held.map(({ id, heldBy }) => [id, heldBy]));
    for (const id of absent) {
      const holder = holders.get(id);
      // After a loss that was noticed every process renews what it holds anyway.
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
          // Another loss meanwhile has changed the incarnation: then the mark fits nothing, and the refill comes again.
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

  /** Looks whether a queue that was new is filled by now. To be called again and again; never throws. */
  async settle(firstFill: FirstFill): Promise<void> {
    const { ownedShards, count } = this.#parts;
    if (!firstFill.isNew(count.inForce) || ownedShards.indexes.length === 0 || !ownedShards.isSettled) return;
    await firstFill.complete(count.inForce);
  }
}
