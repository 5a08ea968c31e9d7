/** Months that {@link Store.tendPartitions} did something for. */
export interface PartitionChanges {
  readonly created: number;
  readonly dropped: number;
  /** Months left for the next time, because others held what they need; absent: none. */
  readonly postponed?: number;
}

/** What {@link Store.tendPartitions} is told. */
export interface PartitionCare {
  /** Now, in ms since 1970. */
  readonly now: number;
  /** Months after the running one for which partitions exist ahead. */
  readonly lookaheadMonths: number;
  /** A partition goes only when everything in it was completed before this instant. */
  readonly completedBefore: number;
}
