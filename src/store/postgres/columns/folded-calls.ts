/**
 * A call and the step that it made, in one row: nearly every checkpoint of a task has just these two, and a row of its own
 * for the call costs the server nearly as much as the step's (tuple, index entry, log records).
 *
 * A step's column `call` holds what the call has beyond its step; its ord is the one before the step's. A call goes there only
 * where both say the same in all that they share; every other one (a failed attempt, say) is a row of `call`.
 */
import type { CallRow, StepRow } from '../../../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../../../core/value/json.ts';
import { decodeCall } from '../../row-text.ts';

/** What a call shares with its step. */
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

/** The column `call` of a step's row; undefined where the call must be a row of its own. Throws a TypeError as rows do. */
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

/** A call as it is read: a row of `call`, or of `step` with what is `folded` in it. */
export interface StoredCall {
  readonly ord: number;
  readonly row: string;
  readonly folded: string | null;
}

/** The call of a row. */
export function unfoldedCall({ ord, row, folded }: StoredCall): CallRow {
  if (folded === null) return decodeCall(row);
  const step = parseJson(row) as unknown as CallRow;
  const common = Object.fromEntries(shared.flatMap((name) => (step[name] === undefined ? [] : [[name, step[name]]])));
  return { ...(common as unknown as CallRow), ...(parseJson(folded) as unknown as CallRow), ord };
}
