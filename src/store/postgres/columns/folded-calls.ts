/**
 * Stores a call and its resulting step in one row. Nearly every checkpoint of a task has just these two, and a separate row for
 * the call costs the server nearly as much as the step's (tuple, index entry, log records).
 *
 * The step's column `call` has the fields that the step lacks; the call's ord is the one before the step's. A call is folded
 * only if all fields that both have are equal; any other call (such as a failed attempt) is a row of the table `call`.
 */
import type { CallRow, StepRow } from '../../../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../../../core/value/json.ts';
import { decodeCall } from '../../row-text.ts';

/** The fields that a call shares with its step. */
const shared = [
  'round',
  'nodeId',
  'index',
  'visit',
  'attempt',
  'phase',
  'outcome',
  'statusCode',
  'startedAt',
  'attemptAt',
  'at',
] as const satisfies readonly (keyof CallRow & keyof StepRow)[];

/** The step's column `call`; undefined if the call needs a separate row. Throws a TypeError when it cannot be stored. */
export function foldedCall(call: CallRow, step: StepRow | undefined): string | undefined {
  if (step?.ord !== call.ord + 1 || shared.some((name) => call[name] !== step[name])) return undefined;
  const { callId, error, idempotencyKey, exchange } = call;
  const own: Record<Exclude<keyof CallRow, (typeof shared)[number] | 'ord'>, unknown> = {
    callId,
    error,
    idempotencyKey,
    exchange,
  };
  return stringifyJson(own as Json);
}

/** A call as read: a row of `call`, or a row of `step` with the `folded` fields. */
export interface StoredCall {
  readonly ord: number;
  readonly row: string;
  readonly folded: string | null;
}

/** Decodes the call of a row. */
export function unfoldedCall({ ord, row, folded }: StoredCall): CallRow {
  if (folded === null) return decodeCall(row);
  const step = parseJson(row) as unknown as CallRow;
  const common = Object.fromEntries(shared.flatMap((name) => (step[name] === undefined ? [] : [[name, step[name]]])));
  return { ...(common as unknown as CallRow), ...(parseJson(folded) as unknown as CallRow), ord };
}
