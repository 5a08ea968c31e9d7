import type { Run } from '../../core/apply.ts';
import type { CallCommand, CallResult } from '../../core/event.ts';
import type { FailureReason, TerminalStatus } from '../../core/state.ts';
import type { Span, Tracer } from '../../ports/tracer.ts';
import { parentOf, roundSpanIdOf, traceIdOf, visitSpanIdOf } from '../trace-context.ts';

/** The part of an attempt's span that is known before the attempt begins. */
export type CallSpan = Omit<Span, 'startMillis' | 'endMillis' | 'error'>;

const firstBadStatus = 400;

/** Whether the execution's trace is sampled. `traceparent` is the header of the submission. */
export function isSampled(tracer: Tracer, executionId: string, traceparent: string | undefined): boolean {
  return tracer.samples(traceIdOf(executionId, traceparent), parentOf(traceparent)?.isSampled);
}

/** The span of one attempt, with the ids of the header that {@link traceparentOf} created for it. */
export function callSpan({ header, state }: Run, command: CallCommand, traceparent: string): CallSpan {
  const { nodeId, visit, attempt, phase } = command;
  return {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    parentSpanId: roundSpanIdOf(header.id, state.round),
    name: 'node.execute',
    kind: 'client',
    attributes: {
      'saga.id': header.id,
      'saga.name': header.name,
      'saga.version': header.version,
      'saga.round': state.round,
      'node.id': nodeId,
      visit,
      attempt,
      phase,
    },
  };
}

/** The end of an attempt; `request` is absent if no request was made. */
export interface CallEnd {
  readonly result: CallResult;
  /**
   * `template` is the masked URL from the definition. Only the history contains the rendered URL, for readers with
   * permission.
   */
  readonly request?: { readonly verb: string; readonly template: string };
  readonly endMillis: number;
  readonly latencyMillis: number;
}

/** Records the span of an attempt. */
export function recordCall(tracer: Tracer, span: CallSpan, end: CallEnd): void {
  const { result, request, endMillis, latencyMillis } = end;
  const status = result.kind === 'response' ? result.response.status : undefined;
  const outcome = result.kind === 'failed' ? result.error : result.kind;
  const error = status === undefined ? outcome : status >= firstBadStatus ? `HTTP ${String(status)}` : undefined;
  tracer.record({
    ...span,
    startMillis: endMillis - latencyMillis,
    endMillis,
    attributes: {
      ...span.attributes,
      outcome,
      'http.request.method': request?.verb,
      'url.template': request?.template,
      'http.response.status_code': status,
    },
    ...(error === undefined ? undefined : { error }),
  });
}

/** Records the span of a visit that started another execution, whose spans are below it. `run` is the execution after it. */
export function recordVisit(
  tracer: Tracer,
  { header, state }: Pick<Run, 'header' | 'state'>,
  traceparent: string | undefined,
  visit: { readonly nodeId: string; readonly visit: number; readonly outcome: string; readonly durationMillis: number },
): void {
  const { id, name, version } = header;
  if (!isSampled(tracer, id, traceparent)) return;
  const { nodeId, outcome, durationMillis } = visit;
  tracer.record({
    traceId: traceIdOf(id, traceparent),
    spanId: visitSpanIdOf(id, state.round, nodeId, visit.visit),
    parentSpanId: roundSpanIdOf(id, state.round),
    name: 'node.execute',
    kind: 'internal',
    startMillis: state.now - durationMillis,
    endMillis: state.now,
    attributes: {
      'saga.id': id,
      'saga.name': name,
      'saga.version': version,
      'saga.round': state.round,
      'node.id': nodeId,
      visit: visit.visit,
      outcome,
    },
    ...(outcome === 'succeeded' ? undefined : { error: outcome }),
  });
}

/**
 * Records the span of an ended round. Its id derives from the execution and round, so all processes name the same
 * parent in their calls, also after a restart.
 */
export function recordRound(
  tracer: Tracer,
  { id, name, version, state }: Pick<Run, 'state'> & Pick<Run['header'], 'id' | 'name' | 'version'>,
  traceparent: string | undefined,
  status: TerminalStatus,
  reason: FailureReason | undefined,
): void {
  if (!isSampled(tracer, id, traceparent)) return;
  tracer.record({
    traceId: traceIdOf(id, traceparent),
    spanId: roundSpanIdOf(id, state.round),
    parentSpanId: parentOf(traceparent)?.spanId,
    name: 'saga.execute',
    kind: 'internal',
    startMillis: state.startedAt,
    endMillis: state.now,
    attributes: {
      'saga.id': id,
      'saga.name': name,
      'saga.version': version,
      'saga.round': state.round,
      outcome: status,
      reason,
    },
    ...(status === 'SUCCEEDED' ? undefined : { error: reason ?? status }),
  });
}
