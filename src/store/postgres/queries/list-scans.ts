/**
 * The ordered index scans that a list of executions merges: each stops after a page.
 */
import type { ExecutionStatus } from '../../../core/state.ts';
import type { ExecutionFilter } from '../../../ports/store.ts';
import { activeStatuses, terminalStatuses } from '../../row-text.ts';
import { int4Array, textArray } from '../columns/binary-array.ts';
import { lowestIdAt } from '../columns/execution-id.ts';
import { aheadMillis, endedLate, promptMillis, startedLate } from '../columns/late-ends.ts';
import { encodeText } from '../columns/text-column.ts';

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

/** The bound of the ids of executions that began or ended before an instant. */
function idBound(
  text: StatementText,
  { startedBefore = Infinity, completedBefore = Infinity }: ExecutionFilter,
): string[] {
  const before = Math.min(startedBefore, completedBefore);
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
  if (filter.standing === true) found.push('e.standing > 0');
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

/** The scans of a page in the order of ids, after the id `after`. */
export function scansOf(
  filter: ExecutionFilter,
  keys: Keys,
  way: Way,
  page: { readonly order: 'asc' | 'desc'; readonly most: number; readonly after: string | undefined },
  text: StatementText,
): readonly string[] {
  const { order, after } = page;
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
