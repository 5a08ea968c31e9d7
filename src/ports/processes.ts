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
  /** Whether it is the sole worker; see {@link Store.soleWorker}. */
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

/** How long a process that beats no more is answered by `Store.beat`: longer than most outages of a store last. */
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
