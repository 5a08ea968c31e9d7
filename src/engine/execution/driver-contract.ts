import type { Run } from '../../core/apply.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StoredItem } from '../../ports/queue.ts';
import type { Checkpoint, CheckpointResult, ClaimRow, InboxRow, Store } from '../../ports/store.ts';
import type { DefinitionTelemetry, Telemetry } from '../../ports/telemetry.ts';
import type { CallRunner } from '../call/call-runner.ts';
import type { Sink } from '../write/coalescer.ts';
import type { CoreEnvironment } from '../core-env.ts';
import type { DriverTimers } from './driver-timers.ts';
import type { Family } from '../family/family.ts';
import type { Lease } from '../worker/lease.ts';
import type { LoopShare } from '../loop-share.ts';
import type { MemoryLedger } from '../worker/memory-ledger.ts';
import type { WatchHub } from '../watch-hub.ts';

/** Writes checkpoints; see `Coalescer`. */
export interface CheckpointSink {
  add(checkpoint: Checkpoint, bytes: number, sink: Sink<CheckpointResult>): void;
}

/** Reads the claim of an execution from the store, batched with other reads. Resolves with undefined if there is none. */
export type AskClaim = (id: string) => Promise<ClaimRow | undefined>;

/** What all drivers of a process share. */
export interface DriverParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly checkpoints: CheckpointSink;
  /** Reads that are repeated while the store is unavailable. */
  readonly reads: Pick<Store, 'readInbox' | 'readOutputs' | 'findUndo' | 'findStanding' | 'listStandingRequests'>;
  readonly calls: CallRunner;
  readonly askClaim: AskClaim;
  readonly timers: DriverTimers;
  readonly watch: WatchHub;
  readonly env: CoreEnvironment;
  readonly share: LoopShare;
  readonly maxSteps: number;
  readonly memory: MemoryLedger;
  readonly family: Family;
  /** Announces that an execution has become due. Never throws. */
  readonly ring: (item: StoredItem) => void;
  /**
   * Bytes of outputs that one execution keeps in memory; also the maximum that one template or condition reads back
   * from the store.
   */
  readonly maxOutputBytes: number;
}

/** How a driver let go of its execution. */
export type Ending =
  | { readonly kind: 'over' }
  | { readonly kind: 'parked'; readonly dueAt: number; readonly run: Run }
  /**
   * Any process may claim the execution at once: in its old place (fenced, lease over, draining), or behind all due ids
   * if it `yields` its turn although this process could continue it.
   */
  | { readonly kind: 'released'; readonly run?: Run; readonly yields?: boolean }
  /** The execution cannot make progress now; it is claimed again later. */
  | { readonly kind: 'stuck' };

/** The parts of the process that a driver uses. */
export interface DriverOwner {
  /** Whether the process is stopping, so that no new call may be made. */
  readonly draining: boolean;
  /** Whether other executions wait for a worker. */
  othersWait(): boolean;
  /** The driver has ended. Called once. */
  ended(lease: Lease, how: Ending): void;
}

/** An execution that this process has claimed, as its driver begins with it. */
export interface ClaimedExecution {
  readonly lease: Lease;
  readonly run: Run;
  /** Characters of its payload's JSON text. */
  readonly payloadChars: number;
  readonly definition: DefinitionTelemetry;
  readonly traceparent?: string;
  readonly traceId: string;
  readonly seq: number;
  readonly inboxSeq: number;
  /** Number of claims without progress, this one included; absent for an execution that began here. */
  readonly claims?: number;
  /**
   * Called at least once: when the execution has made progress, when the process has survived it for a while, or at the
   * end of the driver.
   */
  readonly cleared?: () => void;
  /** When the execution was due. The time of its transitions is never earlier. */
  readonly dueAt: number;
  readonly inbox: readonly InboxRow[];
}
