/**
 * Within this time, in ms, every process that lives renews what it holds, whatever the server has lost of it. What may be in
 * its hands is given to no other process before.
 */
export const assertMillis = 2_500;

/** One of `count` ranges of slots. The count is part of its identity: shards of another count are other shards. */
export interface Shard {
  readonly count: number;
  /** 0 to `count` - 1. */
  readonly index: number;
}

/**
 * What a server keeps of a shard: the ids that are ready, the leases of those in flight, their claims (tokens, places and
 * marks), and for which incarnation it was rebuilt.
 */
export type ShardPart = 'ready' | 'inflight' | 'claims' | 'marker';

/** An id and in how many milliseconds it is due; zero is now, less means that it has been due for so long already. */
export interface ShardItem {
  readonly id: string;
  readonly delayMillis: number;
}

/** A claim: while `token` is the one stored, its holder may act on the id. */
export interface Held {
  readonly id: string;
  readonly token: string;
}

/** A claim that its holder still works on, and in how many milliseconds its id was due: its place, should the server have lost it. */
export interface Renewed extends Held {
  readonly delayMillis: number;
}

/** What a claim asks for. */
export interface ShardClaimRequest {
  /** At least 1. A server may hand over fewer at a time; more is due then (`nextDelayMillis` is not above 0). */
  readonly max: number;
  readonly leaseMillis: number;
  /** Tokens are `<process><number>`; the process part ends in a slash, which the number's digits follow. */
  readonly process: string;
  /** The first token's number; the following ids get the following numbers. */
  readonly firstNumber: number;
  /** Of the server's clock, as {@link ShardQueue.serverNow} estimates it: a claim that arrives later does nothing. */
  readonly notAfter: number;
  /** What the shard must have been rebuilt for. */
  readonly incarnation: string;
}

/** A claimed id. */
export interface ShardClaimed extends Held {
  /** For how long it had been due, in milliseconds. */
  readonly lateMillis: number;
}

/**
 * What a claim gave. `unmarked`: the shard was not rebuilt for that incarnation, nothing was claimed. `late`: the request
 * came after its time, nothing was claimed.
 */
export type ShardClaimReply =
  | {
      readonly kind: 'claimed';
      readonly claimed: readonly ShardClaimed[];
      /**
       * When the next ready id can be handed over; zero or less when it can be now, and how long it has been due; absent when
       * nothing is ready.
       */
      readonly nextDelayMillis?: number;
      /** When the first lease in the shard ends that is not renewed until then; absent when nothing is in flight. */
      readonly leaseEndsInMillis?: number;
    }
  | { readonly kind: 'unmarked' }
  | { readonly kind: 'late' };

/** What a renewal answers. A claim in neither list was in flight under its token all the while. */
export interface ShardRenewal {
  /** Claims whose ids another token holds. */
  readonly lost: readonly Held[];
  /** Claims that were made anew, since the server knew the id as ready, or not at all. */
  readonly revived: readonly Held[];
}

/**
 * How a claim ends: the id is `gone`; or `back` in its place, due since it became due before the claim; or due after so many
 * milliseconds (0: its turn was used, so that it goes behind all that is due).
 */
export interface ShardEnding extends Held {
  readonly next: 'gone' | 'back' | number;
}

/** What a heartbeat learnt. */
export interface Heartbeat {
  readonly members: readonly Member[];
  readonly joined: boolean;
  /** The keys are those of another store, whose processes live. */
  readonly isForeign: boolean;
}

/** A process in the cluster. */
export interface Member {
  /** `<podId>/<nonce>`: a restarted process is another member. */
  readonly id: string;
  /** Milliseconds since its latest heartbeat, by the server's clock. */
  readonly ageMillis: number;
  /** What it says of itself, as JSON text. */
  readonly info: string;
}

/**
 * What a bell says: in this shard something is due after `delayMillis` (below zero: has been due for so long); `id` names one
 * held by the very process rung.
 */
export interface Ring {
  readonly shard?: Shard;
  readonly delayMillis: number;
  readonly id?: string;
  /** The claim on `id` was lost: its holder is to renew it, or to say that it does not hold it. */
  readonly lost?: true;
  /** The cluster's members have changed: read them. */
  readonly members?: true;
  /** How often it was passed on. */
  readonly hops?: number;
}

/** What a connection tells its process. The methods must not throw. */
export interface ShardQueueListener {
  /** The bell was rung. May come twice, or never. */
  rung(ring: Ring): void;
  /**
   * The servers were lost from sight and answer again, or a shard is served by a server (or a run of it) that may have lost
   * data: compare {@link ShardQueue.incarnationOf}.
   */
  changed(): void;
}

/**
 * A queue server that several processes share, as one of them sees it: ids per virtual shard, claims under leases, the
 * members of the cluster, and bells by which they wake each other. A hint, never the truth.
 *
 * Each method that names a shard is one atomic step on the server; very large batches are several. Calls made in one turn
 * of the event loop go out together and reach a server in their order; none is ever sent again by itself. Times are
 * relative, or by the server's own clock: the clocks of processes may differ. Every method may throw
 * {@link QueueUnavailable}; then the step may have happened or not.
 *
 * An id of a shard is absent, ready (due now or later) or in flight under one token; it is never two of these. An id in
 * flight may be marked `again`: whatever ends its claim then makes it ready, due since the mark, so that no wake-up is lost
 * between a worker's last look and its acknowledgement.
 *
 * An id keeps its place: the server remembers when an id in flight became due, and a claim that ends without its turn having
 * been used (handed back, orphaned, its lease over) makes it ready at that time, ahead of all ids that became due later.
 *
 * A server may evict parts of what it keeps of a shard ({@link ShardPart}), each as a whole and by itself. What is in flight
 * stays so: without its lease for a lease longer, without its token until its lease ends or its holder renews it.
 */
