import type { Outcome } from '../context/context.ts';
import type { FailureReason } from '../call/failure-state.ts';
import type { Json } from '../value/json.ts';

/** Why an item failed. */
export interface ItemFailure {
  readonly nodeId: string;
  readonly outcome: Exclude<Outcome, 'succeeded'>;
  readonly reason: FailureReason;
  readonly statusCode?: number;
}

/** An item of a loop that has ended. */
export interface ItemEnd {
  /** Counts from 0. */
  readonly place: number;
  readonly status: 'SUCCEEDED' | 'FAILED' | 'CORRUPTED';
  readonly result?: Json;
  readonly failure?: ItemFailure;
}

/** An item of a loop that runs. */
export interface RunningItem {
  /** Counts from 0. */
  readonly place: number;
  /** The ord of the latest row when it began. */
  readonly start: number;
  /** Visits made for this item, without those of items nested in it. */
  readonly visits: number;
}

/** The course of a loop. It has the size of its running items; what grows with the items is in rows of the history. */
export interface Loop {
  readonly visit: number;
  /** Ord of the first row of the visit; the rows of its items follow it. */
  readonly ord: number;
  /** Number of items. */
  readonly count: number;
  /** Maximum number of items that run at the same time. */
  readonly max: number;
  /** Place of the next item to begin. */
  readonly next: number;
  readonly ended: number;
  readonly failed: number;
  /** In the order of their begin. */
  readonly running: readonly RunningItem[];
  /** Items that have ended and are not in a row of the history yet. */
  readonly ends: readonly ItemEnd[];
  /** Bytes of {@link ends}, and of those and all in rows. */
  readonly endBytes: number;
  readonly bytes: number;
  /** Ords of the rows with items that have ended. */
  readonly endRows: readonly number[];
  /** The results are left out because they are too large; failures are kept. */
  readonly isCut?: true;
}
