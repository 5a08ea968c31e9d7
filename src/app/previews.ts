/**
 * What a cancel or a retry would do, as requests that are rendered and redacted but not sent.
 *
 * A cancel runs compensations: those that are pending, in the order of the engine, with what each would see. A retry of
 * a CORRUPTED execution runs its unfinished ones; of any other it begins anew, so what matters are the effects that stand,
 * shown as the requests that made them.
 */
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
import type { DeskParts } from './parts.ts';
import { readAsked } from '../engine/execution/restored-outputs.ts';
import { turnFields } from '../engine/watchdog.ts';
import { PreviewBudget } from './preview-budget.ts';
import { decidingEnv, inTurn, isOver, runOf } from './queries/run-view.ts';
import { shownBody } from './queries/shown-body.ts';

/** What stands in the place of a secret. */
const redacted = '***';

/** Requests shown of one preview at most. */
export const maxPreviews = 1000;

/** Attempts read back to find the requests of effects that stand. */
const callPage = 1000;
const callPages = 10;

/** Characters of those requests that are kept meanwhile: enough for a page. The others are rendered anew when it is their turn. */
const maxFoundCalls = 2 * maxPageBytes;

/** Which of the requests: so many, after so many. */
export interface PreviewRange {
  readonly skip: number;
  /** At least 1. */
  readonly limit: number;
}

/** Some of the requests; `next` is how many to skip for those after them, absent when there are none. */
export interface PreviewPage {
  readonly items: readonly JsonObject[];
  readonly next?: number;
}

/** The compensations that a cancel would run now, in order. Calls in flight are left out: nobody knows yet what they did. */
export async function cancelPreview(parts: DeskParts, id: string, range: PreviewRange): Promise<Answer<PreviewPage>> {
  const detail = await parts.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  if (isOver(detail) || detail.state.verdict !== undefined) {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be cancelled.`);
  }
  const run = await runOf(parts, detail);
  // What a cancel itself settles (a node that waits for its callback becomes unknown) is compensated too.
  const cancelled = apply(run, { type: 'cancelled' }, decidingEnv(parts));
  const written = await parts.store.listEffects(id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending', 'reopened'],
  });
  const pending = [...written, ...cancelled.steps.flatMap(effectOf).filter(({ undo }) => undo === 'pending')];
  return granted(await renderAll(parts, { ...run, state: cancelled.state }, inUndoOrder(pending), range));
}

/** The unfinished compensations of a CORRUPTED execution, or the effects that stand, in the order in which they were made. */
export async function retryPreview(parts: DeskParts, id: string, range: PreviewRange): Promise<Answer<PreviewPage>> {
  const detail = await parts.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  if (!isOver(detail) || detail.status === 'SUCCEEDED') {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be retried.`);
  }
  if (detail.status !== 'CORRUPTED') {
    return granted(await standingRequests(parts, detail, await effectsOf(parts, detail), range));
  }
  const unfinished = inUndoOrder(await unfinishedOf(parts, detail));
  return granted(await renderAll(parts, await runOf(parts, detail), unfinished, range));
}

/** A step row not written yet as the effect that it would be. */
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
      mutating: true,
      undo: row.undo,
      ...(row.undoRank !== undefined && { undoRank: row.undoRank }),
      ...(row.undoSort !== undefined && { undoSort: row.undoSort }),
    },
  ];
}

function renderAll(
  parts: DeskParts,
  run: Run,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  return pageOf(parts, effects, range, ({ target }, budget) => renderUndo(parts, run, target, budget));
}

/** The requests of these effects from a place on, masked, their bodies cut as those of the history are, until the page is full. */
async function pageOf(
  parts: DeskParts,
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
    const document = parts.masker.json(withCutBody(parts, request)) as JsonObject;
    size += roughSize(document, maxPageBytes);
    if (items.length === limit || (items.length > 0 && size > maxPageBytes)) return { items, next: i };
    items.push(document);
  }
  return { items };
}

function withCutBody(parts: DeskParts, request: JsonObject): JsonObject {
  const { body } = request;
  if (typeof body !== 'string' || body.length <= parts.maxHistoryBody) return request;
  return { ...request, body: shownBody(body, parts).body ?? null, bodyTruncated: true };
}

