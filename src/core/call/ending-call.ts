import type { CallRow, EndingCall, Exchange, StepRow } from '../history.ts';
import type { ResponseView } from '../context/context.ts';
import { stringifyJson } from '../value/json.ts';

/** Returns the call for the step row that records its answer; undefined if the row is about something else. */
export function endingCall(call: CallRow, row: StepRow): EndingCall | undefined {
  if (
    call.ord !== row.ord - 1 ||
    call.phase !== row.phase ||
    call.nodeId !== row.nodeId ||
    call.visit !== row.visit ||
    call.round !== row.round ||
    call.attempt !== row.attempt ||
    call.outcome !== row.outcome ||
    call.statusCode !== row.statusCode ||
    call.startedAt !== row.startedAt ||
    call.attemptAt !== row.attemptAt ||
    call.at !== row.at ||
    (call.idempotencyKey === undefined && row.key !== undefined)
  ) {
    return undefined;
  }
  const { callId, error, idempotencyKey, exchange, item, waited } = call;
  return {
    callId,
    ...(error === undefined ? undefined : { error }),
    ...(idempotencyKey === undefined || idempotencyKey === row.key ? undefined : { idempotencyKey }),
    ...(exchange === undefined ? undefined : { exchange }),
    ...(item === undefined ? undefined : { item }),
    ...(waited === undefined ? undefined : { waited }),
  };
}

/** The attempt that a step row records; undefined if it records none. */
export function callOf(row: StepRow): CallRow | undefined {
  const { call, ord, nodeId, index, phase, visit, round, attempt, outcome, statusCode, startedAt, attemptAt, at, key } =
    row;
  // The phase and the outcome are those of a call, because only a call's row has `call`.
  if (call === undefined) return undefined;
  return {
    ord: ord - 1,
    nodeId,
    index,
    phase: phase as CallRow['phase'],
    visit,
    round,
    attempt,
    outcome: outcome as CallRow['outcome'],
    ...(statusCode === undefined ? undefined : { statusCode }),
    startedAt,
    attemptAt,
    at,
    ...(key === undefined ? undefined : { idempotencyKey: key }),
    ...call,
  };
}

/** All attempts of a transition, in the order of their ords: those with rows of their own and those that step rows record. */
export function callsOf(rows: {
  readonly steps: readonly StepRow[];
  readonly calls?: readonly CallRow[] | undefined;
}): readonly CallRow[] {
  const recorded = rows.steps.flatMap((row) => callOf(row) ?? []);
  return [...(rows.calls ?? []), ...recorded].sort((a, b) => a.ord - b.ord);
}

/** The exchange with the text of its response in place of `answer`. */
export function shownExchange(exchange: Exchange): Exchange {
  const { answer, ...rest } = exchange;
  return answer === undefined ? exchange : { ...rest, responseHeaders: answer.headers, responseBody: bodyText(answer) };
}

/** The body of a response as text; empty if the response had none. */
export function bodyText({ body }: ResponseView): string {
  if (typeof body === 'string') return body;
  return body === null ? '' : stringifyJson(body);
}