export interface ShardQueue {
  /** Connects, as the member whose bell it listens to. Resolves once servers answer, or after a few seconds without. */
  open(member: string, listener: ShardQueueListener): Promise<void>;
  /** Disconnects; a second call does nothing. Claims stay until their leases are over. */
  close(): Promise<void>;

  /** The server's clock now, in ms since 1970, as estimated from its answers; the process' own before the first. */
  serverNow(): number;
  /** Names the run of the server that serves the shard, as last seen; undefined while none is known. */
  incarnationOf(shard: Shard): string | undefined;

  /** Returns expired leases to ready, each in its place, then hands over up to `max` due ids, the longest due first. */
  claim(shard: Shard, request: ShardClaimRequest): Promise<ShardClaimReply>;
  /**
   * Claims one id whether it is due, parked or absent; not when another token holds it. Under the same token again it is
   * `claimed` again, with a new lease. An absent one counts as due now, any other keeps its place. While the shard rests, only
   * an absent one can be claimed: anything else may be running, and counts as `held`.
   */
  claimOne(
    shard: Shard,
    held: Held,
    leaseMillis: number,
    incarnation: string,
  ): Promise<'claimed' | 'held' | 'unmarked'>;
  /**
   * Adds ids, or moves them to an earlier due time. Those in flight are left to their holder where they are due later; where
   * they are due now they are marked `again` and answered with their token, so that their holder can be rung.
   */
  enqueue(shard: Shard, items: readonly ShardItem[]): Promise<readonly Held[]>;
  /**
   * Ends claims whose token is still the one stored; others are left alone. Marked `again`, an id is due since the mark, or
   * earlier where the ending says so. Answers how many were marked, so that their owner can be rung.
   */
  finish(shard: Shard, endings: readonly ShardEnding[]): Promise<number>;
  /**
   * Prolongs the leases of everything that the process holds in the shard. Listed ids that the server knows as ready, or not
   * at all, are in flight again under their tokens, in their place, and answered as `revived`: the server lost them, or their
   * lease ended; those that were due are marked `again`, because a wake-up may have made them so. Ids in flight
   * under another number of this process that is not listed and below `orphansBelow` (claims whose answer got lost) are ready
   * again in their place. Needs no mark of the shard.
   */
  renew(
    shard: Shard,
    process: string,
    held: readonly Renewed[],
    leaseMillis: number,
    orphansBelow: number,
  ): Promise<ShardRenewal>;
  /**
   * Adds those that are neither ready nor in flight, and moves parked ones to an earlier due time; answers those that were
   * absent. One that is due already keeps its place: it may have used its turn since the time that the store knows.
   * A shard that is marked rests for `restMillis` at least (see {@link ShardQueue.mark}): the process knows of a loss.
   */
  restore(shard: Shard, items: readonly ShardItem[], restMillis?: number): Promise<readonly string[]>;
  /**
   * Puts those in flight that are neither ready nor in flight, for a lease and under the empty token: processes that
   * live work on them by the store's word, and renew them as soon as they are told. Answers the ids that were absent. The empty
   * token ends such a claim ({@link ShardQueue.finish}) while no process has renewed it. What is parked becomes due when those
   * leases end.
   */
  restoreHeld(shard: Shard, items: readonly ShardItem[], leaseMillis: number): Promise<readonly string[]>;
  /**
   * Says that the shard has been rebuilt for the incarnation, and lets it rest for `restMillis`: what is due until its end is
   * not handed over before, to any caller, since it may be running with a process that has not noticed yet that the server had
   * lost it. The same goes for what is restored meanwhile, by any process; what is enqueued, or parked, meanwhile runs nowhere.
   * What was due keeps its place. A rest that is under way is never cut short.
   */
  mark(shard: Shard, incarnation: string, restMillis?: number): Promise<void>;
  /** Removes everything of a shard, its mark included: its count is not in force any more. */
  drop(shard: Shard): Promise<void>;
  /** Ids ready (or parked) and in flight of the shards together. */
  count(shards: readonly Shard[]): Promise<{ readonly ready: number; readonly inFlight: number }>;

  /**
   * Says that this member lives and answers all members that were heard of within `ttlMillis`, itself included, in the order
   * of their ids; forgets the others. `joined`: the server did not know this member, or had forgotten it.
   *
   * The keys belong to one store, the first that a living member names. A member that names another `store` is not taken in: the
   * answer says so with `isForeign`, and names the members of the other.
   */
  heartbeat(info: string, ttlMillis: number, store?: string): Promise<Heartbeat>;
  /** Takes this member out. */
  leave(): Promise<void>;
  /** Rings a member's bell; best effort, forgotten when it does not listen. */
  ring(member: string, ring: Ring): Promise<void>;
}
