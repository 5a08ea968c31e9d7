/** The history of one execution as clients read it: a row per node visit and phase, and a row per attempt. */
import type { CallRow, ShownBody, StepRow } from '../../core/history.ts';
import { type JsonObject, stringifyJson } from '../../core/json.ts';
import type { Page, PageRequest } from '../../ports/store.ts';
import { cut } from '../exchange.ts';
import { type Answer, granted, unknownExecution } from './answer.ts';
import { gatherPage } from './gather-page.ts';
import { instant } from './instants.ts';
import type { DeskParts } from './parts.ts';
import { bodyOf } from './shown-body.ts';

/** A page of step rows, by position in the history. Throws BadCursor. */
export function listSteps(parts: DeskParts, id: string, page: PageRequest): Promise<Answer<Page<JsonObject>>> {
  const list = (asked: PageRequest): Promise<Page<StepRow>> => parts.store.listSteps(id, asked);
  return pageOf(parts, id, list, page, (row) => (isListed(row) ? maskedStep(parts, id, row) : undefined));
}

/** A page of attempts, by position in the history. Throws BadCursor. */
export function listCalls(parts: DeskParts, id: string, page: PageRequest): Promise<Answer<Page<JsonObject>>> {
  const list = (asked: PageRequest): Promise<Page<CallRow>> => parts.store.listCalls(id, asked);
  return pageOf(parts, id, list, page, (row) => parts.masker.json(callDocument(id, row)) as JsonObject);
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
  list: (page: PageRequest) => Promise<Page<T>>,
  page: PageRequest,
  document: (row: T) => JsonObject | undefined,
): Promise<Answer<Page<JsonObject>>> {
  const { items, rows, cursor } = await gatherPage(list, page, document);
  // An execution without rows yet and one that does not exist differ.
  if (rows === 0 && (await parts.store.getProgress(id)) === undefined) return unknownExecution(id);
  return granted({ items, ...(cursor !== undefined && { cursor }) });
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
    ...bodyFields(parts, row),
    ...(row.note !== undefined && { note: row.note }),
    ...timeFields(row),
    latencyMs: Math.max(0, row.at - row.attemptAt),
  };
}

function bodyFields(parts: DeskParts, row: StepRow): JsonObject {
  const { body, isCut } = row.shown ?? cutBodyOf(parts, row);
  return {
    ...(body !== undefined && { responseBody: body }),
    ...(isCut === true && { responseBodyTruncated: true }),
  };
}

function cutBodyOf({ masker, maxHistoryBody }: DeskParts, row: StepRow): ShownBody {
  const body = bodyOf(row);
  if (body === undefined || body === null) return {};
  // Masked before it is cut: half a secret would not be recognised.
  const masked = masker.json(body);
  const text = typeof masked === 'string' ? masked : stringifyJson(masked);
  return text.length <= maxHistoryBody ? { body: text } : { body: cut(text, maxHistoryBody), isCut: true };
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
