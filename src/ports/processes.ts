import type { DueRow } from './records.ts';

/** A process that uses the store, as it describes itself. */
export interface ProcessInfo {
  /** `<podId>/<nonce>`: identifies one run of the process and prefixes its claims (see `processOf`). */
  readonly id: string;
  readonly podId: string;
  readonly version: string;
  /** Whether it drives executions. */
  readonly works: boolean;
  /** How long a beat counts as evidence that the process is alive, in milliseconds. */
  readonly ttlMillis: number;
  /** Whether it is the sole worker; see {@link ProcessStore.soleWorker}. */
  readonly isSoleWorker: boolean;
}

/** A process and the time of its last beat by the store's clock, in ms since 1970. */
export interface ProcessRow extends ProcessInfo {
  readonly beatAt: number;
}

/** The result of a beat. */
export interface BeatAnswer {
  /** The store's clock, in ms since 1970. */
  readonly now: number;
  /** The other processes that sent a beat within the last {@link rememberedMillis}. */
  readonly others: readonly ProcessRow[];
}

/** How long {@link ProcessStore.beat} returns a process after its last beat: longer than most store outages. */
export const rememberedMillis = 3_600_000;

/** Notifications to a candidate for sole worker. The methods must not throw. */
export interface SoleWorkerListener {
  /** This process lost its lock (its connection broke) and must stop working at once. Not called after a release. */
  lost(): void;
  /**
   * Other processes report due executions. Called from before {@link SoleWorkerCandidacy.acquire} resolves until the lock is
   * released or lost.
   */
  rung(items: readonly DueRow[]): void;
  /** The sole worker released its lock: an attempt to acquire it may succeed now. May arrive late, or never. */
  freed(): void;
}

/** A process's candidacy for sole worker of the store, used when no shared queue divides the work. */
export interface SoleWorkerCandidacy {
  /** Subscribes to {@link SoleWorkerListener.freed}; does nothing while subscribed. Throws StoreUnavailable. */
  listen(): Promise<void>;
  /** Tries to take the lock; false while another process has it, true while this one has it. Throws StoreUnavailable. */
  acquire(): Promise<boolean>;
  /** Checks in the store whether the lock is still held; false if unknown, and then `lost` was called. Never rejects. */
  isHeld(): Promise<boolean>;
  /**
   * Releases the lock and notifies the other candidates; does nothing when it is not held. Throws StoreUnavailable; then the
   * store releases the lock itself.
   */
  release(): Promise<void>;
  /** Releases the lock and the subscription; a second call does nothing. */
  close(): Promise<void>;
}

/** The processes that share a store: which ones are alive, and which one is the sole worker when no queue divides the work. */
export interface ProcessStore {
  /**
   * Records that a process is alive and returns the others that sent a beat lately: evidence that is independent of the queue.
   * `isFirst`: the process has just started, so other runs under its `podId` have ended and are removed.
   */
  beat(process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer>;
  /** Removes a process that has shut down in order and holds nothing. A second call does nothing. */
  endProcess(id: string): Promise<void>;
  /**
   * Creates a candidacy for sole worker without any I/O. The store releases the lock of a holder that has been silent for
   * `silenceMillis` or somewhat longer, never sooner.
   */
  soleWorker(listener: SoleWorkerListener, silenceMillis: number): SoleWorkerCandidacy;
  /**
   * Notifies the sole worker of executions and their due times. The message may be lost: a process that becomes sole worker
   * reads the store itself. Throws {@link StoreUnavailable}.
   */
  ringSoleWorker(items: readonly DueRow[]): Promise<void>;
}
