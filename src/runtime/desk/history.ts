/** The history of one execution as clients read it: a row per node visit and phase, and a row per attempt. */
import type { CallRow, StepRow } from '../../core/history.ts';
import { type Json, type JsonObject, stringifyJson } from '../../core/json.ts';
import type { Page, PageRequest } from '../../ports/store.ts';
import { cut } from '../exchange.ts';
import { type Answer, granted, unknownExecution } from './answer.ts';
import { instant } from './instants.ts';
import type { DeskParts } from './parts.ts';
import { mapInPieces } from './pieces.ts';

/** A page of step rows, by position in the history. Throws BadCursor. */
export async function listSteps(parts: DeskParts, id: string, page: PageRequest): Promise<Answer<Page<JsonObject>>> {
  const rows = await parts.store.listSteps(id, page);
  return pageOf(parts, id, rows, (row) => stepDocument(parts, id, row), isListed);
}

/** A page of attempts, by position in the history. Throws BadCursor. */
export async function listCalls(parts: DeskParts, id: string, page: PageRequest): Promise<Answer<Page<JsonObject>>> {
  const rows = await parts.store.listCalls(id, page);
  return pageOf(parts, id, rows, (row) => callDocument(id, row));
}

/** Whether a row is shown: a further answer of the same visit and phase is there for templates alone. */
export function isListed(row: StepRow): boolean {
  return row.repeat !== true;
}

/** One step row, masked. */
export function maskedStep(parts: DeskParts, id: string, row: StepRow): JsonObject {
  return parts.masker.json(stepDocument(parts, id, row)) as JsonObject;
}

async function pageOf<T>(
  parts: DeskParts,
  id: string,
  { items, cursor }: Page<T>,
  document: (row: T) => JsonObject,
  isShown: (row: T) => boolean = () => true,
): Promise<Answer<Page<JsonObject>>> {
  // An execution without rows yet and one that does not exist differ.
  if (items.length === 0 && (await parts.store.getExecution(id)) === undefined) return unknownExecution(id);
  const shown = items.filter(isShown);
  const documents = await mapInPieces(parts.clock, shown, (row) => parts.masker.json(document(row)) as JsonObject);
  return granted({ items: documents, ...(cursor !== undefined && { cursor }) });
}

/** What was done, and how it ended: the same in both kinds of rows. */
function placeFields(row: StepRow | CallRow): JsonObject {
  return {
    stepIndex: row.index,
    stepName: row.nodeId,
    phase: row.phase,
    visit: row.visit,
    round: row.round,
    attempt: row.attempt,
    outcome: row.outcome,
    ...(row.statusCode !== undefined && { statusCode: row.statusCode }),
    success: row.outcome === 'succeeded',
  };
}

function timeFields(row: StepRow | CallRow): JsonObject {
  return {
    startedAt: instant(row.startedAt),
    stepStartedAt: instant(row.attemptAt),
    createdAt: instant(row.at),
  };
}

function stepDocument(parts: DeskParts, id: string, row: StepRow): JsonObject {
  return {
    id: `${id}:${String(row.ord)}`,
    ...placeFields(row),
    ...bodyFields(parts, bodyOf(row)),
    ...(row.note !== undefined && { note: row.note }),
    ...timeFields(row),
    latencyMs: Math.max(0, row.at - row.attemptAt),
  };
}

/** The body of the answer that this row is about. */
function bodyOf({ phase, output }: StepRow): Json | undefined {
  if (output === undefined) return undefined;
  if (phase === 'DOWN') return output.downBody;
  if (phase === 'CALLBACK') return output.callback?.body;
  return output.response?.body ?? output.accepted?.body;
}

function bodyFields(parts: DeskParts, body: Json | undefined): JsonObject {
  if (body === undefined || body === null) return {};
  // Masked before it is cut: half a secret would not be recognised.
  const masked = parts.masker.json(body);
  const text = typeof masked === 'string' ? masked : stringifyJson(masked);
  const { maxHistoryBody } = parts;
  if (text.length <= maxHistoryBody) return { responseBody: text };
  return { responseBody: cut(text, maxHistoryBody), responseBodyTruncated: true };
}

function callDocument(id: string, row: CallRow): JsonObject {
  const { exchange } = row;
  return {
    id: `${id}:call:${String(row.callId)}`,
    ...placeFields(row),
    ...(row.error !== undefined && { error: row.error }),
    ...(row.idempotencyKey !== undefined && { idempotencyKey: row.idempotencyKey }),
    ...(exchange !== undefined && {
      requestUrl: exchange.url,
      requestVerb: exchange.verb,
      requestHeaders: exchange.requestHeaders,
      ...(exchange.requestBody !== undefined && { requestBody: exchange.requestBody }),
      ...(exchange.requestBodyTruncated === true && { requestBodyTruncated: true }),
      ...(exchange.responseHeaders !== undefined && { responseHeaders: exchange.responseHeaders }),
      ...(exchange.responseBody !== undefined && { responseBody: exchange.responseBody }),
      ...(exchange.responseBodyTruncated === true && { responseBodyTruncated: true }),
    }),
    ...timeFields(row),
    latencyMs: exchange?.latencyMillis ?? Math.max(0, row.at - row.attemptAt),
  };
}
