import type { CircuitView, FullHost } from '../../engine/call/gate/hosts.ts';
import type { PlacesInUse } from '../../engine/worker/worker-pool.ts';

/** The load of a process. */
export interface LoadView {
  readonly busyWorkers: number;
  /**
   * Approximate bytes of the executions in hand, and the limit above which the process claims nothing; absent if
   * unreported.
   */
  readonly inHandBytes?: number;
  readonly maxInHandBytes?: number;
  /** The use of its worker places; null if it runs no executions, or its version does not report them. */
  readonly places: PlacesInUse | null;
  /** Hosts with an open circuit in that process. */
  readonly openCircuits: readonly string[];
  /** Hosts with no free call place in that process. */
  readonly fullHosts: readonly FullHost[];
}

/** A process of the cluster. */
export interface PodView extends LoadView {
  readonly id: string;
  readonly version: string;
  /** False: the process serves the API only. */
  readonly works: boolean;
  readonly heartbeatAgeMillis: number;
  readonly ownedShards: number;
}

/** The database as a process sees it. */
export interface DatabaseView {
  readonly driver: 'sqlite' | 'postgres';
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly readOnly: boolean;
}

/** One process's view of the cluster. */
export interface ClusterSource {
  /** Every process of the shared queue; without one, only this process. */
  pods(): readonly PodView[];
  /** Total number of virtual shards. */
  readonly shards: number;
  /** Number of ids in the queue; rejects while its server is unavailable. */
  queueSize(): Promise<{ readonly ready: number; readonly inFlight: number }>;
  /** When the longest due id of this process's shards became due, as far as it knows; undefined if none waits. */
  oldestDueAt(): number | undefined;
  /** Circuits of this process. */
  circuits(): readonly CircuitView[];
  /** Whether the database answers and takes writes. Never rejects. */
  database?(): Promise<DatabaseView>;
  /** Present if processes share the queue through Redis. */
  redis?(): {
    /** Absent if the server does not report it. */
    readonly maxmemoryPolicy?: string;
    readonly membershipAgeMillis: number;
  };
}
