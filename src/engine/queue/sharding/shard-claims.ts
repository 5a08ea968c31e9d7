import { slotOf } from '../../../core/value/slot.ts';
import type { Clock, Stamp } from '../../../ports/clock.ts';
import {
  QueueUnavailable,
  type Claimed,
  type ClaimResult,
  type QueueItem,
  type Renewal,
} from '../../../ports/queue.ts';
import type { Held, Shard, ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { stampOf } from '../../worker/lease.ts';
import { groupByShard } from './per-shard.ts';
import { ClaimNumbers } from './claim-numbers.ts';
import { asFailure, settleMost } from './settling.ts';
import type { OwnedShards } from './owned-shards.ts';

/** Shards that one claimer asks at once: their requests leave in one write. */
const shardsPerClaimer = 8;

/** A claim is void if the server executes it later than this after it was sent. */
const claimPatienceMillis = 5_000;

/** Delay before the next claim in a shard whose claim failed. */
const retryMillis = 200;

/** What claims need. */
export interface ShardClaimsParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'claim' | 'claimEach' | 'finish' | 'renew' | 'incarnationOf' | 'serverNow'>;
  readonly ownedShards: OwnedShards;
  readonly count: { readonly inForce: number };
  /** This process among the members; its tokens begin with it. */
  readonly member: string;
  /** Bounds the requests under way at once: eight times as many. */
  readonly claimers: number;
  readonly sweepMillis: number;
  /** The server does not know the shard any more. Must not throw. */
  lost(index: number): void;
  /** A claim got no answer: a renewal has to free what it may have taken. Must not throw. */
  unanswered(): void;
  /** A slow server has answered: its shards may be claimed again. Must not throw. */
  answered(): void;
}

/** The result of one request. Call `done` once the caller has its ids. */
interface Answer {
  readonly index: number;
  readonly claimed: readonly Claimed[];
  readonly done: () => void;
}

/** A request for ids of one shard that start directly. Call `done` once the caller has its ids. */
interface DirectRequest {
  readonly shard: Shard;
  readonly serverId: string;
  readonly items: readonly QueueItem[];
  readonly number: number;
  readonly done: () => void;
  /** `late`: no caller waits for it any more. */
  state: 'open' | 'late' | 'over';
  claimed: readonly Claimed[];
  failure?: Error;
}

/** The results of requests that were sent together. */
interface Round {
  readonly answers: readonly Answer[];
  readonly failure: Error | undefined;
  /** Servers with a failed request. */
  readonly failed: ReadonlySet<string>;
}

/**
 * Claims ids in the shards of one process: decides which shards to ask, for how much each, and what happens to lost
 * answers.
 *
 * Guarantees: a claim never returns more ids than requested. Shards with the longest due ids come first. The failure of
 * one shard does not prevent claims in others. The next complete renewal frees ids of unanswered claims.
 *
 * A server that has not answered within the grace of {@link settleMost} is `slow`. While other servers have shards of
 * this process, no claim waits for the slow one or asks it again before it has answered. The next claim hands over the
 * ids of that late answer, with the time at which they were asked for. A direct start never waits for longer than the
 * grace: late ids go back.
 */
export class ShardClaims {
  readonly #parts: ShardClaimsParts;
  readonly #numbers: ClaimNumbers;
  /** Requests under way that no claim waits for any more, by their server. */
  readonly #slow = new Map<string, number>();
  /** Late answers of those requests. */
  #late: (Answer & { readonly sent: Stamp })[] = [];
  #sweptAt = -Infinity;

  constructor(parts: ShardClaimsParts) {
    this.#parts = parts;
    this.#numbers = new ClaimNumbers(parts.clock);
  }

  /** Shards that may have orphans: ids in flight that this process does not work on. */
  get orphanShards(): readonly number[] {
    return this.#numbers.orphanShards;
  }

  /** The lowest number of a claim that is not yet answered and taken up: see {@link ClaimNumbers.oldestPending}. */
  get oldestPending(): number {
    return this.#numbers.oldestPending;
  }

