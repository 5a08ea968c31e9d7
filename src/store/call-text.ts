/**
 * Attempts as JSON text: rows of their own, and parts of the step rows that record them. What columns say is not in the text.
 */
import { idempotencyKey } from '../core/call/keys.ts';
import type { ResponseView } from '../core/context/context.ts';
import type { CallRow, EndingCall, StepRow } from '../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../core/value/json.ts';
import { type CallPlace, readExchange, type WrittenExchange, writtenExchange } from './exchange-text.ts';
import { orUsual, unusual, withoutUndefined } from './usual.ts';

/** The part of a step row that is about its call. The id of the call is a column. */
export interface WrittenCall extends Partial<WrittenExchange> {
  /** Absent: the note of the row. */
  readonly error?: string | null | undefined;
  /** Absent: the key of the row, or the usual key if the row has none. */
  readonly key?: string | null | undefined;
  readonly item?: readonly number[] | undefined;
  readonly waited?: CallRow['waited'] | undefined;
}

/** A call row of its own. */
interface WrittenRow extends WrittenCall {
  readonly id: number;
  readonly node: string;
  readonly index: number;
  readonly phase?: CallRow['phase'] | null | undefined;
  readonly visit?: number | null | undefined;
  readonly round?: number | null | undefined;
  readonly attempt?: number | null | undefined;
  readonly outcome: CallRow['outcome'];
  readonly status?: number | undefined;
  readonly begun: number;
  /** Absent: `begun`. */
  readonly last?: number | null | undefined;
  readonly at: number;
}

type Keyed = Pick<CallRow, 'round' | 'nodeId' | 'visit' | 'phase'>;

/** The key of the first operation of a visit, compensation or hook. */
export function usualKey(executionId: string, { round, nodeId, visit, phase }: Keyed): string {
  return idempotencyKey(executionId, round, nodeId, visit, phase);
}

/** The call of a step row as it is written with the row; `own` is the row's answer where calls are read together with it. */
export function writtenCall(
  executionId: string,
  row: StepRow,
  call: EndingCall,
  own: ResponseView | undefined,
): WrittenCall {
  const { exchange } = call;
  const key = call.idempotencyKey ?? row.key;
  const written: Mutable<WrittenCall> =
    exchange === undefined ? {} : writtenExchange(placeOf(executionId, row, key), exchange, own);
  // Assigned, since a copy of the exchange would cost as much as its text.
  if (call.error !== row.note) written.error = call.error ?? null;
  if (key !== row.key || key === undefined) {
    written.key = unusual(key, row.key ?? usualKey(executionId, row as Keyed));
  }
  if (call.item !== undefined) written.item = call.item;
  if (call.waited !== undefined) written.waited = call.waited;
  return written;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The call of a step row, of what {@link writtenCall} made. */
export function readCall(
  executionId: string,
  row: StepRow,
  callId: number,
  { error, key: writtenKey, item, waited, ...exchange }: WrittenCall,
  own: ResponseView | undefined,
): EndingCall {
  const key = orUsual(writtenKey, row.key ?? usualKey(executionId, row as Keyed));
  return withoutUndefined({
    callId,
    error: orUsual(error, row.note),
    idempotencyKey: key === row.key ? undefined : key,
    exchange: isExchange(exchange) ? readExchange(placeOf(executionId, row, key), exchange, own) : undefined,
    item,
    waited,
  });
}

function isExchange(written: Partial<WrittenExchange>): written is WrittenExchange {
  return written.url !== undefined;
}

function placeOf(
  executionId: string,
  { nodeId, attempt }: Pick<CallRow, 'nodeId' | 'attempt'>,
  key: string | undefined,
): CallPlace {
  return { executionId, nodeId, attempt, key };
}

/** The text of a call row of its own. Throws a TypeError when something in it is no JSON. */
export function encodeCall(executionId: string, row: CallRow): string {
  const { exchange, idempotencyKey: key } = row;
  const written: WrittenRow = {
    id: row.callId,
    node: row.nodeId,
    index: row.index,
    phase: unusual(row.phase, 'UP'),
    visit: unusual(row.visit, 1),
    round: unusual(row.round, 1),
    attempt: unusual(row.attempt, 1),
    outcome: row.outcome,
    status: row.statusCode,
    begun: row.startedAt,
    last: unusual(row.attemptAt, row.startedAt),
    at: row.at,
    error: row.error,
    key: unusual(key, usualKey(executionId, row)),
    item: row.item,
    waited: row.waited,
    ...(exchange === undefined ? undefined : writtenExchange(placeOf(executionId, row, key), exchange, undefined)),
  };
  return stringifyJson(written as unknown as Json);
}

/** The call row of a text. */
export function decodeCall(executionId: string, ord: number, text: string): CallRow {
  const written = parseJson(text) as unknown as WrittenRow;
  const {
    id,
    node,
    index,
    phase,
    visit,
    round,
    attempt,
    outcome,
    status,
    begun,
    last,
    at,
    error,
    key,
    item,
    waited,
    ...rest
  } = written;
  const exchange: Partial<WrittenExchange> = rest;
  const place = {
    nodeId: node,
    phase: orUsual(phase, 'UP') as CallRow['phase'],
    visit: orUsual(visit, 1) as number,
    round: orUsual(round, 1) as number,
    attempt: orUsual(attempt, 1) as number,
  };
  const ownKey = orUsual(key, usualKey(executionId, place));
  return withoutUndefined({
    ord,
    callId: id,
    ...place,
    index,
    outcome,
    statusCode: status,
    error: error ?? undefined,
    startedAt: begun,
    attemptAt: orUsual(last, begun) as number,
    at,
    idempotencyKey: ownKey,
    item,
    waited,
    exchange: isExchange(exchange) ? readExchange(placeOf(executionId, place, ownKey), exchange, undefined) : undefined,
  });
}
