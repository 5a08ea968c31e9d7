import type { Clock, Entropy, Timer } from '../../../ports/clock.ts';
import type { Member, ShardQueue } from '../../../ports/shard-queue.ts';
import type { Telemetry } from '../../../ports/telemetry.ts';
import { Periodic } from '../../periodic.ts';
import type { Pulse, Service } from '../../service.ts';
import { readMember, type ClusterMember, type MemberInfo } from './member-info.ts';

/** What a change of the membership was. */
export type MembershipChange =
  /** Other members, or other data about them. */
  | 'members'
  /** The other members had considered this process gone: treat every shard as new. */
  | 'returned'
  /** The server forgot this process although its heartbeats came in time: the server lost data. */
  | 'forgotten';

/** What a membership needs. */
export interface MembershipParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly server: Pick<ShardQueue, 'heartbeat' | 'leave' | 'ring'>;
  /** `<podId>/<nonce>`. */
  readonly id: string;
  readonly podId: string;
  readonly ttlMillis: number;
  /** Time between two heartbeats. */
  readonly beatMillis: number;
  /** The identity of this process' store; empty until it is known. */
  storeIdentity(): string;
  info(): MemberInfo;
  /** Must not throw. */
  changed(change: MembershipChange): void;
  /** After each heartbeat, changed or not. Must not throw. */
  beaten(): void;
}

/**
 * Heartbeats without readable info after which a member counts as foreign. A server that evicts keys may lose the info
 * until the next heartbeat.
 */
const foreignBeats = 5;

/**
 * The members of the cluster, as this process sees them.
 *
 * A heartbeat reports that this process lives and reads all members, in one step timed by the server. What wakes it: a
 * fixed interval, a ring about changed members, and the instant at which the oldest known heartbeat expires, so that
 * the others take over the shards of a dead process at once. A process rings all others when it joins, returns after an
 * absence or leaves. What stops it: {@link Membership.leave}.
 *
 * With a view older than `ttlMillis` the process is unready but continues with its last view. The store fences, so a
 * disagreement costs only a duplicate claim, while a stop would halt all shards at every failover of the server.
 */
