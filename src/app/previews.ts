import { apply } from '../core/apply.ts';
import { prepareCall, type PreparedCall } from '../core/call/call.ts';
import type { Run } from '../core/run.ts';
import type { CallRow, Exchange, StepRow } from '../core/history.ts';
import { type JsonObject, roughSize } from '../core/value/json.ts';
import type { OutputQuery, Outputs } from '../core/context/outputs.ts';
import { renderRequest } from '../core/request/render.ts';
import type { State, UndoTarget } from '../core/state.ts';
import { forwardQueries, undoQueries } from '../core/context/wanted.ts';
import { maxPageBytes } from '../ports/listing.ts';
import type { EffectRow } from '../ports/store.ts';
import type { ExecutionDetail } from '../ports/records.ts';
import { turns } from '../engine/turns.ts';
import { type Answer, granted, refused, unknownExecution } from './answer.ts';
import { effectsOf, inUndoOrder, standingOf, unfinishedOf } from './queries/effects.ts';
import { refuseChild } from './family/refuse-child.ts';
import type { AppContext } from './context.ts';
import { readAsked } from '../engine/execution/restored-outputs.ts';
import { turnFields } from '../engine/watchdog.ts';
import { placesOf } from '../core/context/scope.ts';
import { itemField } from './queries/history.ts';
import { PreviewBudget } from './preview-budget.ts';
import { undoConflict } from './settle.ts';
import { decidingEnv, inTurn, isOver, runOf } from './queries/run-view.ts';
import { shownBody } from './queries/shown-body.ts';

/** Replaces secrets. */
const redacted = '***';

/** Largest number of requests per preview. */
export const maxPreviews = 1000;

/** Page size and pages of attempts read to find the requests of standing effects. */
const callPage = 1000;
const callPages = 10;

/**
 * Characters of found requests kept in memory: enough for a page. Further requests are rendered again when a page needs
 * them.
 */
const maxFoundCalls = 2 * maxPageBytes;

/** The requested range of requests. */
export interface PreviewRange {
  readonly skip: number;
  /** At least 1. */
  readonly limit: number;
}

/**
 * A page of requests, rendered and redacted, but not sent; `next` is the number to skip for the next page, absent on
 * the last one.
 */
export interface PreviewPage {
  readonly items: readonly JsonObject[];
  readonly next?: number;
}

/**
 * The compensations that a cancel would run now, in the engine's order and with the outputs that each would see.
 * Excludes calls in flight, whose effect is still unknown.
 */
export async function cancelPreview(app: AppContext, id: string, range: PreviewRange): Promise<Answer<PreviewPage>> {
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  if (isOver(detail) || detail.state.verdict !== undefined) {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be cancelled.`);
  }
  const run = await runOf(app, detail);
  // Includes effects that the cancel itself settles: a node that waits for its callback becomes unknown.
  const cancelled = apply(run, { type: 'cancelled' }, decidingEnv(app));
  const written = await app.store.listEffects(id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending', 'reopened'],
  });
  const pending = [...written, ...cancelled.steps.flatMap(effectOf).filter(({ undo }) => undo === 'pending')];
  return granted(await renderAll(app, { ...run, state: cancelled.state }, inUndoOrder(pending), range));
}

/** The compensations that an undo would run, in the engine's order. */
export async function undoPreview(app: AppContext, id: string, range: PreviewRange): Promise<Answer<PreviewPage>> {
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  if (detail.status !== 'SUCCEEDED') return refused('state_conflict', undoConflict(detail));
  const run = await runOf(app, detail);
  const { state } = apply(run, { type: 'undone', reason: '' }, decidingEnv(app));
  const pending = await app.store.listEffects(id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending'],
  });
  return granted(await renderAll(app, { ...run, state }, inUndoOrder(pending), range));
}

/**
 * The preview of a retry. A retry of a CORRUPTED execution runs its unfinished compensations. Any other retry starts a
 * new round, so the preview shows the standing effects, in the order in which they were made, as the requests that made
 * them.
 */
export async function retryPreview(app: AppContext, id: string, range: PreviewRange): Promise<Answer<PreviewPage>> {
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  if (!isOver(detail) || detail.status === 'SUCCEEDED') {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be retried.`);
  }
  const refusal = await refuseChild(app, detail);
  if (refusal !== undefined) return refusal;
  if (detail.status !== 'CORRUPTED') {
    return granted(await standingRequests(app, detail, await effectsOf(app, detail), range));
  }
  const unfinished = inUndoOrder(await unfinishedOf(app, detail));
  return granted(await renderAll(app, await runOf(app, detail), unfinished, range));
}

