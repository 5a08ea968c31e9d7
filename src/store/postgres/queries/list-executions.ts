import type { ExecutionFilter } from '../../../ports/store.ts';
import type { ListValues, PageAnswer } from '../../pages.ts';
import type { ListedValues } from '../../stored-rows.ts';
import { int4Array, textArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { lowestIdAt } from '../columns/execution-id.ts';
import { nameIsLike } from '../name-globs.ts';
import { encodeText } from '../columns/text-column.ts';
import { decodeRecord, recordColumns, recordNames } from './record-columns.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

/** Maximum number of merged scans; with more values, a scan compares them row by row. */
const maxScans = 24;

const slackMillis = 3_600_000;

/** The condition of the index of executions that began or ended long after their creation. */
const isLate = 'coalesce(e.completed_at, e.started_at) > e.created_at + 1800000';

/** The conditions of the indexes. */
const hookSql: Readonly<Record<NonNullable<ExecutionFilter['hook']>, string>> = {
  pending: 'e.due_at IS NOT NULL AND e.completed_at IS NOT NULL',
  failed: 'e.callback_warning IS NOT NULL AND e.due_at IS NULL AND e.completed_at IS NOT NULL',
};

const bodiesSql = `
SELECT no FROM definition_body
WHERE ($1::text IS NULL OR name = $1) AND ($2::text IS NULL OR version = $2) AND ($3::text[] IS NULL OR name LIKE ANY ($3))`;

/** Builds the text of a statement; every value becomes a parameter. */
class StatementText {
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
  const before = Math.min(filter.startedBefore ?? Infinity, filter.completedBefore ?? Infinity);
  if (before < Number.MAX_SAFE_INTEGER) found.push(`e.id < ${text.value(lowestIdAt(before + slackMillis))}::uuid`);
  return found;
}

/** The conditions that all scans share. */
function conditions(text: StatementText, filter: ExecutionFilter): string[] {
  const found = timeConditions(text, filter);
  if (filter.reason !== undefined) found.push(`e.reason = ${text.value(encodeText(filter.reason))}`);
  if (filter.failedNodeId !== undefined) {
    found.push(`e.failed_node_id = ${text.value(encodeText(filter.failedNodeId))}`);
  }
  if (filter.standing !== undefined) found.push(`e.standing ${filter.standing ? '>' : '='} 0`);
  if (filter.hook !== undefined) found.push(hookSql[filter.hook]);
  return found;
}

/**
 * Separates executions with ids near an instant from those that began or ended long after their creation; one span without a
 * condition if the filter has no lower bound.
 */
function spans(text: StatementText, filter: ExecutionFilter): readonly string[] {
  const after = Math.max(filter.startedAfter ?? -Infinity, filter.completedAfter ?? -Infinity);
  if (after === -Infinity) return ['true'];
  const lowest = text.value(lowestIdAt(after - slackMillis));
  return [`e.id >= ${lowest}::uuid`, `e.id < ${lowest}::uuid AND ${isLate}`];
}

/** The conditions that distinguish the scans: one scan per element. */
function parts(text: StatementText, filter: ExecutionFilter, bodies: readonly number[] | undefined): readonly string[] {
  const statuses = filter.statuses === undefined ? undefined : [...new Set(filter.statuses)];
  const near = spans(text, filter);
  const scans = (statuses?.length ?? 1) * (bodies?.length ?? 1) * near.length;
  if (scans <= maxScans) {
    const byStatus = statuses?.map((status) => `e.status = ${text.value(status)}`) ?? ['true'];
    const byBody = bodies?.map((body) => `e.body = ${text.value(body)}::int`) ?? ['true'];
    return byStatus.flatMap((one) => byBody.flatMap((other) => near.map((span) => `${one} AND ${other} AND ${span}`)));
  }
  const all: string[] = [];
  if (statuses !== undefined) all.push(`e.status = ANY (${text.value(textArray(statuses))}::text[])`);
  if (bodies !== undefined) all.push(`e.body = ANY (${text.value(int4Array(bodies))}::int[])`);
  return near.map((span) => [...all, span].join(' AND '));
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

function statementOf(
  filter: ExecutionFilter,
  bodies: readonly number[] | undefined,
  page: ListValues,
  after: string | undefined,
): Statement {
  const text = new StatementText();
  const { order } = page;
  const [label, ...otherLabels] = Object.entries(filter.labels ?? {});
  const labelIs = ([key, value]: readonly [string, string]): string =>
    `key = ${text.value(encodeText(key))} AND value = ${text.value(encodeText(value))}`;
  // The id column that orders the scanned index.
  const id = label === undefined ? 'e.id' : 'l.execution';
  const shared = conditions(text, filter);
  const from =
    label === undefined
      ? 'execution e'
      : `(SELECT execution FROM label WHERE ${labelIs(label)}) l JOIN execution e ON e.id = l.execution`;
  if (otherLabels.length > 0) shared.push(hasLabels(text, otherLabels));
  if (after !== undefined) shared.push(`${id} ${order === 'asc' ? '>' : '<'} ${text.value(after)}::uuid`);
  const most = text.value(page.offset + page.limit + 1);
  const scans = parts(text, filter, bodies).map(
    (part) =>
      `(SELECT ${id} AS id FROM ${from} WHERE ${[part, ...shared].join(' AND ')} ORDER BY 1 ${order} LIMIT ${most})`,
  );
  const source = `
  SELECT ${recordColumns}, ${page.withState ? 'e.state' : "CASE WHEN e.status = 'CORRUPTED' THEN e.state END AS state"}
  FROM (
    SELECT id FROM (${scans.join(' UNION ALL ')}) scans
    ORDER BY id ${order} LIMIT ${text.value(page.limit + 1)} OFFSET ${text.value(page.offset)}
  ) k
  JOIN execution e ON e.id = k.id
  JOIN definition_body d ON d.no = e.body`;
  const bytes = text.value(page.bytes);
  return {
    text: withinBytes(source, { columns: `${recordNames}, state`, size: recordSize, order: `id ${order}`, bytes }),
    values: text.values,
  };
}

const recordSize = sizeOf(
  'name',
  'version',
  'labels',
  '"failedNodeId"',
  '"failureDescription"',
  '"callbackWarning"',
  'state',
);

/**
 * Lists a page of executions by id, newest first by default.
 *
 * Each requested status and each pinned definition is one ordered index scan that stops after a page. The statement merges the
 * scans, so a page reads about as many index entries as it shows, regardless of the number of executions. The planner chooses
 * the index of a scan by the values, so these statements are not prepared: of a label and a status it walks the rarer one,
 * which requires one scan per status (several statuses in one scan are unordered). A filter that few rows of a large index
 * range satisfy reads that range.
 *
 * Rounds begin and end after the id was created, most of them soon. So an instant bounds the ids on both sides, with an hour
 * for clock differences and long runs. Later runs have a separate index, which is one more scan (see its migration).
 */
export async function listExecutions(
  connections: Connections,
  filter: ExecutionFilter,
  page: ListValues,
  after: string | undefined,
): Promise<PageAnswer<ListedValues>> {
  if (filter.statuses?.length === 0) return { rows: [], more: false };
  let bodies: number[] | undefined;
  const { name, version, nameGlobs } = filter;
  if (name !== undefined || version !== undefined || nameGlobs !== undefined) {
    const texts = [name, version].map((text) => (text === undefined ? null : encodeText(text)));
    const values = [...texts, nameGlobs === undefined ? null : nameIsLike(nameGlobs)];
    const found = await connections.query<{ no: number }>('long', { text: bodiesSql, values });
    if (found.length === 0) return { rows: [], more: false };
    bodies = found.map(({ no }) => no);
  }
  type Row = ListedValues & { readonly found: number };
  const rows = await connections.query<Row>('long', statementOf(filter, bodies, page, after));
  const { rows: shown, more } = pageWithin<ListedValues>(rows, page.limit);
  return { rows: shown.map((row) => decodeRecord(row)), more };
}
