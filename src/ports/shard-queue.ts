/**
 * Within this time, in ms, every live process renews all its claims, including those that the server lost. Until it has
 * passed, the server gives ids that such a process may hold to no other process.
 */
export const assertMillis = 2_500;

/** One of `count` ranges of slots. The count is part of the shard's identity. */
export interface Shard {
  readonly count: number;
  /** 0 to `count` - 1. */
  readonly index: number;
}

/**
 * The parts of a shard on a server: ready ids, leases of ids in flight, their claims (tokens, places and `again` marks), and
 * the marker, which names the incarnation that the shard was rebuilt for.
 */
export type ShardPart = 'ready' | 'inflight' | 'claims' | 'marker';

/** An id and the milliseconds until it is due; negative when it has been due for that long. */
export interface ShardItem {
  readonly id: string;
  readonly delayMillis: number;
}

/** A claim. Its holder may act on the id while the server stores `token`. */
export interface Held {
  readonly id: string;
  readonly token: string;
}

/** A claim that its holder still works on. The server uses `delayMillis`, its place, if it lost the claim. */
export interface Renewed extends Held {
  readonly delayMillis: number;
}

/** The parameters of a claim. */
export interface ShardClaimRequest {
  /** At least 1. A server may return fewer ids although more are due; then `nextDelayMillis` is at most 0. */
  readonly max: number;
  readonly leaseMillis: number;
  /** Ends in a slash. Tokens are `<process><number>`. */
  readonly process: string;
  /** The number of the first token; later ids get consecutive numbers. */
  readonly firstNumber: number;
  /** By the server's clock, see {@link ShardQueue.serverNow}, in ms since 1970. A claim that arrives later does nothing. */
  readonly notAfter: number;
  /** The incarnation that the shard must have been rebuilt for. */
  readonly incarnation: string;
}

/** The parameters of a claim of listed ids, as those of {@link ShardClaimRequest}. */
export type ShardClaimEachRequest = Pick<ShardClaimRequest, 'leaseMillis' | 'process' | 'firstNumber' | 'incarnation'>;

/** A claimed id. */
export interface ShardClaimed extends Held {
  /** How long it had been due, in milliseconds. */
  readonly lateMillis: number;
}

/**
 * The result of a claim. `unmarked`: the shard was not rebuilt for that incarnation, nothing was claimed. `late`: the request
 * arrived after `notAfter`, nothing was claimed.
 */
export type ShardClaimReply =
  | {
      readonly kind: 'claimed';
      readonly claimed: readonly ShardClaimed[];
      /**
       * Milliseconds until the next ready id can be claimed; zero or negative when it can be claimed now and has been due for
       * that long; absent when nothing is ready.
       */
      readonly nextDelayMillis?: number;
      /** Milliseconds until the first lease in the shard expires unless renewed; absent when nothing is in flight. */
      readonly leaseEndsInMillis?: number;
    }
  | { readonly kind: 'unmarked' }
  | { readonly kind: 'late' };

/** The result of a renewal. A claim in neither list has stayed in flight under its token. */
export interface ShardRenewal {
  /** Claims whose ids another token holds. */
  readonly lost: readonly Held[];
  /** Claims that the server recreated because it had the id as ready or not at all. */
  readonly revived: readonly Held[];
}

/**
 * How a claim ends. `gone`: the id is removed. `back`: the id keeps its place, due since before the claim. A number: the id is
 * due after that many milliseconds; with 0 it has used its turn and goes behind all due ids.
 */
export interface ShardEnding extends Held {
  readonly next: 'gone' | 'back' | number;
}

/** The result of a heartbeat. */
export interface Heartbeat {
  readonly members: readonly Member[];
  readonly joined: boolean;
  /** The keys belong to another store, which has live processes. */
  readonly isForeign: boolean;
}

/** A process in the cluster. */
export interface Member {
  /** `<podId>/<nonce>`: a restarted process is another member. */
  readonly id: string;
  /** Milliseconds since its latest heartbeat, by the server's clock. */
  readonly ageMillis: number;
  /** The member's description of itself, as JSON text. */
  readonly info: string;
}

/**
 * A wake-up message: something in the shard is due after `delayMillis` (negative: has been due for that long). `id` is an id
 * that the receiving process holds.
 */
export interface Ring {
  readonly shard?: Shard;
  readonly delayMillis: number;
  readonly id?: string;
  /** The server lost the claim on `id`: the receiver must renew it, or release it if it does not hold it. */
  readonly lost?: true;
  /** The cluster's members changed; the receiver must read them. */
  readonly members?: true;
  /** How often the message was forwarded. */
  readonly hops?: number;
}

/** Notifications from a connection to its process. The methods must not throw. */
export interface ShardQueueListener {
  /** A wake-up message arrived. It may arrive twice, or never. */
  rung(ring: Ring): void;
  /**
   * The connection to the servers was restored, or a server (or a new run of one) that may have lost data now serves a shard:
   * compare {@link ShardQueue.incarnationOf}.
   */
  changed(): void;
}