/** The effect of a step row that is not stored yet. */
function effectOf(row: StepRow): EffectRow[] {
  if (row.undo === undefined || row.outcome === 'pending' || row.outcome === 'unsent') return [];
  const target: UndoTarget = {
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    ord: row.ord,
    scope: row.scope,
    outcome: row.outcome,
    key: row.key ?? '',
    ...(row.prev !== undefined && { prev: row.prev }),
  };
  return [
    {
      target,
      begunAt: row.begunAt ?? row.startedAt,
      mutating: true,
      undo: row.undo,
      ...(row.undoRank !== undefined && { undoRank: row.undoRank }),
      ...(row.undoSort !== undefined && { undoSort: row.undoSort }),
    },
  ];
}

function renderAll(
  app: AppContext,
  run: Run,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  return pageOf(app, effects, range, ({ target }, budget) => renderUndo(app, run, target, budget));
}

/** A page of the requests of these effects, masked, with bodies cut as in the history. */
async function pageOf(
  app: AppContext,
  effects: readonly EffectRow[],
  { skip, limit }: PreviewRange,
  requestOfEffect: (effect: EffectRow, budget: PreviewBudget) => Promise<JsonObject | undefined>,
): Promise<PreviewPage> {
  const items: JsonObject[] = [];
  const budget = new PreviewBudget();
  let size = 0;
  for (const [i, effect] of effects.slice(0, maxPreviews).entries()) {
    if (i < skip) continue;
    if (items.length > 0 && budget.isSpent) return { items, next: i };
    await turns.next();
    const request = await requestOfEffect(effect, budget);
    if (request === undefined) continue;
    const document = app.masker.json(withCutBody(app, request)) as JsonObject;
    size += roughSize(document, maxPageBytes);
    if (items.length === limit || (items.length > 0 && size > maxPageBytes)) return { items, next: i };
    items.push(document);
  }
  return { items };
}

function withCutBody(app: AppContext, request: JsonObject): JsonObject {
  const { body } = request;
  if (typeof body !== 'string' || body.length <= app.maxHistoryBody) return request;
  return { ...request, body: shownBody(body, app).body ?? null, bodyTruncated: true };
}

async function renderUndo(
  app: AppContext,
  run: Run,
  target: UndoTarget,
  budget: PreviewBudget,
): Promise<JsonObject | undefined> {
  const undoOutputs = await outputsFor(app, run, target, undoQueries(run.plan, run.state, target));
  const prepared = prepareCall(
    { ...run, state: compensating(run.state, target, app.clock.now()) },
    { type: 'call', callId: 1, tokenId: 1, phase: 'DOWN', nodeId: target.nodeId, visit: target.visit, attempt: 1 },
    {
      resolver: { variable: app.variable, secret: () => redacted, maskJson: (value) => app.masker.json(value) },
      undoOutputs,
    },
  );
  return prepared && requestOf(app, run, prepared, target, budget);
}

/** Renders the request of a visit again, for a call that was given up or interrupted with its process. */
async function renderForward(
  app: AppContext,
  run: Run,
  { target, begunAt }: EffectRow,
  budget: PreviewBudget,
): Promise<JsonObject | undefined> {
  const outputs = await outputsFor(app, run, target, forwardQueries(run.plan, run.state, target));
  const prepared = prepareCall(
    { ...run, outputs, state: calling(run.state, target, begunAt) },
    { type: 'call', callId: 1, tokenId: 1, phase: 'UP', nodeId: target.nodeId, visit: target.visit, attempt: 1 },
    {
      resolver: { variable: app.variable, secret: () => redacted, maskJson: (value) => app.masker.json(value) },
      callback: { url: redacted, token: redacted, signedUrl: redacted },
    },
  );
  return prepared && requestOf(app, run, prepared, target, budget);
}

function outputsFor(
  { store: reads, maxOutputBytes }: AppContext,
  run: Run,
  { round }: UndoTarget,
  queries: readonly OutputQuery[],
): Promise<Outputs> {
  return readAsked({ reads, maxOutputBytes }, run.header.id, round, queries);
}

