import type { ShardSet } from '../../core/value/slot.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import type { PartitionCare, PartitionChanges } from '../partitions.ts';
import type { DueDetail, DueRow } from '../records.ts';

/** Counts of executions. */
export interface ActiveCounts {
  /** Non-terminal and CORRUPTED ones, by status. */
  readonly statuses: Readonly<Partial<Record<ExecutionStatus, number>>>;
  /** Executions that accept callbacks, by the key that signed the token; one with tokens of several keys counts for each. */
  readonly callbackKeys: Readonly<Record<string, number>>;
  /** Terminal ones whose hook is undelivered. */
  readonly pendingHooks: number;
  /** Those that another execution started and that are not over. */
  readonly openChildren: number;
}

/** Reconciliation, gauges and retention: due executions, counts, deletion. */
export interface UpkeepStore {
  /**
   * Executions of the shards with `dueAt` at or before `until`, ordered by `dueAt`, then id, after `cursor`. A cursor with an
   * empty id starts at its instant, inclusive. Includes terminal executions whose hook is undelivered.
   */
  findDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueRow[]>;
  /** The same rows as {@link Store.findDue} with more columns, which the index does not have. */
  listDue(
    shards: ShardSet,
    until: number,
    limit: number,
    cursor?: { readonly dueAt: number; readonly id: string },
  ): Promise<readonly DueDetail[]>;
  /** Counts the non-terminal and CORRUPTED executions of the shards. */
  countActive(shards: ShardSet): Promise<ActiveCounts>;
  /**
   * Deletes at most `limit` terminal executions completed before the instant and returns how many. Keeps CORRUPTED executions
   * and those with unresolved unknown effects or undelivered hooks.
   */
  deleteCompleted(before: number, limit: number): Promise<number>;
  /** Creates partitions ahead of time and drops expired ones; does nothing in a store without partitions. */
  tendPartitions(care: PartitionCare): Promise<PartitionChanges>;
}
