import type { Json, JsonObject } from '../../core/value/json.ts';
import { parseJson, stringifyJson } from '../../core/value/json.ts';
import { utf8Length } from '../../core/value/utf8.ts';
import type { Revision } from '../../ports/store/revision.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { placesOf } from '../../core/context/scope.ts';
import { itemField } from './history.ts';
import type { Plan } from '../../core/plan.ts';
import type { State } from '../../core/state.ts';
import type { StepRow } from '../../core/history.ts';
import { currentNodes } from '../../core/summary.ts';
import { hookStatus } from '../../core/delivery.ts';
import { urgentPlace } from '../../core/view/place.ts';
import { whyOf } from '../../core/view/why.ts';
import type { EffectRow } from '../../ports/store.ts';
import type { ExecutionDetail, ExecutionProgress } from '../../ports/records.ts';
import { type Answer, granted, refused, unknownExecution } from '../answer.ts';
import { compensationsOf, effectsOf, runningUndo, standingOf, undoWords } from './effects.ts';
import { changesOf } from './changes.ts';
import { awaitedDetails } from '../family/awaited.ts';
import { familyFields } from '../family/family-fields.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';
import { currentNodeDocuments, maxCurrentNodes } from '../view/current-nodes.ts';
import { positionText } from '../view/position.ts';
import { placeField, summaryFields } from '../view/summaries.ts';
import { whyFacts } from '../view/why-facts.ts';
import { planOf } from './run-view.ts';

/** Page size and pages of history rows read to report compensations, newest first. */
const historyPage = 1000;
const historyPages = 10;

/** What was read of an execution, and the revision at which it was read; no value if the caller has that of this revision. */
export interface Revised<T> {
  readonly revision: Revision;
  /** Where the events of the execution go on after this answer. */
  readonly position: string;
  readonly value?: T;
}

/** How a status document is asked for. */
export interface StatusRequest {
  /** Whether the caller has the document of a revision. */
  readonly isKnown?: ((revision: Revision) => boolean) | undefined;
  /** Leaves out payload and result, and tells their sizes in bytes. */
  readonly withoutBodies?: boolean;
}

/**
 * The masked status document of an execution. `ended`: its final state as far as the caller knows, so that its result
 * is read together with the execution; the store may have a later one.
 */
export async function statusDocument(app: AppContext, id: string, ended?: State): Promise<Answer<JsonObject>> {
  const [detail, early] = await Promise.all([app.store.getExecution(id), ended && resultOf(app, id, ended)]);
  if (detail === undefined) return unknownExecution(id);
  const result = hasSameResult(detail.state, ended) ? early : undefined;
  return granted(await documentOf(app, detail, false, result));
}

/** The masked status document of an execution with its revision. A revision that the caller has costs one small read. */
export async function revisedStatus(
  app: AppContext,
  id: string,
  { isKnown, withoutBodies = false }: StatusRequest,
): Promise<Answer<Revised<JsonObject>>> {
  if (isKnown !== undefined) {
    const progress = await app.store.getProgress(id);
    if (progress === undefined) return unknownExecution(id);
    const at = revisedAt(progress);
    if (isKnown(at.revision)) return granted(at);
  }
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  return granted({ ...revisedAt(detail), value: await documentOf(app, detail, withoutBodies) });
}

/** The revision of an execution, and where its events go on. */
export function revisedAt({ id, seq, inboxSeq, state }: ExecutionProgress): Omit<Revised<never>, 'value'> {
  return { revision: { seq, inboxSeq }, position: positionText(id, { ord: state.ord, seq }) };
}

/** `known`: the result, if it was read already. */
async function documentOf(
  app: AppContext,
  detail: ExecutionDetail,
  withoutBodies: boolean,
  known?: Json,
): Promise<JsonObject> {
  const { id } = detail;
  const plan = await planOf(app, detail);
  const { state } = detail;
  const nodes = currentNodes(plan, state);
  const [effects, result, changes, family, awaited] = await Promise.all([
    mayHaveEffects(plan, detail) ? effectsOf(app, detail) : [],
    known ?? resultOf(app, id, state),
    changesOf(app, detail),
    familyFields(app, plan, detail),
    awaitedDetails(app, nodes),
  ]);
  const place = urgentPlace(state, plan);
  const standing = standingOf(detail, effects);
  const why: JsonObject = { ...whyOf(whyFacts(app, detail, { place, plan, standing: standing.length })) };
  const document: Record<string, Json> = {
    ...summaryFields(detail),
    ...placeField(place),
    why,
    ...family,
    retryable: isRetryable(detail),
    currentNodes: currentNodeDocuments(nodes, awaited),
    ...(nodes.length > maxCurrentNodes && { more: nodes.length - maxCurrentNodes }),
    compensations: await compensationDocuments(app, detail, effects),
    standing: standing.map(({ target, effect, child }) => ({
      nodeId: target.nodeId,
      visit: target.visit,
      ...itemField(placesOf(target.scope)),
      round: target.round,
      outcome: effect ?? 'unknown',
      ...(child !== undefined && { child }),
    })),
    ...(changes.length > 0 && { changes }),
    ...hookDocument(detail.state),
    ...(withoutBodies ? bodySizes(detail, result) : bodies(detail, result)),
    labels: detail.labels,
  };
  return app.masker.json(document) as JsonObject;
}

