/** What a process knows about the cluster. */
import type { CircuitView, FullHost } from '../../engine/call/gate/hosts.ts';
import type { PlacesInUse } from '../../engine/worker/worker-pool.ts';

/** The load of a process. */
export interface LoadView {
  readonly busyWorkers: number;
  /** Approximate bytes of the executions in hand, and the limit above which it claims nothing; absent when unreported. */
  readonly inHandBytes?: number;
  readonly maxInHandBytes?: number;
  /** What its places are used for; null when it runs nothing, or its version does not report them. */
  readonly places: PlacesInUse | null;
  /** Hosts whose circuits are open there. */
  readonly openCircuits: readonly string[];
  /** Hosts whose places are all taken there. */
  readonly fullHosts: readonly FullHost[];
}

/** A process. */
export interface PodView extends LoadView {
  readonly id: string;
  readonly version: string;
  /** False: it serves the API only. */
  readonly works: boolean;
  readonly heartbeatAgeMillis: number;
  readonly ownedShards: number;
}

/** The process's view of the cluster. */
export interface ClusterSource {
  /** Every process of the shared queue; without one this process alone. */
  pods(): readonly PodView[];
  /** Virtual shards in all. */
  readonly shards: number;
  /** Ids in the queue; rejects while its server is away. */
  queueSize(): Promise<{ readonly ready: number; readonly inFlight: number }>;
  /** When the longest due id of the shards of this process became due, as it knows; undefined while none waits. */
  oldestDueAt(): number | undefined;
  /** Circuits of this process. */
  circuits(): readonly CircuitView[];
  /** Present where Redis divides the work. */
  redis?(): {
    /** Absent when the server would not say. */
    readonly maxmemoryPolicy?: string;
    readonly membershipAgeMillis: number;
  };
}
