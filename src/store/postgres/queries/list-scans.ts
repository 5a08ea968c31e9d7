/**
 * The ordered index scans that a list of executions merges: each stops after a page.
 */
import type { ExecutionStatus } from '../../../core/state.ts';
import type { ExecutionFilter } from '../../../ports/store.ts';
import { activeStatuses, standingIs, terminalStatuses } from '../../row-text.ts';
import { int4Array, textArray } from '../columns/binary-array.ts';
import { lowestIdAt } from '../columns/execution-id.ts';
import { aheadMillis, endedLate, promptMillis, startedLate } from '../columns/late-ends.ts';
import { encodeText } from '../columns/text-column.ts';
import { isLookedUp } from './looked-up.ts';

/** Maximum number of merged scans; more combinations of status and definition are found in two steps, see {@link mergedScan}. */
const maxScans = 24;

/** All statuses. */
export const everyStatus: readonly ExecutionStatus[] = [...activeStatuses, ...terminalStatuses];

/** Statuses that the index by status leaves out, as most executions have them. */
export const isCommon = (status: ExecutionStatus): boolean => status === 'IN_PROGRESS' || status === 'SUCCEEDED';

/** The conditions of the indexes. */
const hookSql: Readonly<Record<NonNullable<ExecutionFilter['hook']>, string>> = {
  pending: 'e.due_at IS NOT NULL AND e.completed_at IS NOT NULL',
  failed: 'e.callback_warning IS NOT NULL AND e.due_at IS NULL AND e.completed_at IS NOT NULL',
};

/** Builds the text of a statement; every value becomes a parameter. */
export class StatementText {
  readonly values: unknown[] = [];

