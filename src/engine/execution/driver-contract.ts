/** What drivers of executions stand on, what they are given, and how they let go. */
import type { Run } from '../../core/apply.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Checkpoint, CheckpointResult, ClaimRow, InboxRow, Store } from '../../ports/store.ts';
import type { DefinitionTelemetry, Telemetry } from '../../ports/telemetry.ts';
import type { CallRunner } from '../call/call-runner.ts';
import type { Sink } from '../write/coalescer.ts';
import type { CoreEnvironment } from '../core-env.ts';
import type { DriverTimers } from './driver-timers.ts';
import type { Lease } from '../worker/lease.ts';
import type { LoopShare } from '../loop-share.ts';
import type { MemoryLedger } from '../worker/memory-ledger.ts';
import type { WatchHub } from '../watch-hub.ts';

/** Where checkpoints go; see the coalescer. */
export interface CheckpointSink {
  add(checkpoint: Checkpoint, bytes: number, sink: Sink<CheckpointResult>): void;
}

/** Asks the store for the claim of an execution, many at once. Resolves with undefined where there is none. */
export type AskClaim = (id: string) => Promise<ClaimRow | undefined>;

/** What all drivers of a process share. */
export interface DriverParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly checkpoints: CheckpointSink;
  /** Reads that are repeated while the store is away. */
  readonly reads: Pick<Store, 'readInbox' | 'readOutputs' | 'findUndo' | 'findStanding'>;
  readonly calls: CallRunner;
  readonly askClaim: AskClaim;
  readonly timers: DriverTimers;
  readonly watch: WatchHub;
  readonly env: CoreEnvironment;
  readonly share: LoopShare;
  readonly maxSteps: number;
  readonly memory: MemoryLedger;
  /** Bytes of outputs that one execution keeps in memory; as many may be read back from the store at once. */
  readonly maxOutputBytes: number;
}

/** How a driver let go of its execution. */
export type Ending =
  | { readonly kind: 'over' }
  | { readonly kind: 'parked'; readonly dueAt: number; readonly run: Run }
  /**
   * Ready at once, for anybody: in its place (fenced, lease over, draining), or behind all that is due where it `yields` its
   * turn to others in a process that could go on with it.
   */
  | { readonly kind: 'released'; readonly run?: Run; readonly yields?: boolean }
  /** Nothing can be done with it now; to be looked at again later. */
  | { readonly kind: 'stuck' };

/** Who the driver works for. */
export interface DriverOwner {
  /** Whether no new calls may be made, since the process is stopping. */
  readonly draining: boolean;
  /** Whether other executions wait for a worker. */
  othersWait(): boolean;
  /** The driver is done with it; called once. */
  ended(lease: Lease, how: Ending): void;
}

/** An execution as it is taken in hand. */
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
  /** Claims without progress, this one included; absent for one that was begun here. */
  readonly claims?: number;
  /** Called at least once: it has got somewhere, its process has lived on with it for a while, or the driver is done with it. */
  readonly cleared?: () => void;
  /** When it was due, by which its time is not earlier. */
  readonly dueAt: number;
  readonly inbox: readonly InboxRow[];
}