export class Membership implements Service {
  readonly #parts: MembershipParts;
  readonly #periodic: Periodic;
  #members: readonly ClusterMember[] = [];
  #view = '';
  /** When the latest successful heartbeat was sent. */
  #beatenAt: number | undefined;
  #expiry: Timer | undefined;
  #rivals = new Map<string, { readonly beatAt: number; readonly renewals: number }>();
  #conflict = false;
  #isRefused = false;
  /** Consecutive heartbeats in which a member had no info that this process can read. */
  #unread = new Map<string, number>();
  #left = false;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.#periodic = new Periodic('membership', parts, parts.beatMillis, () => this.#beat());
  }

  get pulse(): Pulse {
    return this.#periodic.pulse;
  }

  /** All members of the latest view, by id; empty before the first. */
  get members(): readonly ClusterMember[] {
    return this.#members;
  }

  /** Milliseconds since the view was read; Infinity before the first. */
  get ageMillis(): number {
    return this.#beatenAt === undefined ? Infinity : this.#parts.clock.monotonic() - this.#beatenAt;
  }

  /** Whether the other members may consider this process gone. */
  get isStale(): boolean {
    return this.ageMillis > this.#parts.ttlMillis;
  }

  /** Whether another living process has the same `podId`. */
  get hasConflict(): boolean {
    return this.#conflict;
  }

  /** Whether the server refused the latest heartbeat because processes of another store use the same keys. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  start(): void {
    this.#periodic.start();
  }

  /** Sends one heartbeat before the start. Never throws: if the server is unavailable, the next heartbeat tries again. */
  async greet(): Promise<void> {
    await this.#beat().catch(() => undefined);
  }

  /** Reads the members now. */
  reread(): void {
    this.#periodic.hurry();
  }

  /**
   * Publishes the state of this process at once and rings the others. Never throws: the next heartbeat publishes it,
   * too.
   */
  async announce(): Promise<void> {
    if (this.#left) return;
    try {
      await this.#beat();
    } catch (error) {
      this.#parts.telemetry.log('warn', 'members not told', { error: String(error) });
    }
    this.#ringAll();
  }

  /** Removes this process and rings the others; no heartbeats follow. A second call does nothing. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.stop();
    const { server, telemetry } = this.#parts;
    try {
      await server.leave();
    } catch (error) {
      // The heartbeat expires by itself.
      telemetry.queueFailed('leave');
      telemetry.log('warn', 'membership not left', { error: String(error) });
    }
    this.#ringAll();
  }

  async stop(): Promise<void> {
    this.#expiry?.cancel();
    this.#expiry = undefined;
    await this.#periodic.stop();
  }

  async #beat(): Promise<void> {
    const { clock, server, telemetry, ttlMillis } = this.#parts;
    const sentAt = clock.monotonic();
    let answer;
    try {
      answer = await server.heartbeat(JSON.stringify(this.#parts.info()), ttlMillis, this.#parts.storeIdentity());
    } catch (error) {
      telemetry.queueFailed('heartbeat');
      throw error;
    }
    if (this.#left) return;
    if (answer.isForeign) {
      this.#refuse(answer.members);
      return;
    }
    this.#isRefused = false;
    const before = this.#beatenAt;
    this.#beatenAt = sentAt;
    const known = new Map(this.#members.map((member) => [member.id, member]));
    this.#members = answer.members.flatMap((member) => {
      const before = known.get(member.id);
      // A server that evicts keys may have lost the info of a member: the former info holds until the member's next
      // heartbeat.
      return readMember(member) ?? (before === undefined ? [] : { ...before, ageMillis: member.ageMillis });
    });
    this.#watchRivals(sentAt);
    this.#watchForeigners(answer.members);
    this.#armExpiry();
    const view = this.#members.map(({ id, works, count, wants }) => `${id} ${works} ${count} ${wants}`).join('\n');
    const isNew = view !== this.#view;
    this.#view = view;
    if (answer.joined) this.#ringAll();
    if (answer.joined && before !== undefined) {
      this.#parts.changed(sentAt - before > ttlMillis ? 'returned' : 'forgotten');
    } else if (isNew) {
      this.#parts.changed('members');
    }
    this.#parts.beaten();
  }

  /**
   * Stops all work while the keys belong to another store. Otherwise processes of each store would claim ids of the other.
   */
  #refuse(others: readonly Member[]): void {
    this.#beatenAt = undefined;
    if (this.#isRefused) return;
    this.#isRefused = true;
    const { telemetry } = this.#parts;
    telemetry.log('error', 'processes of another store use the same keys in Redis: this process works on nothing', {
      members: namesOf(others),
    });
    this.#members = [];
    this.#view = '';
    this.#expiry?.cancel();
    this.#parts.changed('members');
  }

  /** Reports members that never publish readable info: they belong to another product, which may remove our members. */
  #watchForeigners(members: readonly Member[]): void {
    const unread = members.filter((member) => readMember(member) === undefined);
    const before = this.#unread;
    this.#unread = new Map(unread.map(({ id }) => [id, (before.get(id) ?? 0) + 1]));
    const found = unread.filter(({ id }) => this.#unread.get(id) === foreignBeats);
    if (found.length === 0) return;
    this.#parts.telemetry.log('warn', 'redis.sharding.membershipKey is also used by another product or version', {
      members: namesOf(found),
    });
  }

  /**
   * Another process with this `podId` is alive if its heartbeat was renewed twice while this process watched. One
   * renewal may be the last request of a former run, which arrived after its end.
   */
  #watchRivals(now: number): void {
    const { id, podId, telemetry } = this.#parts;
    const rivals = new Map<string, { readonly beatAt: number; readonly renewals: number }>();
    let conflict = false;
    for (const member of this.#members) {
      // A member that no longer works is about to end, and this process may be its replacement.
      if (member.podId !== podId || member.id === id || !member.works) continue;
      const beatAt = now - member.ageMillis;
      const known = this.#rivals.get(member.id);
      // Ages are whole milliseconds and take time to arrive: a real heartbeat comes much later.
      const isRenewed = known !== undefined && beatAt > known.beatAt + Math.max(200, this.#parts.beatMillis / 4);
      const renewals = (known?.renewals ?? 0) + (isRenewed ? 1 : 0);
      const isAlive = isRenewed && renewals >= 2;
      conflict ||= isAlive || (this.#conflict && known !== undefined && member.ageMillis < this.#parts.ttlMillis / 2);
      rivals.set(member.id, known === undefined || isRenewed ? { beatAt, renewals } : known);
    }
    if (conflict && !this.#conflict) telemetry.log('error', 'another live process has the same podId', { podId });
    this.#rivals = rivals;
    this.#conflict = conflict;
  }

  /** Reads again at the instant at which the oldest heartbeat expires. */
  #armExpiry(): void {
    const { clock, id, ttlMillis } = this.#parts;
    this.#expiry?.cancel();
    this.#expiry = undefined;
    const ages = this.#members.filter((member) => member.id !== id).map(({ ageMillis }) => ageMillis);
    if (ages.length === 0) return;
    this.#expiry = clock.after(Math.max(1, ttlMillis - Math.max(...ages) + 1), () => this.reread());
  }

  #ringAll(): void {
    const { server, id, telemetry } = this.#parts;
    for (const member of this.#members) {
      if (member.id === id) continue;
      server.ring(member.id, { delayMillis: 0, members: true }).catch(() => {
        // The member reads the list within its interval anyway.
        telemetry.queueFailed('ring');
      });
    }
  }
}

/** A few ids, for the log. */
function namesOf(members: readonly Member[]): string {
  return members
    .slice(0, 5)
    .map(({ id }) => id)
    .join(', ');
}
