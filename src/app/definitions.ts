import { isJsonObject, type Json, type JsonObject, parseJson, stringifyJson } from '../core/value/json.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { utf8Length } from '../core/value/utf8.ts';
import type { DefinitionRecord } from '../ports/store.ts';
import type { Page, PageRequest } from '../ports/records.ts';
import { type Answer, granted, refused } from './answer.ts';
import { gatherPage } from './queries/gather-page.ts';
import { instant } from './instants.ts';
import { gatherMatching } from './view/history-filter.ts';
import { cycleWarnings, storedPlans } from './family/started-definitions.ts';
import type { AppContext } from './context.ts';

/** The outcome of checking a definition. */
export interface DefinitionReport {
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Checks a definition without storing it. */
export function validateDefinition(app: AppContext, definition: Json): DefinitionReport {
  const compiled = app.plans.compile(definition);
  const mask = (sentences: readonly string[]): string[] => app.masker.json(sentences) as string[];
  return {
    valid: compiled.ok,
    errors: compiled.ok ? [] : mask(compiled.errors),
    warnings: mask(compiled.warnings),
  };
}

/**
 * Stores a definition under `id` or a new id. Stored definitions are immutable per id and per name and version. Storing
 * the same content again returns the first record. Refuses other content under the same id or the same name and
 * version, and an `id` that differs from that of the same content.
 */
export async function putDefinition(app: AppContext, definition: Json, id?: string): Promise<Answer<JsonObject>> {
  const compiled = app.plans.compile(definition);
  if (!compiled.ok) return refused('invalid_definition', ...compiled.errors);
  const now = app.clock.now();
  const { name, version, hash } = compiled.plan;
  const result = await app.store.putDefinition({
    id: id ?? app.entropy.uuid(now),
    name,
    version,
    hash,
    definition: stringifyJson(definition),
    createdAt: now,
    updatedAt: now,
  });
  if (result.kind === 'conflict') {
    return refused(
      'definition_conflict',
      result.by === 'id'
        ? `Another definition has the id ${id ?? ''}.`
        : `Another definition is stored as ${JSON.stringify(name)}, version ${JSON.stringify(version)}; definitions never change, so give this one a new version.`,
    );
  }
  if (id !== undefined && result.record.id !== id) {
    return refused('definition_conflict', `The same definition is stored under the id ${result.record.id}.`);
  }
  return granted({
    ...recordDocument(app, result.record),
    warnings: app.masker.json([...compiled.warnings, ...(await cycleWarnings(compiled.plan, storedPlans(app)))]),
  });
}

/** Finds a record by id, or by name and version (`latest`: most recently created). */
export async function findDefinition(
  app: AppContext,
  key: { readonly id: string } | { readonly name: string; readonly version: string },
): Promise<Answer<JsonObject>> {
  const record = await app.store.getDefinition(key);
  if (record !== undefined) return granted(recordDocument(app, record));
  return refused(
    'unknown_definition',
    'id' in key
      ? `There is no definition ${key.id}.`
      : `There is no definition ${JSON.stringify(key.name)} with version ${JSON.stringify(key.version)}.`,
  );
}

/** Which definitions are listed, and how. */
export interface DefinitionsRequest {
  readonly page: PageRequest;
  /** Only definitions of these names. */
  readonly names?: readonly string[];
  /** Only definitions whose name contains this, in any case. */
  readonly part?: string;
  /** Without the definitions themselves. */
  readonly isSummary: boolean;
}

/** Records that one page looks at; a page with fewer matches ends here with a cursor. */
const maxLooks = 2_000;

/** A page of records, newest first. Throws BadCursor. */
export async function listDefinitions(app: AppContext, request: DefinitionsRequest): Promise<Page<JsonObject>> {
  const { page, names, part, isSummary } = request;
  const list = (asked: PageRequest): Promise<Page<DefinitionRecord>> => app.store.listDefinitions(asked);
  const show = (record: DefinitionRecord): JsonObject =>
    isSummary ? summaryDocument(app, record) : recordDocument(app, record);
  const wanted = part?.toLowerCase();
  const isMatch = ({ name }: DefinitionRecord): boolean =>
    (names === undefined || names.includes(name)) && (wanted === undefined || name.toLowerCase().includes(wanted));
  const isAll = names === undefined && wanted === undefined;
  const { items, cursor } = isAll
    ? await gatherPage(list, page, show)
    : await gatherMatching(list, page, isMatch, show, maxLooks);
  return { items, ...(cursor !== undefined && { cursor }) };
}

/** Runs of one name that are counted; more are told as not exact. */
const maxRunning = 1_000;

const active: readonly ExecutionStatus[] = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'];

/** A page of the names of stored definitions, each with its latest version and the number of its runs that are not over. Throws BadCursor. */
export async function listDefinitionNames(app: AppContext, page: PageRequest): Promise<Page<JsonObject>> {
  const { items, cursor } = await app.store.listDefinitionNames(page);
  const documents: JsonObject[] = [];
  for (const { name, versions, latest } of items) {
    const { id, version, createdAt } = latest;
    const running = await app.store.listExecutions({ name, statuses: active }, { limit: maxRunning });
    const document = {
      name,
      versions,
      latest: { version, id, createdAt: instant(createdAt) },
      running: running.items.length,
      runningExact: running.cursor === undefined,
    };
    documents.push(app.masker.json(document) as JsonObject);
  }
  return { items: documents, ...(cursor !== undefined && { cursor }) };
}

/** What lists need of a definition. */
function summaryDocument(app: AppContext, record: DefinitionRecord): JsonObject {
  const definition = parseJson(record.definition);
  const { description, labels, nodes, steps } = isJsonObject(definition) ? definition : {};
  const parts = Array.isArray(nodes) ? nodes : steps;
  return app.masker.json({
    ...recordFields(record),
    ...(typeof description === 'string' && { description }),
    ...(labels !== undefined && labels !== null && { labels }),
    nodes: Array.isArray(parts) ? parts.length : 0,
    bytes: utf8Length(record.definition),
  }) as JsonObject;
}

/** Deletes a record, if it exists; executions keep their pinned definition. */
export async function deleteDefinition(app: AppContext, id: string): Promise<void> {
  await app.store.deleteDefinition(id);
}

/** The definition as submitted, with any secrets in it masked. */
function recordDocument(app: AppContext, record: DefinitionRecord): JsonObject {
  return app.masker.json({ ...recordFields(record), definition: parseJson(record.definition) }) as JsonObject;
}

function recordFields({ id, name, version, hash, createdAt, updatedAt }: DefinitionRecord): JsonObject {
  return { id, name, version, hash, createdAt: instant(createdAt), updatedAt: instant(updatedAt) };
}