/**
 * One process's view of a queue server that several processes share: ids per virtual shard, claims under leases, the members
 * of the cluster, and messages with which members wake each other. The queue is a hint, never the truth.
 *
 * Each method that names a shard is one atomic step on the server; a very large batch is several. Calls made in one turn of
 * the event loop go out together and reach a server in order; no call is resent automatically. Times are relative or by the
 * server's clock, because the clocks of processes may differ. Every method may throw {@link QueueUnavailable}; then the step
 * may or may not have happened.
 *
 * An id of a shard is either absent, ready (due now or later) or in flight under one token. An id in flight may be marked
 * `again`: the end of its claim, however it ends, then makes it ready, due since the mark. So no wake-up is lost between a
 * worker's last read and its acknowledgement.
 *
 * An id keeps its place: the server stores when an id in flight became due. A claim that ends without using its turn
 * (released, orphaned, expired) makes the id ready at that time, ahead of all ids that became due later.
 *
 * A server may evict any {@link ShardPart}, always as a whole. Ids in flight remain in flight: without the lease for one more
 * lease, without the token until the lease expires or the holder renews it.
 */
export interface ShardQueue {
  /** Connects and listens to messages for `member`. Resolves once servers respond, or after a few seconds without a response. */
  open(member: string, listener: ShardQueueListener): Promise<void>;
  /** Disconnects; a second call does nothing. Claims remain until their leases expire. */
  close(): Promise<void>;

  /** The server's clock in ms since 1970, estimated from its replies; the process's own clock before the first reply. */
  serverNow(): number;
  /** Identifies the latest known run of the server that serves the shard; undefined while none is known. */
  incarnationOf(shard: Shard): string | undefined;

  /** Makes ids with expired leases ready, each in its place, then returns up to `max` due ids, longest due first. */
  claim(shard: Shard, request: ShardClaimRequest): Promise<ShardClaimReply>;
  /**
   * Claims distinct ids that are due, parked or absent. Answers for each whether its token holds it now; false when another token
   * does. The same token claims an id again with a new lease. An absent id counts as due now; any other keeps its place. While
   * the shard rests, only absent ids can be claimed: any other may be running. `unmarked`: the shard was not rebuilt for that
   * incarnation, nothing was claimed. More than 500 ids are several steps.
   */
  claimEach(
    shard: Shard,
    ids: readonly string[],
    request: ShardClaimEachRequest,
  ): Promise<readonly boolean[] | 'unmarked'>;
  /**
   * Adds ids, or moves them to an earlier due time. An id in flight is left to its holder if it is due later; if it is due now,
   * the server marks it `again` and returns its token, so that the caller can wake its holder.
   */
  enqueue(shard: Shard, items: readonly ShardItem[]): Promise<readonly Held[]>;
  /**
   * Ends claims whose token the server still stores; ignores others. An id marked `again` becomes due since the mark, or
   * earlier if the ending asks for it. Returns how many were marked, so that the caller can wake the shard's owner.
   */
  finish(shard: Shard, endings: readonly ShardEnding[]): Promise<number>;
  /**
   * Extends the leases of everything that the process holds in the shard. A listed id that the server has as ready or not at
   * all (it lost the claim, or the lease expired) goes in flight again under its token, in its place, and is returned as
   * `revived`; if it was due, it is marked `again`, because a wake-up may have made it due. An id in flight under an unlisted
   * token of this process with a number below `orphansBelow` (a claim whose reply was lost) becomes ready in its place. Works
   * on unmarked shards too.
   */
  renew(
    shard: Shard,
    process: string,
    held: readonly Renewed[],
    leaseMillis: number,
    orphansBelow: number,
  ): Promise<ShardRenewal>;
  /**
   * Adds the ids that are neither ready nor in flight, moves parked ids to an earlier due time, and returns the ids that were
   * absent. An id already due keeps its place: it may have used its turn since the due time in the store. With `restMillis`
   * (the process knows of a loss) a marked shard rests for at least that long; see {@link ShardQueue.mark}.
   */
  restore(shard: Shard, items: readonly ShardItem[], restMillis?: number): Promise<readonly string[]>;
  /**
   * Puts absent ids in flight, for one lease and under the empty token, and returns them. According to the store, live
   * processes hold these ids; they renew them once notified. Until a process renews such a claim, the empty token ends it
   * ({@link ShardQueue.finish}). Parked ids become due when those leases expire.
   */
  restoreHeld(shard: Shard, items: readonly ShardItem[], leaseMillis: number): Promise<readonly string[]>;
  /**
   * Marks the shard as rebuilt for the incarnation and lets it rest for `restMillis`. Until the rest ends, no caller can claim
   * the ids that become due by its end, or that any process restores during it: a process that has not noticed the loss yet
   * may still run them. Ids that are enqueued or parked during the rest run nowhere and can be claimed. Due ids keep their
   * place. A call never shortens a rest in progress.
   */
  mark(shard: Shard, incarnation: string, restMillis?: number): Promise<void>;
  /** Removes a shard and its mark, once its count is no longer in use. */
  drop(shard: Shard): Promise<void>;
  /** Total numbers of ids ready (or parked) and in flight in the shards. */
  count(shards: readonly Shard[]): Promise<{ readonly ready: number; readonly inFlight: number }>;

  /**
   * Records that this member is alive, removes members without a heartbeat within `ttlMillis`, and returns the rest, this one
   * included, ordered by id. `joined`: the server did not know this member before.
   *
   * The keys belong to one store, the first that a live member names. A member that names another `store` is rejected: the
   * result has `isForeign` and the members of the other store.
   */
  heartbeat(info: string, ttlMillis: number, store?: string): Promise<Heartbeat>;
  /** Removes this member. */
  leave(): Promise<void>;
  /** Sends a wake-up message to a member. Best effort: the message is lost when the member does not listen. */
  ring(member: string, ring: Ring): Promise<void>;
}
