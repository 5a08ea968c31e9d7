import { QueueUnavailable } from '../../ports/queue.ts';
import type {
  Held,
  Heartbeat,
  Member,
  Renewed,
  Ring,
  Shard,
  ShardClaimed,
  ShardClaimEachRequest,
  ShardClaimReply,
  ShardClaimRequest,
  ShardEnding,
  ShardItem,
  ShardQueue,
  ShardQueueListener,
  ShardRenewal,
} from '../../ports/shard-queue.ts';
import { bellCapacity, bellTtlMillis, Doorbell } from './doorbell.ts';
import { Keyspace } from './keyspace.ts';
import { RedisLink } from './redis-link.ts';
import { ringText } from './ring-text.ts';
import { delayAndId, endingTriple, flat, heldOf, renewedTriple } from './script-values.ts';
import { ServerWatch } from './server-watch.ts';
import { StepBatches } from './step-batches.ts';
import type { RedisSettings } from './settings.ts';

/** Maximum number of ids per script. The script then blocks the server for at most one or two milliseconds. */
const maxBatch = 500;

/** How long {@link RedisShardQueue.open} waits for servers, in ms. */
const openMillis = 5000;

/** Events of the connections for operators. */
export interface RedisObserver {
  /**
   * A connection failed, a server refused it (for a wrong password, for example), or a server is too old. Called at
   * every attempt.
   */
  failed(error: Error): void;
  /**
   * The `maxmemory-policy` of the servers became known or changed. Under any policy but `noeviction`, Redis may evict
   * keys without notice.
   */
  policy(policy: string | undefined): void;
}

/**
 * The shared queue on Redis 7, one server or a cluster. This class translates calls of the port into scripts, and their
 * replies back. Each script (`scripts/`) documents its effects and guarantees.
 *
 * No step does harm if its reply gets lost after the server has executed it: adding and restoring are idempotent,
 * endings require their token, and the next renewal releases unanswered claims as orphans, unless their lease ends
 * before. A closed queue cannot be opened again.
 */
export class RedisShardQueue implements ShardQueue {
  readonly #settings: RedisSettings;
  readonly #keys: Keyspace;
  readonly #link: RedisLink;
  readonly #batches: StepBatches;
  readonly #watch: ServerWatch;
  #listener: ShardQueueListener | undefined;
  #doorbell: Doorbell | undefined;
  #member = '';
  #isOpen = false;
  #lookedFor: (() => void) | undefined;

