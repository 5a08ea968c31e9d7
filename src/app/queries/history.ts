import { placesOf } from '../../core/context/scope.ts';
import type { CallRow, StepRow } from '../../core/history.ts';
import { type Json, type JsonObject, stringifyJson } from '../../core/value/json.ts';
import type { Page, PageRequest } from '../../ports/records.ts';
import { cut } from '../../engine/call/exchange.ts';
import { type Answer, granted, unknownExecution } from '../answer.ts';
import { BoundCursor } from '../view/bound-cursor.ts';
import { positionText } from '../view/position.ts';
import { gatherMatching, type HistoryFilter, isRestricting, isWanted } from '../view/history-filter.ts';
import { gatherPage } from './gather-page.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';
import { bodyOf } from './shown-body.ts';
import { valueOfBody, valueOfJson } from './shown-json.ts';

/** How a history is asked for. */
export interface HistoryRequest {
  readonly page: PageRequest;
  readonly filter?: HistoryFilter;
  /** Leaves out the bodies of requests and answers. */
  readonly withoutBodies?: boolean;
}

/** A page of a history. `position`: where the events of the execution go on; on the first page of steps. */
export interface HistoryPage extends Page<JsonObject> {
  readonly position?: string;
}

/** A page of step rows, one per node visit and phase, in history order. Throws BadCursor. */
export async function listSteps(app: AppContext, id: string, request: HistoryRequest): Promise<Answer<HistoryPage>> {
  const { withoutBodies = false, page } = request;
  // Read before the rows, so that the events after it repeat some of them at most.
  const progress = page.cursor === undefined ? await app.store.getProgress(id) : undefined;
  const list = (asked: PageRequest): Promise<Page<StepRow>> => app.store.listSteps(id, { ...asked, withoutBodies });
  const show = (row: StepRow): JsonObject | undefined =>
    isListed(row) ? maskedStep(app, id, row, withoutBodies) : undefined;
  const answer = await pageOf(app, id, list, request, show);
  if (!answer.ok || progress === undefined) return answer;
  const { state, seq } = progress;
  return granted({ ...answer.value, position: positionText(id, { ord: state.ord, seq }) });
}

/** A page of attempts, in history order. Throws BadCursor. */
export function listCalls(app: AppContext, id: string, request: HistoryRequest): Promise<Answer<HistoryPage>> {
  const { withoutBodies = false } = request;
  const list = (asked: PageRequest): Promise<Page<CallRow>> => app.store.listCalls(id, asked);
  return pageOf(app, id, list, request, (row) => maskedCall(app, id, row, withoutBodies));
}

/** One attempt, masked. */
export function maskedCall(app: AppContext, id: string, row: CallRow, withoutBodies = false): JsonObject {
  return app.masker.json(callDocument(id, row, withoutBodies)) as JsonObject;
}

/** Whether lists show a row. Repeated answers of the same visit and phase exist for templates only. */
export function isListed(row: StepRow): boolean {
  return row.repeat !== true;
}

/** One step row, masked. */
export function maskedStep(app: AppContext, id: string, row: StepRow, withoutBodies = false): JsonObject {
  return app.masker.json(stepDocument(app, id, row, withoutBodies)) as JsonObject;
}

async function pageOf<T extends StepRow | CallRow>(
  app: AppContext,
  id: string,
  list: (page: PageRequest) => Promise<Page<T>>,
  { page, filter = {} }: HistoryRequest,
  document: (row: T) => JsonObject | undefined,
): Promise<Answer<Page<JsonObject>>> {
  const isFiltered = isRestricting(filter);
  const bound = new BoundCursor(isFiltered || page.order === 'desc' ? JSON.stringify([filter, page.order]) : '');
  const asked = page.cursor === undefined ? page : { ...page, cursor: bound.unbind(page.cursor) };
  const { items, rows, cursor } = isFiltered
    ? await gatherMatching(list, asked, (row) => isWanted(filter, row), document)
    : await gatherPage(list, asked, document);
  // An execution may have no rows yet; an unknown one must be refused.
  if (rows === 0 && (await app.store.getProgress(id)) === undefined) return unknownExecution(id);
  return granted({ items, ...(cursor !== undefined && { cursor: bound.bind(cursor) }) });
}

