import type { ShardSet } from '../../core/value/slot.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import type { PartitionCare, PartitionChanges } from '../partitions.ts';
import type { DueDetail, DueRow } from '../records.ts';

/** How many executions stand where. */
export interface ActiveCounts {
  /** Non-terminal and CORRUPTED ones, by status. */
  readonly statuses: Readonly<Partial<Record<ExecutionStatus, number>>>;
  /** Those that can be called back, by the key that signed the token; with tokens of several keys an execution counts for each. */
  readonly callbackKeys: Readonly<Record<string, number>>;
  /** Terminal ones whose hook is still to be delivered. */
  readonly pendingHooks: number;
}

/** The work that keeps the store and the queue in order: due executions, counts, retention. */
export interface UpkeepStore {
  /**
   * Executions of the shards whose dueAt is at or before `until`, by dueAt then id, after `cursor`, whose id may be empty: from that
   * instant on. Terminal ones are among them while their hook is still to be delivered.
   */
  findDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueRow[]>;
  /** The same rows as {@link Store.findDue}, with more of each; reads the rows themselves. */
  listDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueDetail[]>;
  /** Counts the executions of the shards that are not over, and CORRUPTED ones. */
  countActive(shards: ShardSet): Promise<ActiveCounts>;
  /** Deletes terminal executions completed before the instant, except CORRUPTED ones, unresolved unknown effects and hooks still to be delivered; at most `limit`. Returns how many. */
  deleteCompleted(before: number, limit: number): Promise<number>;
  /** Makes partitions ahead of time and drops those that hold nothing worth keeping; does nothing where there are none. */
  tendPartitions(care: PartitionCare): Promise<PartitionChanges>;
}