  /** Adds a value and returns its placeholder. */
  value(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

function timeConditions(text: StatementText, filter: ExecutionFilter): string[] {
  const found: string[] = [];
  const add = (column: string, comparison: string, at: number | undefined): void => {
    if (at !== undefined) found.push(`e.${column} ${comparison} ${text.value(at)}::bigint`);
  };
  add('started_at', '>=', filter.startedAfter);
  add('started_at', '<', filter.startedBefore);
  add('completed_at', '>=', filter.completedAfter);
  add('completed_at', '<', filter.completedBefore);
  return [...found, ...idBound(text, filter)];
}

/** The bounds of ids: of executions that began or ended before an instant, and those of the filter itself. */
function idBound(
  text: StatementText,
  { startedBefore = Infinity, completedBefore = Infinity, ids }: ExecutionFilter,
): string[] {
  const before = Math.min(startedBefore, completedBefore);
  const within =
    ids === undefined ? [] : [`e.id >= ${text.value(ids[0])}::uuid`, `e.id <= ${text.value(ids[1])}::uuid`];
  if (within.length > 0) return [...within, ...idBound(text, { startedBefore, completedBefore })];
  return before < Number.MAX_SAFE_INTEGER ? [`e.id < ${text.value(lowestIdAt(before + aheadMillis))}::uuid`] : [];
}

/** Conditions that an index of few rows may answer, without labels. */
export function rareConditions(text: StatementText, filter: ExecutionFilter): string[] {
  const found: string[] = [];
  if (filter.reason !== undefined) found.push(`e.reason = ${text.value(encodeText(filter.reason))}`);
  if (filter.failedNodeId !== undefined) {
    found.push(`e.failed_node_id = ${text.value(encodeText(filter.failedNodeId))}`);
  }
  if (filter.parent !== undefined) found.push(`e.parent = ${text.value(filter.parent)}::uuid`);
  if (filter.standing !== undefined && filter.standing !== false)
    found.push(`e.standing ${standingIs(filter.standing)}`);
  if (filter.hook !== undefined) found.push(hookSql[filter.hook]);
  return found;
}

/** The conditions that all scans share, without labels. */
function conditions(text: StatementText, filter: ExecutionFilter): string[] {
  const standing = filter.standing === false ? ['e.standing = 0'] : [];
  const root = filter.root === undefined ? [] : [`e.parent IS ${filter.root ? '' : 'NOT '}NULL`];
  return [...timeConditions(text, filter), ...rareConditions(text, filter), ...standing, ...root];
}

/** Conditions of executions with ids near an instant, and of those that began or ended long after their creation, if asked for. */
interface Spans {
  readonly near: readonly string[];
  readonly late?: readonly string[];
}

function spans(text: StatementText, filter: ExecutionFilter): Spans {
  const { startedAfter = -Infinity, completedAfter = -Infinity } = filter;
  const after = Math.max(startedAfter, completedAfter);
  if (after === -Infinity) return { near: [] };
  const lowest = text.value(lowestIdAt(after - promptMillis));
  const late = startedAfter === after ? startedLate : endedLate;
  return { near: [`e.id >= ${lowest}::uuid`], late: [`e.id < ${lowest}::uuid`, late] };
}

/**
 * One subselect for all labels, which leaves the planner no choice: with one join per label it considers all join orders, which
 * took 21 s for 50 labels. The full key of each is known, so each label is one index lookup.
 */
function hasLabels(text: StatementText, labels: readonly (readonly [string, string])[]): string {
  const keys = text.value(textArray(labels.map(([key]) => encodeText(key))));
  const values = text.value(textArray(labels.map(([, value]) => encodeText(value))));
  return `(
    SELECT count(*) FROM unnest(${keys}::text[], ${values}::text[]) AS w (key, value)
    CROSS JOIN LATERAL (
      SELECT 1 FROM label WHERE key = w.key AND value = w.value AND execution = e.id OFFSET 0
    ) o
  ) = ${String(labels.length)}`;
}

/** Which statuses and definitions a list is restricted to. */
export interface Keys {
  readonly statuses: readonly ExecutionStatus[] | undefined;
  /** Numbers of definitions. */
  readonly bodies: readonly number[] | undefined;
  /** All of them, where they are needed. */
  readonly everyBody: readonly number[];
}

/** The labels of a filter. */
export const labelsOf = ({ labels = {} }: ExecutionFilter): readonly (readonly [string, string])[] =>
  Object.entries(labels);

/** The condition of the index of labels. */
export const labelIs = (text: StatementText, [key, value]: readonly [string, string]): string =>
  `key = ${text.value(encodeText(key))} AND value = ${text.value(encodeText(value))}`;

/** Where a list begins: the ids in a bounded stretch, the statuses and definitions, or any other condition. */
export type Way = 'ids' | 'keys' | 'other';

/** Ids that the way `ids` looks at. */
export const stretch = 2000;

/** Index entries that a page of the way `other` compares beside those that it shows. */
const maxCompared = 1000;

/** Where a page begins, how many rows it needs at most, and in which order. */
export interface Range {
  readonly order: 'asc' | 'desc';
  readonly most: number;
  readonly after: string | undefined;
}

/** What all scans of a statement share. */
interface Shared {
  readonly order: 'asc' | 'desc';
  readonly conditions: readonly string[];
  /** The number of rows that each scan returns at most, and its placeholder. */
  readonly rows: number;
  readonly most: string;
}

function scanOf(shared: Shared, own: readonly string[], from = 'execution e', id = 'e.id'): string {
  const where = [...own, ...shared.conditions].join(' AND ');
  return `(SELECT ${id} AS id FROM ${from}${where && ` WHERE ${where}`} ORDER BY 1 ${shared.order} LIMIT ${shared.most})`;
}

/** Ids before and after all others. */
const ends = { desc: '00000000-0000-0000-0000-000000000000', asc: 'ffffffff-ffff-ffff-ffff-ffffffffffff' } as const;

/**
 * The first rows of many ordered scans, one for each combination of status and definition, without a plan for each. The first few
 * rows of every scan bound the ids of the page: only scans that begin within the bound are read, and only up to it.
 */
function mergedScan(
  shared: Shared,
  near: readonly string[],
  keys: Readonly<Record<'statuses' | 'bodies' | 'each', string>>,
): string {
  const { order, most } = shared;
  const where = ['e.body = k.body AND e.status = k.status', ...near, ...shared.conditions].join(' AND ');
  const bound = `coalesce((SELECT id FROM bound), '${ends[order]}'::uuid)`;
  const isWithin = (id: string): string => `${id} ${order === 'asc' ? '<=' : '>='} ${bound}`;
  return `(
  WITH heads AS MATERIALIZED (
    SELECT k.body, k.status, h.id FROM (
      SELECT b.body, s.status FROM unnest(${keys.bodies}::int[]) AS b (body) CROSS JOIN unnest(${keys.statuses}::text[]) AS s (status)
    ) k CROSS JOIN LATERAL (SELECT e.id FROM execution e WHERE ${where} ORDER BY e.id ${order} LIMIT ${keys.each}) h
  ), bound AS MATERIALIZED (
    SELECT id FROM heads ORDER BY id ${order} OFFSET ${most}::int - 1 LIMIT 1
  )
  SELECT r.id FROM (SELECT DISTINCT body, status FROM heads WHERE ${isWithin('id')}) k CROSS JOIN LATERAL (
    SELECT e.id FROM execution e WHERE ${where} AND ${isWithin('e.id')} ORDER BY e.id ${order} LIMIT ${most}
  ) r
  ORDER BY 1 ${order} LIMIT ${most})`;
}

/** Which statuses have a scan each, and which have one for each definition. */
function partsOf({
  bodies,
  statuses = everyStatus,
}: Keys): Readonly<Record<'byStatus' | 'byBoth', readonly ExecutionStatus[]>> {
  if (bodies !== undefined) return { byStatus: [], byBoth: statuses };
  return {
    byStatus: statuses.filter((status) => !isCommon(status)),
    byBoth: statuses.filter((status) => isCommon(status)),
  };
}

/** Whether the scans of statuses and definitions are few enough to be planned one by one. */
export function areFew(keys: Keys): boolean {
  const { byStatus, byBoth } = partsOf(keys);
  return byStatus.length + byBoth.length * (keys.bodies ?? keys.everyBody).length <= maxScans;
}

/** The scans that begin with statuses and definitions. */
function keyScans(text: StatementText, keys: Keys, shared: Shared, near: readonly string[]): readonly string[] {
  const { byStatus, byBoth } = partsOf(keys);
  const scans = byStatus.map((status) => scanOf(shared, [`e.status = ${text.value(status)}`, ...near]));
  if (byBoth.length === 0) return scans;
  const bodies = keys.bodies ?? keys.everyBody;
  if (!areFew(keys)) {
    const each = Math.min(shared.rows, Math.ceil((2 * shared.rows) / (bodies.length * byBoth.length)));
    const all = {
      statuses: text.value(textArray(byBoth)),
      bodies: text.value(int4Array(bodies)),
      each: text.value(each),
    };
    return [...scans, mergedScan(shared, near, all)];
  }
  const ofBodies = bodies.map((body) => `e.body = ${text.value(body)}::int`);
  const parts = byBoth.flatMap((status) => ofBodies.map((body) => [`e.status = ${text.value(status)}`, body]));
  return [...scans, ...parts.map((part) => scanOf(shared, [...part, ...near]))];
}

/** Statuses and definitions as conditions of a scan that begins with something else. */
function keyConditions(text: StatementText, { statuses, bodies }: Keys): readonly string[] {
  return [
    ...(statuses === undefined ? [] : [`e.status = ANY (${text.value(textArray(statuses))}::text[])`]),
    ...(bodies === undefined ? [] : [`e.body = ANY (${text.value(int4Array(bodies))}::int[])`]),
  ];
}

/**
 * Whether the way `other` compares what its index does not answer, so that it may read many entries for few rows. An index has
 * both a status and standing effects.
 */
export function isCompared(filter: ExecutionFilter, keys: Keys): boolean {
  const others = labelsOf(filter).length + rareConditions(new StatementText(), filter).length;
  const isIndexed = keys.bodies === undefined && filter.standing === true;
  const isMore = keys.bodies !== undefined || spans(new StatementText(), filter).late !== undefined;
  return others > 1 || (others === 1 && (isMore || (keys.statuses !== undefined && !isIndexed)));
}

/** The first of the conditions that an index of few rows answers. */
function firstRare(text: StatementText, { parent, hook, failedNodeId, reason, standing }: ExecutionFilter): string[] {
  const chosen: ExecutionFilter = (parent !== undefined && { parent }) ||
    (hook !== undefined && { hook }) ||
    (failedNodeId !== undefined && { failedNodeId }) ||
    (reason !== undefined && { reason }) || { standing: standing ?? true };
  return rareConditions(text, chosen);
}

/**
 * The entries that a page of the way `other` compares, by id: the first ones of the index of its first label or another condition,
 * and with an instant also those that began or ended long after their creation. What follows is left to the next page.
 */
function entriesOf(filter: ExecutionFilter, { order, most, after }: Range, text: StatementText): string {
  const [label] = labelsOf(filter);
  const { near, late } = spans(text, filter);
  const beyond = after === undefined ? [] : [`e.id ${order === 'asc' ? '>' : '<'} ${text.value(after)}::uuid`];
  const limit = text.value(maxCompared + most);
  const part = (from: string, own: readonly string[]): string => {
    const where = [...own, ...idBound(text, filter), ...beyond].join(' AND ');
    return `(SELECT e.id FROM ${from}${where && ` WHERE ${where}`} ORDER BY e.id ${order} LIMIT ${limit})`;
  };
  const first =
    label === undefined
      ? part('execution e', [...firstRare(text, filter), ...near])
      : part(`(SELECT execution AS id FROM label WHERE ${labelIs(text, label)}) e`, near);
  const parts = late === undefined ? [first] : [first, part('execution e', late)];
  return `(SELECT id FROM (${parts.join(' UNION ALL ')}) parts ORDER BY id ${order} LIMIT ${limit})`;
}

/** Compares a bounded number of index entries. */
function comparedScan(filter: ExecutionFilter, keys: Keys, page: Range, text: StatementText): string {
  const entries = entriesOf(filter, page, text);
  const labels = labelsOf(filter);
  const where = [...conditions(text, filter), ...keyConditions(text, keys)];
  if (labels.length > 0) where.push(hasLabels(text, labels));
  const { order, most } = page;
  return `(SELECT k.id FROM ${entries} k CROSS JOIN LATERAL (
      SELECT 1 FROM execution e WHERE ${isLookedUp('e.id', 'k.id')} AND ${where.join(' AND ')} OFFSET 0
    ) e ORDER BY k.id ${order} LIMIT ${text.value(most)})`;
}

/** The id of the last entry that a page compares; no row where the index ends before. */
export function lastEntry(filter: ExecutionFilter, page: Range, text: StatementText): string {
  return `SELECT id FROM ${entriesOf(filter, page, text)} k LIMIT 1 OFFSET ${text.value(maxCompared + page.most - 1)}`;
}

/** The scans of a page in the order of ids, after the id `after`. */
export function scansOf(
  filter: ExecutionFilter,
  keys: Keys,
  way: Way,
  page: Range,
  text: StatementText,
): readonly string[] {
  const { order, after } = page;
  if (way === 'other' && isCompared(filter, keys)) return [comparedScan(filter, keys, page, text)];
  const labels = labelsOf(filter);
  const [label] = way === 'other' ? labels : [];
  const shared = conditions(text, filter);
  const compared = label === undefined ? labels : labels.slice(1);
  if (compared.length > 0) shared.push(hasLabels(text, compared));
  // The id column that orders the scanned index.
  const id = label === undefined ? 'e.id' : 'l.execution';
  const beyond = after === undefined ? [] : [`${id} ${order === 'asc' ? '>' : '<'} ${text.value(after)}::uuid`];
  const all = { order, conditions: [...shared, ...beyond], rows: page.most, most: text.value(page.most) };
  const { near, late } = spans(text, filter);
  const from =
    label && `(SELECT execution FROM label WHERE ${labelIs(text, label)}) l JOIN execution e ON e.id = l.execution`;
  const plain = (span: readonly string[]): string => scanOf(all, [...span, ...keyConditions(text, keys)], from, id);
  const last = late === undefined ? [] : [plain(late)];
  if (way === 'keys') return [...keyScans(text, keys, all, near), ...last];
  if (way === 'ids') return [scanOf(all, keyConditions(text, keys), stretchOf(text, filter, order, beyond)), ...last];
  if (label !== undefined || keys.statuses === undefined) return [plain(near), ...last];
  // One scan for each status, as an index may begin with it.
  return [
    ...keys.statuses.map((status) =>
      scanOf(all, [
        `e.status = ${text.value(status)}`,
        ...near,
        ...keyConditions(text, { ...keys, statuses: undefined }),
      ]),
    ),
    ...last,
  ];
}

/** The first {@link stretch} executions that the filter's instants and the conditions leave, by id, as a row source `e`. */
export function stretchOf(
  text: StatementText,
  filter: ExecutionFilter,
  order: 'asc' | 'desc',
  beyond: readonly string[],
): string {
  const where = [...idBound(text, filter), ...spans(text, filter).near, ...beyond].join(' AND ');
  return `(SELECT * FROM execution e${where && ` WHERE ${where}`} ORDER BY e.id ${order} LIMIT ${String(stretch)}) e`;
}
