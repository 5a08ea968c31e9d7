import type { Json, JsonObject } from '../../core/value/json.ts';
import { needsPlan, type Place, urgentPlace } from '../../core/view/place.ts';
import { whyOf } from '../../core/view/why.ts';
import type { ExecutionPageRequest, ListedExecution } from '../../ports/listing.ts';
import type { Page } from '../../ports/records.ts';
import { turns } from '../../engine/turns.ts';
import { findExecutions, type FindFilter } from '../queries/find.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';
import { whyFacts } from './why-facts.ts';

/** The fields that lists and documents share. */
export function summaryFields(record: ListedExecution): Record<string, Json> {
  return {
    id: record.id,
    name: record.name,
    version: record.version,
    definitionHash: record.definitionHash,
    status: record.status,
    round: record.round,
    startedAt: instant(record.startedAt),
    updatedAt: instant(record.updatedAt),
    ...(record.completedAt !== undefined && {
      completedAt: instant(record.completedAt),
      durationMillis: Math.max(0, record.completedAt - record.startedAt),
    }),
    ...(record.failureDescription !== undefined && { failureDescription: record.failureDescription }),
    ...(record.reason !== undefined && { reason: record.reason }),
    ...(record.failedNodeId !== undefined && { failedNodeId: record.failedNodeId }),
    ...(record.state?.verdict?.item !== undefined && { failedItem: record.state.verdict.item }),
    ...(record.callbackWarning !== undefined && { callbackWarning: record.callbackWarning }),
    ...(record.state?.failedCompensations !== undefined && {
      failedCompensations: record.state.failedCompensations.map(({ nodeId, visit }) => ({ nodeId, visit })),
    }),
  };
}

/** Where an execution stands, as lists and documents show it; no field once it is over. */
export function placeField(place: Place | undefined): { readonly place?: JsonObject } {
  if (place === undefined) return {};
  const { state, nodeId, since, until, detail, host } = place;
  return {
    place: {
      state,
      nodeId,
      since: instant(since),
      ...(until !== undefined && { until: instant(until) }),
      ...(detail !== undefined && { detail }),
      ...(host !== undefined && { host }),
    },
  };
}

/** A page of masked summaries, newest first. Throws BadCursor. */
export async function listExecutions(
  app: AppContext,
  filter: FindFilter,
  page: ExecutionPageRequest,
): Promise<Page<JsonObject> & { readonly scanned?: number }> {
  const { items, cursor, scanned } = await findExecutions(app, filter, { ...page, withState: 'unlessSucceeded' });
  const documents: JsonObject[] = [];
  for (const record of items) {
    await turns.next();
    documents.push(await summaryDocument(app, record));
  }
  return { items: documents, ...(cursor !== undefined && { cursor }), ...(scanned !== undefined && { scanned }) };
}

/** The masked summary of an execution, whose state the record has unless it has SUCCEEDED. */
async function summaryDocument(app: AppContext, record: ListedExecution): Promise<JsonObject> {
  const place = await placeOfRecord(app, record);
  const { headline } = whyOf(whyFacts(app, record, { place }));
  const document = { ...summaryFields(record), ...placeField(place), why: { headline }, labels: record.labels };
  return app.masker.json(document) as JsonObject;
}

/** The place of an execution; a plan is read only where it names the place. */
async function placeOfRecord(app: AppContext, { state, definitionHash }: ListedExecution): Promise<Place | undefined> {
  if (state === undefined) return undefined;
  return urgentPlace(state, needsPlan(state) ? await app.plans.load(definitionHash) : undefined);
}
