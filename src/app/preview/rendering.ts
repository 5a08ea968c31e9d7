import { prepareCall, type PreparedCall } from '../../core/call/call.ts';
import type { OutputQuery, Outputs } from '../../core/context/outputs.ts';
import { placesOf } from '../../core/context/scope.ts';
import { forwardQueries, undoQueries } from '../../core/context/wanted.ts';
import { renderRequest } from '../../core/request/render.ts';
import type { Run } from '../../core/run.ts';
import type { State, UndoTarget } from '../../core/state.ts';
import { type JsonObject, roughSize } from '../../core/value/json.ts';
import { readAsked } from '../../engine/execution/restored-outputs.ts';
import { turns } from '../../engine/turns.ts';
import { turnFields } from '../../engine/watchdog.ts';
import { maxPageBytes } from '../../ports/listing.ts';
import type { EffectRow } from '../../ports/store.ts';
import type { AppContext } from '../context.ts';
import { itemField } from '../queries/history.ts';
import { inTurn } from '../queries/run-view.ts';
import { shownBody } from '../queries/shown-body.ts';
import { PreviewBudget } from './preview-budget.ts';

/** Replaces secrets. */
const redacted = '***';

/** Largest number of requests per preview. */
export const maxPreviews = 1000;

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

/** A page of the compensations of these effects, as they would be sent. */
export function renderAll(
  app: AppContext,
  run: Run,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  return pageOf(app, effects, range, ({ target }, budget) => renderUndo(app, run, target, budget));
}

/** A page of the requests of these effects, masked, with bodies cut as in the history. */
export async function pageOf(
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

/** Renders the compensation of a visit with the outputs that it would see. */
export async function renderUndo(
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
export async function renderForward(
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