  /** @throws RangeError for key names that a cluster cannot place; see {@link Keyspace}. */
  constructor(settings: RedisSettings, observer: RedisObserver) {
    this.#settings = settings;
    this.#keys = new Keyspace(settings.keyPrefix, settings.membershipKey);
    this.#link = new RedisLink(settings, {
      ready: () => {
        this.#watch.look();
        this.#doorbell?.follow();
      },
      lost: (node) => {
        this.#watch.forget(node);
        this.#doorbell?.follow();
      },
      moved: () => {
        this.#watch.look();
        this.#doorbell?.follow();
        this.#changed();
      },
      failed: (error) => {
        observer.failed(error);
      },
    });
    this.#batches = new StepBatches(this.#link, settings.servers.topology === 'cluster');
    this.#watch = new ServerWatch(this.#link, {
      changed: () => {
        this.#changed();
      },
      failed: (error) => {
        observer.failed(error);
      },
      demoted: () => {
        this.#link.doubt();
      },
      policy: (policy) => {
        observer.policy(policy);
      },
    });
  }

  async open(member: string, listener: ShardQueueListener): Promise<void> {
    this.#member = member;
    this.#isOpen = true;
    this.#link.open();
    this.#watch.start();
    this.#doorbell = new Doorbell(this.#settings, this.#link, this.#keys.bell(member), (ring) => {
      listener.rung(ring);
    });
    // The caller of `open` reads everything afterwards, so earlier changes need no event.
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, openMillis);
      this.#lookedFor = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#lookedFor = undefined;
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#listener = undefined;
    this.#lookedFor?.();
    this.#watch.stop();
    this.#link.close();
    await this.#doorbell?.close();
  }

  serverNow(): number {
    return this.#watch.now();
  }

  incarnationOf(shard: Shard): string | undefined {
    return this.#watch.runOf(this.#link.primaryOf(this.#keys.shard(shard).slot));
  }

  /** The `maxmemory-policy` as last seen, an unsafe one if servers differ; undefined if it is not known. */
  get evictionPolicy(): string | undefined {
    return this.#watch.policy;
  }

  async claim(shard: Shard, request: ShardClaimRequest): Promise<ShardClaimReply> {
    const { process, firstNumber, incarnation } = request;
    const keys = this.#keys.shard(shard);
    // Converts `notAfter` from the clock of any server to that of this server, which the script compares with.
    const notAfter = request.notAfter - this.#watch.now() + this.#watch.now(this.#link.primaryOf(keys.slot));
    const reply = await this.#run<readonly (string | number | null)[]>(
      'claim',
      'claim',
      keys,
      ['ready', 'inflight', 'claims', 'marker'],
      [
        incarnation,
        Math.floor(notAfter),
        Math.min(request.max, maxBatch),
        Math.ceil(request.leaseMillis),
        process,
        firstNumber,
        maxBatch,
      ],
    );
    if (reply[0] === -2) return { kind: 'late' };
    if (reply[0] === -1) return { kind: 'unmarked' };
    const claimed: ShardClaimed[] = [];
    for (let at = 3; at < reply.length; at += 2) {
      const token = `${process}${String(firstNumber + claimed.length)}`;
      claimed.push({ id: reply[at] as string, token, lateMillis: reply[at + 1] as number });
    }
    const nextDelayMillis = reply[1] as number | null;
    const leaseEndsInMillis = reply[2] as number;
    return {
      kind: 'claimed',
      claimed,
      ...(nextDelayMillis === null ? undefined : { nextDelayMillis }),
      ...(leaseEndsInMillis < 0 ? undefined : { leaseEndsInMillis }),
    };
  }

  async claimEach(
    shard: Shard,
    ids: readonly string[],
    { process, firstNumber, leaseMillis, incarnation }: ShardClaimEachRequest,
  ): Promise<readonly boolean[] | 'unmarked'> {
    this.#requireOpen('claimEach');
    const answers: boolean[] = [];
    for (let at = 0; at < ids.length; at += maxBatch) {
      const batch = ids.slice(at, at + maxBatch);
      const reply = await this.#runGrouped<readonly number[] | number>(
        'claimEach',
        'claim-each',
        this.#keys.shard(shard),
        ['ready', 'inflight', 'claims', 'marker'],
        [batch.length, incarnation, Math.ceil(leaseMillis), process, firstNumber + at, ...batch],
      );
      if (typeof reply === 'number') return 'unmarked';
      for (const each of reply) answers.push(each === 1);
    }
    return answers;
  }

  async enqueue(shard: Shard, items: readonly ShardItem[]): Promise<readonly Held[]> {
    const replies = await this.#inBatches('enqueue', items, (batch) =>
      this.#runGrouped<readonly string[]>(
        'enqueue',
        'enqueue',
        this.#keys.shard(shard),
        ['ready', 'claims'],
        flat([batch.length], batch, delayAndId),
      ),
    );
    return replies.flatMap(heldOf);
  }

  async finish(shard: Shard, endings: readonly ShardEnding[]): Promise<number> {
    const marked = await this.#inBatches('finish', endings, (batch) =>
      this.#runGrouped<number>(
        'finish',
        'finish',
        this.#keys.shard(shard),
        ['ready', 'inflight', 'claims'],
        flat([batch.length], batch, endingTriple),
      ),
    );
    return marked.reduce((sum, count) => sum + count, 0);
  }

  async renew(
    shard: Shard,
    process: string,
    held: readonly Renewed[],
    leaseMillis: number,
    orphansBelow: number,
  ): Promise<ShardRenewal> {
    const isOneStep = held.length <= maxBatch;
    const renewBatch = async (batch: readonly Renewed[]): Promise<ShardRenewal> => {
      const [lost, ...pairs] = await this.#run<readonly [number, ...string[]]>(
        'renew',
        'renew',
        this.#keys.shard(shard),
        ['ready', 'inflight', 'claims'],
        flat([Math.ceil(leaseMillis), process, isOneStep ? orphansBelow : 0], batch, renewedTriple),
      );
      return { lost: heldOf(pairs.slice(0, 2 * lost)), revived: heldOf(pairs.slice(2 * lost)) };
    };
    if (isOneStep) return renewBatch(held);
    const parts = await this.#inBatches('renew', held, renewBatch);
    await this.#releaseOrphans(shard, process, held, orphansBelow);
    return { lost: parts.flatMap(({ lost }) => lost), revived: parts.flatMap(({ revived }) => revived) };
  }

  async restore(shard: Shard, items: readonly ShardItem[], restMillis = 0): Promise<readonly string[]> {
    const replies = await this.#inBatches('restore', items, (batch) =>
      this.#run<readonly string[]>(
        'restore',
        'restore',
        this.#keys.shard(shard),
        ['ready', 'claims', 'marker'],
        flat([Math.max(0, Math.ceil(restMillis))], batch, delayAndId),
      ),
    );
    return replies.flat();
  }

  async restoreHeld(shard: Shard, items: readonly ShardItem[], leaseMillis: number): Promise<readonly string[]> {
    const replies = await this.#inBatches('restore', items, (batch) =>
      this.#run<readonly string[]>(
        'restore',
        'restore-held',
        this.#keys.shard(shard),
        ['ready', 'inflight', 'claims'],
        flat([Math.ceil(leaseMillis)], batch, delayAndId),
      ),
    );
    return replies.flat();
  }

  async mark(shard: Shard, incarnation: string, restMillis = 0): Promise<void> {
    const args = [incarnation, Math.max(0, Math.ceil(restMillis))];
    await this.#run('mark', 'mark', this.#keys.shard(shard), ['ready', 'marker'], args);
  }

  async drop(shard: Shard): Promise<void> {
    this.#requireOpen('drop');
    const { slot, names } = this.#keys.shard(shard);
    this.#batches.flush(slot);
    await this.#link.command('drop', slot, (client) => client.unlink(Object.values(names)));
  }

  async count(shards: readonly Shard[]): Promise<{ readonly ready: number; readonly inFlight: number }> {
    const counts = await Promise.all(
      shards.map((shard) =>
        this.#run<readonly [number, number]>(
          'count',
          'count',
          this.#keys.shard(shard),
          ['ready', 'inflight', 'claims'],
          [],
        ),
      ),
    );
    return {
      ready: counts.reduce((sum, [ready]) => sum + ready, 0),
      inFlight: counts.reduce((sum, [, inFlight]) => sum + inFlight, 0),
    };
  }

  async heartbeat(info: string, ttlMillis: number, store = ''): Promise<Heartbeat> {
    const reply = await this.#run<readonly (string | number)[]>(
      'heartbeat',
      'heartbeat',
      this.#keys.membership,
      ['members', 'infos', 'store'],
      [this.#member, info, Math.ceil(ttlMillis), store],
    );
    const members: Member[] = [];
    for (let at = 1; at < reply.length; at += 3) {
      members.push({ id: String(reply[at]), ageMillis: Number(reply[at + 1]), info: String(reply[at + 2]) });
    }
    return {
      members: members.sort((a, b) => (a.id < b.id ? -1 : 1)),
      joined: reply[0] === 1,
      isForeign: reply[0] === -1,
    };
  }

  async leave(): Promise<void> {
    await this.#run('leave', 'leave', this.#keys.membership, ['members', 'infos', 'store'], [this.#member]);
  }

  async ring(member: string, ring: Ring): Promise<void> {
    const args = [ringText(ring), Math.ceil(ring.delayMillis), bellCapacity, bellTtlMillis];
    await this.#run('ring', 'ring', this.#keys.bell(member), ['bell'], args);
  }

  #changed(): void {
    if (this.#lookedFor === undefined) this.#listener?.changed();
    else if (this.#watch.isComplete) this.#lookedFor();
  }

  /** Releases orphans in several steps. Each step is safe by itself, because a release requires the token of its claim. */
  async #releaseOrphans(shard: Shard, process: string, held: readonly Held[], orphansBelow: number): Promise<void> {
    const args = [process, orphansBelow];
    const stored = await this.#run<readonly string[]>('renew', 'held-by', this.#keys.shard(shard), ['claims'], args);
    const listed = new Set(held.map(({ token }) => token));
    const orphans = heldOf(stored).filter(({ token }) => !listed.has(token));
    await this.finish(
      shard,
      orphans.map(({ id, token }) => ({ id, token, next: 'back' })),
    );
  }

  async #inBatches<Item, Reply>(
    operation: string,
    items: readonly Item[],
    send: (batch: readonly Item[]) => Promise<Reply>,
  ): Promise<readonly Reply[]> {
    // A call without items sends no command, but must throw on a closed queue, too.
    this.#requireOpen(operation);
    if (items.length > 0 && items.length <= maxBatch) return [await send(items)];
    const batches: Promise<Reply>[] = [];
    for (let at = 0; at < items.length; at += maxBatch) batches.push(send(items.slice(at, at + maxBatch)));
    return Promise.all(batches);
  }

  #run = async <T>(...args: Parameters<RedisLink['run']>): Promise<T> => {
    const [operation, , { slot }] = args;
    this.#requireOpen(operation);
    this.#batches.flush(slot);
    return (await this.#link.run(...args)) as T;
  };

  #runGrouped = async <T>(...args: Parameters<StepBatches['run']>): Promise<T> => {
    this.#requireOpen(args[0]);
    return (await this.#batches.run(...args)) as T;
  };

  #requireOpen(operation: string): void {
    if (!this.#isOpen) throw new QueueUnavailable(`The queue is closed (${operation}).`);
  }
}
