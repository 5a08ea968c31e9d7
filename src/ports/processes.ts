/** The processes that share a store: which of them live, and which one works where no queue divides the work. */
import type { DueRow } from './records.ts';

/** A process that uses the store, as it says of itself. */
export interface ProcessInfo {
  /** `<podId>/<nonce>`: names one run of it, and begins its claims (see `processOf`). */
  readonly id: string;
  readonly podId: string;
  readonly version: string;
  /** Whether it drives executions. */
  readonly works: boolean;
  /** For how long one beat says that it lives, in milliseconds. */
  readonly ttlMillis: number;
  /** Whether it is the sole worker; see {@link ProcessStore.soleWorker}. */
  readonly isSoleWorker: boolean;
}

/** A process, and when it beat last by the store's clock, in ms since 1970. */
export interface ProcessRow extends ProcessInfo {
  readonly beatAt: number;
}

/** What a beat answers. */
export interface BeatAnswer {
  /** The store's clock, in ms since 1970. */
  readonly now: number;
  /** The other processes that were heard of within the last {@link rememberedMillis}. */
  readonly others: readonly ProcessRow[];
}

/** How long a process that beats no more is answered by {@link ProcessStore.beat}: longer than most outages of a store last. */
export const rememberedMillis = 3_600_000;

/** What a candidate for being the sole worker hears. The methods must not throw. */
export interface SoleWorkerListener {
  /** The lock that this process held is gone by itself (its connection broke): stop working at once. Not called after a release. */
  lost(): void;
  /** Other processes say that these are due. Heard from before {@link SoleWorkerCandidacy.acquire} resolves until it is released or lost. */
  rung(items: readonly DueRow[]): void;
  /** The process that worked has let go in order: a try may succeed now. May come late, or never. */
  freed(): void;
}

/** A process that may become the one that works on the store, where no shared queue divides the work. */
export interface SoleWorkerCandidacy {
  /** Makes this candidate hear {@link SoleWorkerListener.freed}; does nothing while it does. Throws StoreUnavailable. */
  listen(): Promise<void>;
  /** Tries to become it; false while another process is. True again while it is. Throws StoreUnavailable. */
  acquire(): Promise<boolean>;
  /** Asks the store whether it still is; false where that is not known, and then `lost` has been called. Never rejects. */
  isHeld(): Promise<boolean>;
  /** Lets go in order, and tells the others. Harmless where it is not held. Throws StoreUnavailable: the store lets go then. */
  release(): Promise<void>;
  /** Lets go of everything; a second call does nothing. */
  close(): Promise<void>;
}

/** The processes of a store: who lives, and who is the sole worker. */
export interface ProcessStore {
  /**
   * Says that a process lives, and answers which others were heard of lately: evidence that does not come from the queue.
   * `isFirst`: it has just started, so that other runs under its `podId` have ended and are forgotten.
   */
  beat(process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer>;
  /** The process has ended in order: nothing is left in its hands. A second call does nothing. */
  endProcess(id: string): Promise<void>;
  /**
   * A candidacy for being the one process that works on the store; nothing is asked yet. The store lets go of a holder that it
   * has not heard of for `silenceMillis` or somewhat longer, never sooner.
   */
  soleWorker(listener: SoleWorkerListener, silenceMillis: number): SoleWorkerCandidacy;
  /**
   * Tells the process that works of executions that are due at their time. The message may be lost, or
   * no process may hear it: a process that begins to work looks at the store itself. Throws {@link StoreUnavailable}.
   */
  ringSoleWorker(items: readonly DueRow[]): Promise<void>;
}