async function renderUndo(
  parts: DeskParts,
  run: Run,
  target: UndoTarget,
  budget: PreviewBudget,
): Promise<JsonObject | undefined> {
  const undoOutputs = await outputsFor(parts, run, target, undoQueries(run.plan, run.state, target));
  const prepared = prepareCall(
    { ...run, state: compensating(run.state, target) },
    { type: 'call', callId: 1, tokenId: 1, phase: 'DOWN', nodeId: target.nodeId, visit: target.visit, attempt: 1 },
    { resolver: { variable: parts.variable, secret: () => redacted }, undoOutputs },
  );
  return prepared && requestOf(parts, run, prepared, target, budget);
}

/** The request of a visit whose call was given up, or cut short with its process: as it must have been. */
async function renderForward(
  parts: DeskParts,
  run: Run,
  target: UndoTarget,
  budget: PreviewBudget,
): Promise<JsonObject | undefined> {
  const outputs = await outputsFor(parts, run, target, forwardQueries(run.plan, run.state, target));
  const prepared = prepareCall(
    { ...run, outputs, state: calling(run.state, target) },
    { type: 'call', callId: 1, tokenId: 1, phase: 'UP', nodeId: target.nodeId, visit: target.visit, attempt: 1 },
    {
      resolver: { variable: parts.variable, secret: () => redacted },
      callback: { url: redacted, token: redacted, signedUrl: redacted },
    },
  );
  return prepared && requestOf(parts, run, prepared, target, budget);
}

function outputsFor(
  { store: reads, maxOutputBytes }: DeskParts,
  run: Run,
  { round }: UndoTarget,
  queries: readonly OutputQuery[],
): Promise<Outputs> {
  return readAsked({ reads, maxOutputBytes }, run.header.id, round, queries);
}

async function requestOf(
  parts: DeskParts,
  run: Run,
  prepared: PreparedCall,
  { nodeId, visit }: UndoTarget,
  budget: PreviewBudget,
): Promise<JsonObject> {
  const { request } = prepared.call;
  const rendered = await inTurn(
    parts,
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
  if (rendered.kind === 'unsent') {
    return { nodeId, visit, verb: request.verb, url: '', headers: {}, body: null, error: rendered.reason };
  }
  const { verb, url, headers, body } = rendered;
  const authorization = prepared.call.auth === undefined ? undefined : { authorization: redacted };
  return {
    nodeId,
    visit,
    verb,
    url,
    headers: parts.masker.headers(merged(headers, { ...prepared.headers, ...authorization })),
    body: body ?? null,
  };
}

/** A header that the definition has itself wins over Trama's of the same name. */
function merged(
  own: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Record<string, string> {
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  return { ...Object.fromEntries(Object.entries(added).filter(([name]) => !names.has(name))), ...own };
}

/** The state as it would be while this compensation runs. */
function compensating(state: State, target: UndoTarget): State {
  const at = state.now;
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

/** The state as it was while this visit's call ran. */
function calling(state: State, { scope, nodeId, visit, round, key, prev }: UndoTarget): State {
  const at = state.now;
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

/** The requests that made the effects that stand, as the history recorded them; those it did not see are rendered anew. */
async function standingRequests(
  parts: DeskParts,
  detail: ExecutionDetail,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  const standing = standingOf(detail, effects).slice(0, maxPreviews);
  const wanted = standing.slice(range.skip);
  const calls = wanted.length === 0 ? new Map<string, FoundCall>() : await forwardCalls(parts, detail.id, wanted);
  let run: Run | undefined;
  return pageOf(parts, standing, range, async ({ target }, budget) => {
    const { nodeId, visit } = target;
    const found = calls.get(callKey(target));
    if (found === undefined) run ??= await runOf(parts, detail);
    const request = found ?? (run && (await renderForward(parts, run, target, budget)));
    return request && { nodeId, visit, ...request, stands: true };
  });
}

/** What a preview shows of an exchange. */
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
  parts: DeskParts,
  id: string,
  standing: readonly EffectRow[],
): Promise<ReadonlyMap<string, FoundCall>> {
  const wanted = new Set(standing.map(({ target }) => callKey(target)));
  const found = new Map<string, FoundCall>();
  let size = 0;
  let cursor: string | undefined;
  for (let page = 0; page < callPages && found.size < wanted.size && size < maxFoundCalls; page++) {
    const { items, cursor: next } = await parts.store.listCalls(id, {
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
