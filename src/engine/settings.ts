import type { CoreLimits } from '../core/apply.ts';

/** All settings of an engine. Durations are in milliseconds. */
export interface EngineSettings {
  /** Executions that this process drives at the same time. */
  readonly workerCount: number;
  /** Ids claimed in addition, so that a free worker finds the next execution at once. */
  readonly prefetch: number;
  /** Maximum number of ids per claim. */
  readonly claimBatch: number;
  /** How long a claim holds without renewal. The engine renews it after a third of this time. */
  readonly leaseMillis: number;
  /** Nodes that one execution may run before waiting executions get their turn. */
  readonly maxStepsPerExecution: number;
  /** Interval of claims without a ring. */
  readonly fullSweepMillis: number;
  /** A loop without progress for this long makes the process unhealthy. */
  readonly livenessStallMillis: number;
  /** Total time of a call whose definition sets none. */
  readonly requestTimeoutMillis: number;
  /** Longest total time of any call, even if a stored definition sets a longer one. */
  readonly maxTimeoutMillis: number;
  /** Bytes (UTF-16 units) of a body that the history keeps. */
  readonly maxHistoryBody: number;
  /** Compiled definitions kept in memory. */
  readonly planCacheSize: number;
  /** Parked executions whose outputs stay in memory, in case they resume soon. */
  readonly parkedCacheSize: number;
  /** Bytes of outputs that one execution keeps in memory; also the maximum that one template or condition reads back. */
  readonly maxOutputBytes: number;
  /** Bytes of all held executions beyond which the process claims nothing new. */
  readonly maxInHandBytes: number;
  /** Submissions that may wait; further ones fail with {@link Overloaded}. */
  readonly maxWaitingSubmissions: number;
  /** Maximum number of watchers of executions (event streams and waiting requests). */
  readonly maxWatchers: number;
  /** How long a submission is retried while the store is unavailable. */
  readonly submitPatienceMillis: number;
  readonly limits: CoreLimits;
}

/** The defaults of the product. */
export const defaultEngineSettings: EngineSettings = {
  workerCount: 256,
  prefetch: 256,
  claimBatch: 50,
  leaseMillis: 10_000,
  maxStepsPerExecution: 25,
  fullSweepMillis: 5_000,
  livenessStallMillis: 120_000,
  requestTimeoutMillis: 30_000,
  maxTimeoutMillis: 900_000,
  maxHistoryBody: 64 * 1024,
  planCacheSize: 500,
  parkedCacheSize: 1_000,
  maxOutputBytes: 32 * 1024 * 1024,
  maxInHandBytes: 256 * 1024 * 1024,
  maxWaitingSubmissions: 10_000,
  maxWatchers: 1_000,
  submitPatienceMillis: 5_000,
  limits: {
    maxNodeVisits: 10_000,
    maxNodeVisitsCap: 1_000_000,
    hookMaxMillis: 60_000,
    hookDeliverMillis: 86_400_000,
    maxRetryAfterMillis: 3_600_000,
    maxAdvances: 100,
    // The maximum of one condition, about 50 ms.
    maxTurnSteps: 100_000,
    maxTurnBytes: 4 * 1024 * 1024,
  },
};

/** Too many requests already wait. Nothing was done, and the caller may retry later. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}
