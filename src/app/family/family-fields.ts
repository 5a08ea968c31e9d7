import type { Json, JsonObject } from '../../core/value/json.ts';
import type { FamilyPlace, ParentLink } from '../../core/context/family.ts';
import type { Plan } from '../../core/plan.ts';
import type { ListedExecution } from '../../ports/listing.ts';
import type { ExecutionDetail, Page, PageRequest } from '../../ports/records.ts';
import { turns } from '../../engine/turns.ts';
import { type Answer, granted, unknownExecution } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { instant } from '../instants.ts';
import { startedBy } from './started-definitions.ts';

/** Children that a status document shows. */
const firstChildren = 20;

/** Where a visit of a `workflow` node stands in its execution. */
function visitDocument({ round, nodeId, visit, item }: ParentLink): Record<string, Json> {
  return { round, nodeId, visit, ...(item !== undefined && { item }) };
}

/** A child in the lists of its parent. */
function childDocument(child: ListedExecution & { readonly parent: ParentLink }): JsonObject {
  const { id, parent, name, version, status, startedAt, completedAt } = child;
  return {
    id,
    ...visitDocument(parent),
    name,
    version,
    status,
    startedAt: instant(startedAt),
    ...(completedAt !== undefined && { completedAt: instant(completedAt) }),
  };
}

async function childrenPage(
  app: AppContext,
  id: string,
  page: PageRequest,
): Promise<{ readonly items: readonly JsonObject[]; readonly cursor?: string }> {
  const { items, cursor } = await app.store.listExecutions({ parent: id }, { order: 'asc', ...page });
  const documents = await turns.map(items, (child) => {
    const { parent } = child;
    return parent === undefined ? [] : [app.masker.json(childDocument({ ...child, parent })) as JsonObject];
  });
  return { items: documents.flat(), ...(cursor !== undefined && { cursor }) };
}

/** A page of the executions that one execution started, by their start. Throws BadCursor. */
export async function listChildren(app: AppContext, id: string, page: PageRequest): Promise<Answer<Page<JsonObject>>> {
  if ((await app.store.getProgress(id)) === undefined) return unknownExecution(id);
  return granted(await childrenPage(app, id, page));
}

/** The fields of a status document about the family; those that the caller may not see are absent. */
export async function familyFields(
  app: AppContext,
  plan: Plan,
  detail: ExecutionDetail,
): Promise<Readonly<Record<string, Json>>> {
  const [place, children] = await Promise.all([placeFields(app, detail), childrenFields(app, plan, detail.id)]);
  return { ...place, ...children };
}

async function placeFields(app: AppContext, { parent, root }: FamilyPlace): Promise<Readonly<Record<string, Json>>> {
  if (parent === undefined || root === undefined) return {};
  const isSeen = async (id: string): Promise<boolean> => (await app.store.getProgress(id)) !== undefined;
  const seesParent = await isSeen(parent.id);
  const seesRoot = root === parent.id ? seesParent : await isSeen(root);
  return {
    ...(seesParent && { parent: { id: parent.id, ...visitDocument(parent) } }),
    ...(seesRoot && { root }),
  };
}

async function childrenFields(app: AppContext, plan: Plan, id: string): Promise<Readonly<Record<string, Json>>> {
  // A definition that starts nothing costs no further read.
  if (startedBy(plan).length === 0) return {};
  const { count, running, corrupted } = await app.store.countChildren(id);
  if (count === 0) return {};
  const { items } = await childrenPage(app, id, { limit: firstChildren });
  return { children: { count, running, corrupted, first: items } };
}
