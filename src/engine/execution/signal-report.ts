import type { Run, Signal } from '../../core/apply.ts';
import type { FamilyPlace } from '../../core/context/family.ts';
import type { FailureReason, State, TerminalStatus } from '../../core/state.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { ClaimedExecution } from './driver-contract.ts';
import { recordRound, recordVisit } from './execution-spans.ts';

/** Turns the signals of a durable checkpoint into counters and log lines; `run` is the execution after it. */
export function reportSignals(
  telemetry: Telemetry,
  run: Run,
  { definition, traceId, traceparent }: Pick<ClaimedExecution, 'definition' | 'traceId' | 'traceparent'>,
  signals: readonly Signal[],
): void {
  const sagaId = run.header.id;
  for (const signal of signals) {
    switch (signal.kind) {
      case 'retried':
        definition.retried(signal.phase);
        break;
      case 'attempt':
        definition.attempted(signal.phase, signal.outcome);
        if (signal.outcome !== 'succeeded') {
          telemetry.log(
            signal.willRetry ? 'info' : 'warn',
            signal.willRetry ? 'call failed, will retry' : 'call failed',
            {
              sagaId,
              nodeId: signal.nodeId,
              traceId,
              phase: signal.phase,
              outcome: signal.outcome,
              reason: signal.reason,
              description: signal.description,
            },
          );
        }
        break;
      case 'step':
        definition.stepped(signal.nodeId, signal.nodeKind, signal.mode, signal.outcome, signal.durationMillis);
        if (signal.visit !== undefined && telemetry.tracer !== undefined) {
          recordVisit(telemetry.tracer, run, traceparent, { ...signal, visit: signal.visit });
        }
        break;
      case 'switched':
        definition.switched(signal.result);
        break;
      case 'item':
        definition.itemEnded(signal.status);
        break;
      case 'callbackTimeout':
        definition.callbackTimedOut();
        telemetry.log('info', 'callback did not come in time', { sagaId, nodeId: signal.nodeId, traceId });
        break;
      case 'callbackIgnored':
        telemetry.log('info', 'callback ignored', { sagaId, nodeId: signal.nodeId, traceId });
        break;
      case 'failing':
        telemetry.log('warn', 'saga failing', {
          sagaId,
          nodeId: signal.nodeId,
          traceId,
          reason: signal.reason,
          description: signal.description,
        });
        break;
      case 'warning':
        telemetry.log('warn', signal.message, { sagaId, nodeId: signal.nodeId, traceId });
        break;
      case 'hookEnded':
        definition.hookEnded(signal.result);
        if (signal.result === 'failed') {
          const { nodeId, attempts } = signal;
          telemetry.log('warn', 'hook not delivered', { sagaId, nodeId, traceId, attempts });
        }
        break;
      case 'finished':
        if (signal.isUndone === true) definition.undone(signal.status);
        else definition.finished(signal.status, signal.reason, run.state.now - run.state.startedAt);
        recordFinished(telemetry, { ...run.header, state: run.state, traceparent, traceId }, signal);
    }
  }
}

/** The row of a finished execution. */
export interface Finished extends FamilyPlace {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: State;
  readonly traceparent: string | undefined;
  readonly traceId: string;
}

/** Reports the end of an execution from its row alone. */
export function reportFinished(telemetry: Telemetry, finished: Finished): void {
  const { name, version, state } = finished;
  if (state.end === undefined) return;
  const { status, reason } = state.end;
  const definition = telemetry.definition(name, version);
  if (state.verdict?.reason === 'undone') definition.undone(status);
  else definition.finished(status, reason, state.now - state.startedAt);
  recordFinished(telemetry, finished, state.end);
}

function recordFinished(
  telemetry: Telemetry,
  finished: Finished,
  { status, reason }: { readonly status: TerminalStatus; readonly reason?: FailureReason },
): void {
  const { id, name, version, state, traceparent, traceId } = finished;
  if (finished.parent !== undefined) telemetry.childEnded(status);
  const { tracer } = telemetry;
  if (tracer !== undefined) recordRound(tracer, finished, traceparent, status, reason);
  if (!telemetry.logs('info')) return;
  telemetry.log('info', 'saga finished', {
    sagaId: id,
    sagaName: name,
    sagaVersion: version,
    status,
    reason,
    round: state.round,
    durationMillis: state.now - state.startedAt,
    traceId,
  });
}
