/** The result of {@link Store.tendPartitions}, in months. */
export interface PartitionChanges {
  readonly created: number;
  readonly dropped: number;
  /** Months left for the next run because other sessions held the required locks; absent: none. */
  readonly postponed?: number;
}

/** The parameters of {@link Store.tendPartitions}. */
export interface PartitionCare {
  /** Now, in ms since 1970. */
  readonly now: number;
  /** Months after the current one for which partitions must exist. */
  readonly lookaheadMonths: number;
  /** A partition is dropped only if everything in it was completed before this instant, in ms since 1970. */
  readonly completedBefore: number;
}