function bodies({ payload }: ExecutionDetail, result: Json | undefined): Record<string, Json> {
  return { payload: parseJson(payload), ...(result !== undefined && { result }) };
}

function bodySizes({ payload }: ExecutionDetail, result: Json | undefined): Record<string, Json> {
  return {
    payloadBytes: utf8Length(payload),
    ...(result !== undefined && { resultBytes: utf8Length(stringifyJson(result)) }),
  };
}

/** A child is retried with its parent, unless it is CORRUPTED. */
function isRetryable({ status, parent }: ExecutionDetail): boolean {
  return status === 'CORRUPTED' || (parent === undefined && (status === 'FAILED' || status === 'CANCELLED'));
}

/** The state of the hook called at the end; empty before the end, and for an end without a hook. */
function hookDocument(state: State): Readonly<Record<string, Json>> {
  const hook = hookStatus(state);
  if (hook === undefined) return {};
  const { nextAt, attempts } = hook;
  return { hook: { state: hook.state, attempts, ...(nextAt !== undefined && { nextAt: instant(nextAt) }) } };
}

/** The masked definition that the execution is pinned to, as JSON text. */
export async function pinnedDefinition(app: AppContext, id: string): Promise<Answer<string>> {
  const detail = await app.store.getProgress(id);
  if (detail === undefined) return unknownExecution(id);
  const text = await app.store.getDefinitionBody(detail.definitionHash);
  return text === undefined
    ? refused('unknown_definition', `The definition of ${id} is gone.`)
    : granted(stringifyJson(app.masker.json(parseJson(text))));
}

/** Whether to read effects. False before the first failure, so that a successful run never reads its effects. */
function mayHaveEffects(plan: Plan, detail: ExecutionDetail): boolean {
  const { state } = detail;
  if (state.end !== undefined && state.end.status !== 'SUCCEEDED') return true;
  if (detail.status === 'COMPENSATING' || state.tokens.some(({ stage }) => stage.kind === 'unwinding')) return true;
  for (const node of plan.nodes.values()) {
    if (node.onFailure !== undefined) return true;
    if (node.kind === 'join' && node.onBranchFailure === 'continue') return true;
  }
  return false;
}

function hasSameResult({ round, result }: State, other: State | undefined): boolean {
  return round === other?.round && result?.ord === other.result?.ord;
}

async function resultOf(app: AppContext, id: string, state: State): Promise<Json | undefined> {
  const ref = state.end === undefined ? undefined : state.result;
  if (ref === undefined) return undefined;
  const rows = await app.store.readOutputs(id, state.round, [{ nodeId: ref.nodeId, at: ref.ord }]);
  return Outputs.empty.with(rows).at(ref)?.response?.body;
}

async function compensationDocuments(
  app: AppContext,
  detail: ExecutionDetail,
  effects: readonly EffectRow[],
): Promise<readonly JsonObject[]> {
  const compensations = compensationsOf(detail, effects);
  const ran = compensations.filter(({ undo }) => undo !== 'pending' && undo !== 'reopened').length;
  const rows = ran === 0 ? new Map<string, StepRow>() : await downRows(app, detail.id, detail.state, ran);
  const running = runningUndo(detail.state);
  return compensations.map(({ target, undo }) => {
    const row = undo === 'pending' || undo === 'reopened' ? undefined : rows.get(visitKey(target));
    const error = undo === 'failed' ? (row?.note ?? row?.output?.failure?.reason) : undefined;
    return {
      nodeId: target.nodeId,
      visit: target.visit,
      ...itemField(placesOf(target.scope)),
      state: undoWords[undo ?? 'pending'],
      attempts: running.get(target.ord) ?? row?.attempt ?? 0,
      ...(row?.statusCode !== undefined && { statusCode: row.statusCode }),
      ...(error !== undefined && { error }),
    };
  });
}

/** The latest DOWN row of each visit of this round. */
async function downRows(app: AppContext, id: string, state: State, wanted: number): Promise<Map<string, StepRow>> {
  const found = new Map<string, StepRow>();
  let cursor: string | undefined;
  for (let page = 0; page < historyPages && found.size < wanted; page++) {
    const { items, cursor: next } = await app.store.listSteps(id, {
      limit: historyPage,
      order: 'desc',
      withoutBodies: true,
      ...(cursor !== undefined && { cursor }),
    });
    for (const row of items) {
      const key = visitKey(row);
      if (row.phase === 'DOWN' && row.round === state.round && !found.has(key)) found.set(key, row);
    }
    if (next === undefined) break;
    cursor = next;
  }
  return found;
}

function visitKey({ nodeId, visit }: { readonly nodeId: string; readonly visit: number }): string {
  return `${String(visit)} ${nodeId}`;
}