  /** The id of a shard's server; empty while none is known. */
  serverIdOf(index: number): string {
    const { server, count } = this.#parts;
    return server.incarnationOf({ count: count.inForce, index }) ?? '';
  }

  /** Whether ids of the shard can be claimed here now, as far as is known. */
  reaches(index: number): boolean {
    const serverId = this.serverIdOf(index);
    return this.#parts.ownedShards.isOpen(index) && serverId !== '' && !this.#slow.has(serverId);
  }

  /** See {@link Queue.oldestDueAt}. */
  get oldestDueAt(): number | undefined {
    const { ownedShards, clock } = this.#parts;
    return ownedShards.oldestDueAt(clock.now(), this.#slow.size === 0 ? undefined : (index) => this.#isSlow(index));
  }

  /** Whether another server, which is not slow, has shards of this process. */
  hasOther(servers: ReadonlySet<string>): boolean {
    return this.#parts.ownedShards.indexes.some((index) => {
      const serverId = this.serverIdOf(index);
      return serverId !== '' && !servers.has(serverId) && !this.#slow.has(serverId);
    });
  }

  /** See {@link Queue.claim}. */
  async claim(max: number, leaseMillis: number): Promise<ClaimResult> {
    const { clock, ownedShards, claimers, sweepMillis, telemetry } = this.#parts;
    if (clock.monotonic() - this.#sweptAt >= sweepMillis) {
      this.#sweptAt = clock.monotonic();
      ownedShards.suspect(clock.now());
    }
    const handed: (() => void)[] = [];
    const claimed = this.#takeLate(max, leaseMillis, handed);
    let failure: Error | undefined;
    let asked = false;
    let isAlone = false;
    while (claimed.length < max && failure === undefined) {
      const room = max - claimed.length;
      const due = ownedShards.due(clock.now()).filter((index) => !this.#isSlow(index));
      if (due.length === 0) break;
      asked = true;
      const round = await this.#round(due.slice(0, Math.min(room, claimers * shardsPerClaimer)), room, leaseMillis);
      for (const answer of round.answers) {
        claimed.push(...answer.claimed);
        handed.push(answer.done);
      }
      failure = round.failure;
      isAlone = !this.hasOther(round.failed);
    }
    for (const done of handed) done();
    // The caller has to drive what was claimed, and other shards must be asked, whatever failed; a failed shard is
    // asked again soon.
    if (failure !== undefined && claimed.length === 0 && isAlone) throw failure;
    if (failure !== undefined) telemetry.queueFailed('claim');
    const next = ownedShards.nextDueAt((index) => this.#isSlow(index));
    return {
      claimed: claimed.sort((a, b) => a.dueAt - b.dueAt),
      ...(next === Infinity ? undefined : { nextDueAt: next === -Infinity ? clock.now() : next }),
      ...(asked ? undefined : { unasked: true }),
    };
  }

  /** See {@link Queue.claimDirect}. */
  async claimDirect(items: readonly QueueItem[], leaseMillis: number): Promise<readonly (Claimed | undefined)[]> {
    const { server, ownedShards, count, clock, telemetry } = this.#parts;
    const requests: DirectRequest[] = [];
    const works: Promise<void>[] = [];
    for (const [index, group] of groupByShard(items, count.inForce)) {
      const shard = { count: count.inForce, index };
      const serverId = server.incarnationOf(shard);
      if (!ownedShards.isOpen(index) || serverId === undefined || this.#slow.has(serverId)) continue;
      const { number, done } = this.#numbers.take(group.length);
      const request: DirectRequest = { shard, serverId, items: group, number, done, state: 'open', claimed: [] };
      requests.push(request);
      works.push(this.#claimEach(request, leaseMillis));
    }
    // The insert of these ids, and submissions behind it, must not wait for a server that hangs.
    await settleMost(clock, works, () => true);
    const claimed = new Map<string, Claimed>();
    for (const request of requests) {
      if (request.state === 'open') {
        request.state = 'late';
        this.#becameSlow(request.serverId);
        continue;
      }
      request.done();
      for (const each of request.claimed) claimed.set(each.id, each);
    }
    const failures = requests.flatMap(({ failure = [] }) => failure);
    if (failures[0] !== undefined && failures.length === requests.length) throw failures[0];
    if (failures.length > 0) telemetry.queueFailed('claimDirect');
    return items.map(({ id }) => claimed.get(id));
  }

  /** Asks for the ids of a request. Ids of an answer for which no caller waits any more go back. Never rejects. */
  async #claimEach(request: DirectRequest, leaseMillis: number): Promise<void> {
    const { server, member } = this.#parts;
    const { shard, serverId: incarnation, items, number: firstNumber, done } = request;
    const process = `${member}/`;
    try {
      const ids = items.map(({ id }) => id);
      const answers = await server.claimEach(shard, ids, { process, firstNumber, leaseMillis, incarnation });
      if (answers === 'unmarked') this.#parts.lost(shard.index);
      else {
        request.claimed = items
          .map(({ id, slot, dueAt }, i) => ({ id, slot, token: `${process}${String(firstNumber + i)}`, dueAt }))
          .filter((_, i) => answers[i]);
      }
    } catch (error) {
      request.failure = asFailure(error);
      this.#numbers.orphaned(shard.index, firstNumber, claimPatienceMillis);
      this.#parts.unanswered();
    }
    const isLate = request.state === 'late';
    request.state = 'over';
    if (!isLate) return;
    // The ids were put into the queue meanwhile, for any process.
    if (request.claimed.length > 0) await this.#handBack(shard.index, request.claimed);
    done();
    this.#answeredLate(incarnation);
  }

  /** Renews all claims held in the shard. `below` is {@link oldestPending} at the time of gathering. */
  async renew(shard: Shard, held: readonly Claimed[], leaseMillis: number, below: number): Promise<Renewal> {
    const { server, member, clock } = this.#parts;
    const sentAt = clock.monotonic();
    const now = clock.now();
    const renewed = held.map(({ id, token, dueAt }) => ({ id, token, delayMillis: dueAt - now }));
    const { lost, revived } = await server.renew(shard, `${member}/`, renewed, leaseMillis, below);
    this.#numbers.settled(shard.index, below, sentAt);
    return { lost: claimsOf(held, lost), revived: claimsOf(held, revived) };
  }

  #isSlow(index: number): boolean {
    return this.#slow.size > 0 && this.#slow.has(this.serverIdOf(index));
  }

  #becameSlow(serverId: string): void {
    this.#slow.set(serverId, (this.#slow.get(serverId) ?? 0) + 1);
  }

  #answeredLate(serverId: string): void {
    const left = (this.#slow.get(serverId) ?? 1) - 1;
    if (left > 0) this.#slow.set(serverId, left);
    else this.#slow.delete(serverId);
    this.#parts.answered();
  }

  /** Asks these shards for `room` ids in total. Does not wait for slow servers where there are others. */
  async #round(due: readonly number[], room: number, leaseMillis: number): Promise<Round> {
    const { clock, telemetry } = this.#parts;
    const sent = stampOf(clock);
    const each = Math.ceil(room / due.length);
    const answers: Answer[] = [];
    const failed = new Set<string>();
    /** The servers of requests under way, by shard. */
    const open = new Map<number, string>();
    let failure: Error | undefined;
    let isOver = false;
    const ask = async (index: number, share: number): Promise<void> => {
      const serverId = this.serverIdOf(index);
      open.set(index, serverId);
      try {
        const answer = await this.#claimIn(index, share, leaseMillis);
        if (isOver) this.#cameLate({ ...answer, sent });
        else answers.push(answer);
      } catch (error) {
        failed.add(serverId);
        failure ??= asFailure(error);
        if (isOver) telemetry.queueFailed('claim');
      }
      open.delete(index);
      if (isOver) this.#answeredLate(serverId);
    };
    const requests: Promise<void>[] = [];
    for (let left = room, i = 0; left > 0 && i < due.length; left -= each, i++) {
      requests.push(ask(due[i] as number, Math.min(each, left)));
    }
    await settleMost(clock, requests, () => this.hasOther(new Set([...open.values(), ...failed])));
    isOver = true;
    for (const [index, serverId] of open) {
      this.#parts.ownedShards.unanswered(index);
      this.#becameSlow(serverId);
    }
    return { answers, failure, failed };
  }

  #cameLate(answer: Answer & { readonly sent: Stamp }): void {
    // A shard that went to another member is no longer claimed in here.
    if (this.#parts.ownedShards.isOpen(answer.index)) this.#late.push(answer);
    else void this.#handBack(answer.index, answer.claimed).then(answer.done);
  }

  /** Up to `max` ids of late answers; ids that are too many or too old go back. */
  #takeLate(max: number, leaseMillis: number, handed: (() => void)[]): Claimed[] {
    const taken: Claimed[] = [];
    for (const { index, claimed, sent, done: forget } of this.#late.splice(0)) {
      const isFresh = this.#parts.clock.monotonic() - sent.monotonic < leaseMillis / 2;
      const fits = isFresh ? claimed.slice(0, max - taken.length) : [];
      taken.push(...fits.map((each) => ({ ...each, sent })));
      const left = claimed.slice(fits.length);
      if (left.length === 0) handed.push(forget);
      else void this.#handBack(index, left).then(forget);
    }
    return taken;
  }

  /**
   * Puts claimed ids back in their place. Never rejects: an id that the server does not learn of comes back when its
   * lease ends.
   */
  async #handBack(index: number, claimed: readonly Claimed[]): Promise<void> {
    const { server, count, ownedShards, clock, telemetry } = this.#parts;
    const endings = claimed.map(({ id, token }) => ({ id, token, next: 'back' as const }));
    try {
      await server.finish({ count: count.inForce, index }, endings);
    } catch {
      telemetry.queueFailed('release');
    }
    ownedShards.rung(index, Math.min(clock.now(), ...claimed.map(({ dueAt }) => dueAt)));
  }

  async #claimIn(index: number, max: number, leaseMillis: number): Promise<Answer> {
    const { clock, server, telemetry, ownedShards, member, count } = this.#parts;
    const shard: Shard = { count: count.inForce, index };
    const incarnation = server.incarnationOf(shard);
    if (incarnation === undefined) {
      ownedShards.asked(index);
      ownedShards.unanswered(index);
      ownedShards.rung(index, clock.now() + retryMillis);
      throw new QueueUnavailable('No server is known for a shard.');
    }
    const { number, done } = this.#numbers.take(max);
    ownedShards.asked(index);
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
        return { index, claimed: [], done };
      }
      if (reply.kind === 'late') throw new QueueUnavailable('A claim came too late.');
      const now = clock.now();
      const { nextDelayMillis = Infinity, leaseEndsInMillis = Infinity } = reply;
      // The holder may have died, and then no ring comes when its lease ends.
      ownedShards.found(index, incarnation, now + Math.min(nextDelayMillis, leaseEndsInMillis + 1));
      const claimed = reply.claimed.map(({ id, token, lateMillis }) => ({
        id,
        slot: slotOf(id),
        token,
        dueAt: now - lateMillis,
      }));
      return { index, claimed, done };
    } catch (error) {
      this.#numbers.orphaned(index, number, claimPatienceMillis);
      ownedShards.unanswered(index);
      ownedShards.rung(index, clock.now() + retryMillis);
      this.#parts.unanswered();
      throw error;
    }
  }
}

/** The claims whose tokens the server named. */
function claimsOf(held: readonly Claimed[], named: readonly Held[]): readonly Claimed[] {
  if (named.length === 0) return [];
  const tokens = new Set(named.map(({ token }) => token));
  return held.filter(({ token }) => tokens.has(token));
}