/** The fields that both kinds of rows share. */
function placeFields(row: StepRow | CallRow): JsonObject {
  return {
    stepIndex: row.index,
    stepName: row.nodeId,
    phase: row.phase,
    visit: row.visit,
    ...itemField('scope' in row ? placesOf(row.scope) : row.item),
    round: row.round,
    attempt: row.attempt,
    outcome: row.outcome,
    ...(row.statusCode !== undefined && { statusCode: row.statusCode }),
    success: row.outcome === 'succeeded',
  };
}

/** The places of the items that something belongs to, outermost first; no field outside of all loops. */
export function itemField(item: readonly number[] | undefined): { readonly item?: readonly number[] } {
  return item === undefined ? {} : { item };
}

function timeFields(row: StepRow | CallRow): JsonObject {
  return {
    startedAt: instant(row.startedAt),
    stepStartedAt: instant(row.attemptAt),
    createdAt: instant(row.at),
  };
}

function stepDocument(app: AppContext, id: string, row: StepRow, withoutBodies: boolean): JsonObject {
  return {
    id: `${id}:${String(row.ord)}`,
    ...placeFields(row),
    ...(!withoutBodies && bodyFields(app, row)),
    ...(row.note !== undefined && { note: row.note }),
    ...timeFields(row),
    latencyMs: Math.max(0, row.at - row.attemptAt),
  };
}

function bodyFields(app: AppContext, row: StepRow): JsonObject {
  const { body, isCut } = shownOf(app, row);
  return {
    ...(body !== undefined && { responseBody: body }),
    ...(isCut === true && { responseBodyTruncated: true }),
  };
}

interface StepBody {
  readonly body?: Json;
  readonly isCut?: boolean;
}

/** The body of a step: a value if it is uncut JSON, else text. */
function shownOf(app: AppContext, row: StepRow): StepBody {
  const { shown, choice } = row;
  if (shown !== undefined) {
    const { body, isJson } = shown;
    return body !== undefined && isJson === true ? { body: valueOfJson(body) } : shown;
  }
  if (row.output?.count !== undefined) return { body: { count: row.output.count } };
  // The row of the start of a child; that of its end has the result.
  if (row.child !== undefined && !row.final) return { body: { id: row.child } };
  if (choice !== undefined) {
    const { target, matchedCase } = choice;
    return { body: { target, matchedCase: matchedCase ?? null, usedDefault: matchedCase === undefined } };
  }
  return cutBodyOf(app, row);
}

function cutBodyOf({ masker, maxHistoryBody }: AppContext, row: StepRow): StepBody {
  const body = bodyOf(row);
  if (body === undefined || body === null) return {};
  // Masks before cutting, since half a secret would not be recognised.
  const masked = masker.json(body);
  const text = typeof masked === 'string' ? masked : stringifyJson(masked);
  return text.length <= maxHistoryBody ? { body: masked } : { body: cut(text, maxHistoryBody), isCut: true };
}

function callDocument(id: string, row: CallRow, withoutBodies: boolean): JsonObject {
  const { exchange } = row;
  return {
    id: `${id}:call:${String(row.callId)}`,
    callId: String(row.ord),
    ...placeFields(row),
    ...(row.error !== undefined && { error: row.error }),
    ...(row.idempotencyKey !== undefined && { idempotencyKey: row.idempotencyKey }),
    ...(exchange !== undefined && {
      requestUrl: exchange.url,
      requestVerb: exchange.verb,
      requestHeaders: exchange.requestHeaders,
      ...(!withoutBodies &&
        wireBody('requestBody', exchange.requestBody, exchange.requestBodyTruncated, exchange.requestHeaders)),
      ...(exchange.responseHeaders !== undefined && { responseHeaders: exchange.responseHeaders }),
      ...(!withoutBodies &&
        wireBody('responseBody', exchange.responseBody, exchange.responseBodyTruncated, exchange.responseHeaders)),
    }),
    ...timeFields(row),
    latencyMs: exchange?.latencyMillis ?? Math.max(0, row.at - row.attemptAt),
  };
}

/** A body as transmitted: a value if its headers declare JSON, text if it is cut. */
function wireBody(
  name: 'requestBody' | 'responseBody',
  text: string | undefined,
  isCut: boolean | undefined,
  headers: Readonly<Record<string, string>> | undefined,
): JsonObject {
  if (text === undefined) return {};
  return isCut === true ? { [name]: text, [`${name}Truncated`]: true } : { [name]: valueOfBody(text, headers) };
}