async function requestOf(
  app: AppContext,
  run: Run,
  prepared: PreparedCall,
  { nodeId, visit, scope }: UndoTarget,
  budget: PreviewBudget,
): Promise<JsonObject> {
  const { request } = prepared.call;
  const rendered = await inTurn(
    app,
    (meter) =>
      renderRequest(request, prepared.context, undefined, {
        charge: (steps, bytes) => {
          budget.charge(steps, bytes);
          meter?.charge(steps, bytes);
        },
      }),
    'preview',
    () => turnFields(run, nodeId),
  );
  const place = { nodeId, visit, ...itemField(placesOf(scope)) };
  if (rendered.kind === 'unsent') {
    return { ...place, verb: request.verb, url: '', headers: {}, body: null, error: rendered.reason };
  }
  const { verb, url, headers, body } = rendered;
  const authorization = prepared.call.auth === undefined ? undefined : { authorization: redacted };
  return {
    ...place,
    verb,
    url,
    headers: app.masker.headers(merged(headers, { ...prepared.headers, ...authorization })),
    body: body ?? null,
  };
}

/** Merges headers; a header of the definition wins over Trama's of the same name. */
function merged(
  own: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Record<string, string> {
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  return { ...Object.fromEntries(Object.entries(added).filter(([name]) => !names.has(name))), ...own };
}

/** The state in which this compensation would run. */
function compensating(state: State, target: UndoTarget, at: number): State {
  const undo = { target, startedAt: at, attemptAt: at, attempt: 1, retries: 0, waits: 0 };
  return {
    ...state,
    tokens: [
      {
        id: 1,
        scope: target.scope,
        nodeId: target.nodeId,
        stage: { kind: 'unwinding', since: at, goal: { kind: 'end' }, troubles: 0, undo, callId: 1 },
      },
    ],
  };
}

/** The state in which the call of this visit ran. */
function calling(state: State, { scope, nodeId, visit, round, key, prev }: UndoTarget, at: number): State {
  const task = {
    visit,
    key,
    startOrd: 1,
    startedAt: at,
    attemptAt: at,
    attempt: 1,
    retries: 0,
    waits: 0,
    operation: 1,
  };
  return {
    ...state,
    round,
    tokens: [
      { id: 1, scope, nodeId, ...(prev !== undefined && { prev }), stage: { kind: 'calling', callId: 1, task } },
    ],
  };
}

/** The requests of the standing effects, as the history recorded them; a request without a record is rendered again. */
async function standingRequests(
  app: AppContext,
  detail: ExecutionDetail,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  const standing = standingOf(detail, effects).slice(0, maxPreviews);
  const wanted = standing.slice(range.skip);
  const calls = wanted.length === 0 ? new Map<string, FoundCall>() : await forwardCalls(app, detail.id, wanted);
  let run: Run | undefined;
  return pageOf(app, standing, range, async (effect, budget) => {
    const { target } = effect;
    const { nodeId, visit } = target;
    const found = calls.get(callKey(target));
    if (found === undefined) run ??= await runOf(app, detail);
    const request = found ?? (run && (await renderForward(app, run, effect, budget)));
    return request && { nodeId, visit, ...request, stands: true };
  });
}

/** The part of an exchange that a preview shows. */
type FoundCall = JsonObject;

function foundCall({ verb, url, requestHeaders, requestBody, requestBodyTruncated }: Exchange): FoundCall {
  return {
    verb,
    url,
    headers: requestHeaders,
    body: requestBody ?? null,
    ...(requestBodyTruncated === true && { bodyTruncated: true }),
  };
}

async function forwardCalls(
  app: AppContext,
  id: string,
  standing: readonly EffectRow[],
): Promise<ReadonlyMap<string, FoundCall>> {
  const wanted = new Set(standing.map(({ target }) => callKey(target)));
  const found = new Map<string, FoundCall>();
  let size = 0;
  let cursor: string | undefined;
  for (let page = 0; page < callPages && found.size < wanted.size && size < maxFoundCalls; page++) {
    const { items, cursor: next } = await app.store.listCalls(id, {
      limit: callPage,
      order: 'desc',
      ...(cursor !== undefined && { cursor }),
    });
    for (const row of items) {
      const key = callKey(row);
      if (row.phase !== 'UP' || row.exchange === undefined || !wanted.has(key) || found.has(key)) continue;
      const call = foundCall(row.exchange);
      size += roughSize(call, maxFoundCalls);
      found.set(key, call);
    }
    if (next === undefined) break;
    cursor = next;
  }
  return found;
}

function callKey({ nodeId, visit, round }: Pick<CallRow, 'nodeId' | 'visit' | 'round'>): string {
  return `${String(round)} ${String(visit)} ${nodeId}`;
}
