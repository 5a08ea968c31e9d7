/** The taking back of a child; see `take-back.ts`. */
export interface TakeBack {
  /** Id of the child. */
  readonly id: string;
  /** `asking`: the engine looks at the child, or changes it; `waiting`: the end of the child is awaited. */
  readonly part: 'asking' | 'waiting';
  /** The number of the end that the child had when it was changed; only a later one counts. Absent until it is changed. */
  readonly after?: number;
}

/** The running visit of a `workflow` node. */
export interface ChildRun {
  readonly visit: number;
  /** Id of the execution that the visit starts, or of one of an earlier round that it takes over. */
  readonly id: string;
  /** Orders the visit among calls, as `TaskRun.startOrd` does. */
  readonly startOrd: number;
  /** Ord of the row of an earlier round whose child the visit takes over. */
  readonly supersedes?: number;
  /** The number of the end that the child had when the visit took it over; only a later one counts. */
  readonly after?: number;
  /** Hash of the definition and the payload, to recognise the same child in a later round. */
  readonly fingerprint?: string;
  /** Whether the time for the child was over before it ended. */
  readonly isLate?: true;
}

/**
 * The stage of a token at a `workflow` node. `starting`: the engine stores the child; `running`: the child has not ended; `ending`: it was
 * told to end, since its time is over or the scope of the visit fails.
 */
export interface ChildStage {
  readonly kind: 'child';
  readonly part: 'starting' | 'running' | 'ending';
  readonly since: number;
  readonly child: ChildRun;
  /** When the time for the child is over. */
  readonly until?: number;
}

/** What a state says of the family of its execution. */
export interface FamilyState {
  /**
   * Present after a terminate until all children are told to end, too: the id of the event that they get. The execution is over, but its
   * process has to go on.
   */
  readonly tellsChildren?: string;
  /** Number of ends in all rounds; only of executions that another one started, which tells them apart. */
  readonly ends?: number;
  /** Visits of this round that children made which have ended. */
  readonly childVisits?: number;
}
