import { placeOf } from '../../core/context/family.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { endTold } from '../../core/family/end-told.ts';
import { slotOf } from '../../core/value/slot.ts';
import type { StoredItem } from '../../ports/queue.ts';
import { tellRows } from '../family/tell-rows.ts';
import { summarize } from '../../core/summary.ts';
import { quarantined } from '../../core/transition/control.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CheckpointResult, LoadedExecution } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { CheckpointSink } from '../execution/driver-contract.ts';
import type { Lease } from './lease.ts';
import { reportFinished } from '../execution/signal-report.ts';
import { traceIdOf } from '../trace-context.ts';
import type { WatchHub } from '../watch-hub.ts';
import type { WorkerPool } from './worker-pool.ts';

/** What a quarantine needs. */
export interface QuarantineParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly checkpoints: CheckpointSink;
  readonly watch: WatchHub;
  /** Announces that an execution has become due. Never throws. */
  readonly ring: (item: StoredItem) => void;
}

/** The description for users. The owners of all claims before the present one have ended. */
function descriptionOf({ claims }: LoadedExecution): string {
  return `${String(claims - 1)} processes in a row ended while they worked on this execution, without a checkpoint in between.`;
}

/** Rough size of the checkpoint in bytes. */
const checkpointBytes = 2_048;
/** Delay before an execution whose quarantine the store refused is claimed again, in milliseconds. */
const refusedMillis = 30_000;

/**
 * Ends the execution as CORRUPTED with reason `engine`, from its row alone, before anything else is parsed, read or
 * rendered. Tokens and inbox stay as they are in the store, for a later retry. If the execution has already ended, only
 * its hook is given up. Ends the lease. Resolves once the change is durable or was refused; never rejects.
 */
export function quarantine(
  parts: QuarantineParts,
  lease: Lease,
  loaded: LoadedExecution,
  pool: WorkerPool,
): Promise<void> {
  const { clock, telemetry, checkpoints, watch } = parts;
  const { id, name, version, seq, traceparent } = loaded;
  const traceId = traceIdOf(id, traceparent);
  const state = quarantined(loaded.state, clock.now(), descriptionOf(loaded), loaded.parent !== undefined);
  const told = loaded.state.end === undefined ? endTold(loaded, state) : undefined;
  const tells = told === undefined ? [] : tellRows({ tells: [told], state, outputs: Outputs.empty });
  const refused = (error: unknown): void => {
    telemetry.log('error', 'quarantine refused', { sagaId: id, traceId, error: String(error) });
    pool.giveBack(lease, { parkUntil: clock.now() + refusedMillis });
  };
  const settled = (result: CheckpointResult): void => {
    switch (result.kind) {
      case 'written':
        if (loaded.state.end !== undefined) telemetry.definition(name, version).hookEnded('failed');
        else reportFinished(telemetry, { id, name, version, state, traceparent, traceId, ...placeOf(loaded) });
        watch.changed(id, state);
        for (const { executionId } of tells)
          parts.ring({ id: executionId, slot: slotOf(executionId), dueAt: state.now });
        pool.giveBack(lease, 'ack');
        return;
      case 'fenced':
      case 'inbox':
        telemetry.fenced('checkpoint');
        pool.giveBack(lease, 'release');
        return;
      case 'invalid':
        refused(result.message);
    }
  };
  const checkpoint = {
    id,
    claim: lease.claim,
    seq,
    state,
    summary: summarize(state),
    dueAt: null,
    progress: true,
    steps: [],
    calls: [],
    undo: [],
    consumed: [],
    ...(tells.length === 0 ? undefined : { tells }),
  };
  return new Promise((resolve) => {
    checkpoints.add(checkpoint, checkpointBytes, {
      settled: (result) => resolve(settled(result)),
      failed: (error) => resolve(refused(error)),
    });
  });
}
