/** Turns what transitions tell into counters and log lines. */
import type { Run, Signal } from '../core/apply.ts';
import type { FailureReason } from '../core/state.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Holding } from './driver-contract.ts';
import { recordRound } from './execution-spans.ts';

/** Reasons whose description is a rendered text, or what somebody gave as the reason of a cancel. */
const fromPeople: ReadonlySet<FailureReason> = new Set(['fail_node', 'cancelled']);

/** Reports the signals of a durable checkpoint; `run` is the execution as it stands after it. */
export function reportSignals(
  telemetry: Telemetry,
  run: Run,
  { definition, traceId, traceparent }: Pick<Holding, 'definition' | 'traceId' | 'traceparent'>,
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
        break;
      case 'switched':
        definition.switched(signal.result);
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
          // What people and templates wrote may hold what the payload holds.
          ...(fromPeople.has(signal.reason) ? undefined : { description: signal.description }),
        });
        break;
      case 'warning':
        telemetry.log('warn', signal.message, { sagaId, nodeId: signal.nodeId, traceId });
        break;
      case 'finished': {
        const { state, header } = run;
        const durationMillis = state.now - state.startedAt;
        definition.finished(signal.status, signal.reason, durationMillis);
        const { tracer } = telemetry;
        if (tracer !== undefined) recordRound(tracer, run, traceparent, signal.status, signal.reason);
        if (telemetry.logs('info')) {
          telemetry.log('info', 'saga finished', {
            sagaId,
            sagaName: header.name,
            sagaVersion: header.version,
            status: signal.status,
            reason: signal.reason,
            round: state.round,
            durationMillis,
            traceId,
          });
        }
      }
    }
  }
}

/** Logs that the engine failed on an execution, for the `count`-th time. */
export function reportFault(
  telemetry: Telemetry,
  id: string,
  { traceId }: Pick<Holding, 'traceId'>,
  count: number,
  error: unknown,
): void {
  telemetry.log('error', 'engine fault', {
    sagaId: id,
    traceId,
    fault: count,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
