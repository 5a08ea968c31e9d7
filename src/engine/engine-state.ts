import type { QueueTrouble } from '../ports/queue.ts';
import type { PlacesInUse } from './worker/worker-pool.ts';

/** The load of a process. */
export interface EngineLoad {
  /** Executions that run. */
  readonly busy: number;
  /** What the running executions use the places of the process for. */
  readonly places: PlacesInUse;
  /** Executions that the process holds, including those that wait for a place. */
  readonly held: number;
  /** Estimated bytes of the held executions; at `maxBytes` the process claims nothing new. */
  readonly bytes: number;
  readonly maxBytes: number;
  readonly waitingSubmissions: number;
  readonly watchers: number;
}

/** Why a process should get no requests. */
export type UnreadyReason =
  'shutting_down' | 'database_unreachable' | 'database_read_only' | 'consumer_stalled' | QueueTrouble;

/** Whether the process is alive and ready. */
export interface Health {
  /** False when a background loop has made no progress for too long: only a restart helps. */
  readonly alive: boolean;
  /** Empty when ready. */
  readonly unready: readonly UnreadyReason[];
  /** Loops without progress for more than half of the time after which the process counts as dead. */
  readonly stalled: readonly string[];
}
