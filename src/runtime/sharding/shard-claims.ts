/**
 * Claims in the shards of one process: which shards are asked, how much of each, and what becomes of answers that got lost.
 *
 * Guarantees: never more is claimed than was asked for; shards that have waited longest come first; one shard's trouble keeps
 * no other from being asked; what may have been claimed unseen is freed by the next complete renewal.
 */
import { slotOf } from '../../core/slot.ts';
import type { Clock } from '../../ports/clock.ts';
import { QueueUnavailable, type Claimed, type ClaimResult, type QueueItem } from '../../ports/queue.ts';
import type { Shard, ShardQueue } from '../../ports/shard-queue.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { ClaimNumbers } from './claim-numbers.ts';
import { asFailure } from './settle-all.ts';
import type { ShardBoard } from './shard-board.ts';

/** Shards that one claimer asks at once: their requests leave in one write. */
const shardsPerClaimer = 8;

/** A claim that the server executes later than this after it was sent is void. */
const claimPatienceMillis = 5_000;

/** A shard whose claim failed is asked again after this long. */
const retryMillis = 200;

/** What claims stand on. */
export interface ShardClaimsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'claim' | 'claimOne' | 'renew' | 'incarnationOf' | 'serverNow'>;
  readonly board: ShardBoard;
  readonly count: { readonly inForce: number };
  /** This process among the members; begins its tokens. */
  readonly member: string;
  /** Requests that are under way at once are eight times as many. */
  readonly claimers: number;
  readonly sweepMillis: number;
  /** The server does not know the shard as it was. Must not throw. */
  lost(index: number): void;
  /** A claim got no answer: what it may have taken is to be freed by a renewal. Must not throw. */
  unanswered(): void;
}

/** See the file header. */
export class ShardClaims {
  readonly #parts: ShardClaimsParts;
  readonly #numbers: ClaimNumbers;
  #sweptAt = -Infinity;

  constructor(parts: ShardClaimsParts) {
    this.#parts = parts;
    this.#numbers = new ClaimNumbers(parts.clock);
  }

  /** Shards that may have ids in flight that nobody works on. */
  get orphanShards(): readonly number[] {
    return this.#numbers.orphanShards;
  }

  /** Every claim with a lower number has been answered, and its ids are in somebody's hands. */
  get oldestPending(): number {
    return this.#numbers.oldestPending;
  }

  /** See {@link Queue.claim}. */
  async claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    const { clock, board, claimers, sweepMillis } = this.#parts;
    if (clock.monotonic() - this.#sweptAt >= sweepMillis) {
      this.#sweptAt = clock.monotonic();
      board.suspect();
    }
    const claimed: Claimed[] = [];
    let failure: Error | undefined;
    let asked = false;
    while (claimed.length < max && failure === undefined) {
      const room = max - claimed.length;
      const due = board.due(clock.now()).slice(0, Math.min(room, claimers * shardsPerClaimer));
      if (due.length === 0) break;
      asked = true;
      const each = Math.ceil(room / due.length);
      let left = room;
      const requests = due.flatMap((index) => {
        const share = Math.min(each, left);
        left -= share;
        return share > 0 ? [this.#claimIn(index, share, leaseMillis)] : [];
      });
      for (const answer of await Promise.allSettled(requests)) {
        if (answer.status === 'fulfilled') claimed.push(...answer.value);
        else failure ??= asFailure(answer.reason);
      }
    }
    // What was claimed must be driven, whatever failed beside it; a shard that failed is asked again soon.
    if (failure !== undefined && claimed.length === 0) throw failure;
    const next = board.nextDueAt;
    return {
      claimed,
      ...(next === Infinity ? undefined : { nextDueAt: Math.max(next, clock.now() - 1) }),
      ...(asked ? undefined : { unasked: true }),
    };
  }

  /** See {@link Queue.claimDirect}; in the shard of the item. */
  async claimDirect(shard: Shard, item: QueueItem, leaseMillis: number): Promise<Claimed | undefined> {
    const { server, board, member } = this.#parts;
    const incarnation = server.incarnationOf(shard);
    if (!board.isOpen(shard.index) || incarnation === undefined) return undefined;
    const { number, done } = this.#numbers.take(1);
    const token = `${member}/${String(number)}`;
    try {
      const answer = await server.claimOne(shard, { id: item.id, token }, leaseMillis, incarnation);
      if (answer === 'unmarked') this.#parts.lost(shard.index);
      return answer === 'claimed' ? { id: item.id, slot: item.slot, token, dueAt: item.dueAt } : undefined;
    } catch (error) {
      this.#numbers.orphaned(shard.index, number, claimPatienceMillis);
      this.#parts.unanswered();
      throw error;
    } finally {
      done();
    }
  }

  /** Renews everything that is held in the shard; answers what is lost. `below` is {@link oldestPending} when that was gathered. */
  async renew(shard: Shard, held: readonly Claimed[], leaseMillis: number, below: number): Promise<readonly Claimed[]> {
    const { server, member, clock } = this.#parts;
    const sentAt = clock.monotonic();
    const gone = await server.renew(shard, `${member}/`, held, leaseMillis, below);
    this.#numbers.settled(shard.index, below, sentAt);
    const tokens = new Set(gone.map(({ token }) => token));
    return held.filter(({ token }) => tokens.has(token));
  }

  async #claimIn(index: number, max: number, leaseMillis: number): Promise<readonly Claimed[]> {
    const { clock, server, telemetry, board, member, count } = this.#parts;
    const shard: Shard = { count: count.inForce, index };
    const incarnation = server.incarnationOf(shard);
    if (incarnation === undefined) {
      board.asked(index);
      board.rung(index, clock.now() + retryMillis);
      throw new QueueUnavailable('No server is known for a shard.');
    }
    const { number, done } = this.#numbers.take(max);
    board.asked(index);
    telemetry.claimScanned();
    try {
      const reply = await server.claim(shard, {
        max,
        leaseMillis,
        process: `${member}/`,
        firstNumber: number,
        notAfter: server.serverNow() + claimPatienceMillis,
        incarnation,
      });
      if (reply.kind === 'unmarked') {
        this.#parts.lost(index);
        return [];
      }
      if (reply.kind === 'late') throw new QueueUnavailable('A claim came too late.');
      const now = clock.now();
      const { nextDelayMillis = Infinity, leaseEndsInMillis = Infinity } = reply;
      // Whoever holds it may have died: nobody would ring when its lease ends.
      board.found(index, incarnation, now + Math.min(nextDelayMillis, leaseEndsInMillis + 1));
      return reply.claimed.map(({ id, token, lateMillis }) => ({
        id,
        slot: slotOf(id),
        token,
        dueAt: now - lateMillis,
      }));
    } catch (error) {
      this.#numbers.orphaned(index, number, claimPatienceMillis);
      board.rung(index, clock.now() + retryMillis);
      this.#parts.unanswered();
      throw error;
    } finally {
      done();
    }
  }
}
