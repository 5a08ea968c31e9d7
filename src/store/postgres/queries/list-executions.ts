import type { ExecutionFilter } from '../../../ports/store.ts';
import { type ListValues, type PageAnswer, stateColumn } from '../../pages.ts';
import type { ListedValues } from '../../stored-rows.ts';
import { int4Array, textArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { nameIsLike } from '../name-globs.ts';
import { encodeText } from '../columns/text-column.ts';
import {
  areFew,
  everyStatus,
  isCommon,
  isCompared,
  labelIs,
  labelsOf,
  lastEntry,
  rareConditions,
  scansOf,
  StatementText,
  stretch,
  stretchOf,
  type Keys,
  type Range,
  type Way,
} from './list-scans.ts';
import { isLookedUp } from './looked-up.ts';
import { decodeRecord, recordColumns, recordNames } from './record-columns.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

/** Up to how many rows the two sides of a filter are counted, to begin with the smaller one: at first, and if that does not tell. */
const countedUpTo = { first: 100, second: 2000 } as const;

/** How many entries of all labels of a filter are counted, to begin with the rarest label. */
const countedLabels = 20_000;

const bodiesSql = `
SELECT no FROM definition_body
WHERE ($1::text IS NULL OR name = $1) AND ($2::text IS NULL OR version = $2) AND ($3::text[] IS NULL OR name LIKE ANY ($3))`;

const rangeOf = ({ order, offset, limit }: ListValues, after: string | undefined): Range => ({
  order,
  most: offset + limit + 1,
  after,
});

function statementOf(
  filter: ExecutionFilter,
  keys: Keys,
  way: Way,
  page: ListValues,
  after: string | undefined,
): Statement {
  const text = new StatementText();
  const { order } = page;
  const scans = scansOf(filter, keys, way, rangeOf(page, after), text);
  const source = `
  SELECT ${recordColumns}, ${stateColumn(page.stated, 'e.status', 'e.state')}
  FROM (
    SELECT id FROM (${scans.join(' UNION ALL ')}) scans
    ORDER BY id ${order} LIMIT ${text.value(page.limit + 1)} OFFSET ${text.value(page.offset)}
  ) k
  JOIN execution e ON ${isLookedUp('e.id', 'k.id')}
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

/** Counts up to `$most` rows of the statuses and definitions. */
const countKeysSql = `
SELECT count(*)::int AS count FROM (
  SELECT 1 FROM unnest($1::int[]) AS b (body) CROSS JOIN unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
    SELECT 1 FROM execution e WHERE e.body = b.body AND e.status = s.status LIMIT $3
  ) e LIMIT $3
) counted`;

/** Counts up to `most` rows of the first label, or else of the other conditions. */
function otherCount(filter: ExecutionFilter, most: number): Statement {
  const text = new StatementText();
  const [label] = labelsOf(filter);
  const source =
    label === undefined
      ? `execution e WHERE ${rareConditions(text, filter).join(' AND ')}`
      : `label WHERE ${labelIs(text, label)}`;
  return {
    text: `SELECT count(*)::int AS count FROM (SELECT 1 FROM ${source} LIMIT ${text.value(most)}) counted`,
    values: text.values,
  };
}

/**
 * The way that begins with fewer rows, as counted up to `most`: with statuses and definitions, or with a label or another
 * condition. Undefined if both have more.
 */
async function smallerWay(
  connections: Connections,
  filter: ExecutionFilter,
  keys: Keys,
  most: number,
): Promise<Way | undefined> {
  const of = [int4Array(keys.bodies ?? keys.everyBody), textArray(keys.statuses ?? everyStatus)];
  if ((await count(connections, { text: countKeysSql, values: [...of, most] })) < most) return 'keys';
  return (await count(connections, otherCount(filter, most))) < most ? 'other' : undefined;
}

/** The filter with its rarest label first, which is where a list by labels begins. */
async function withRarestFirst(connections: Connections, filter: ExecutionFilter): Promise<ExecutionFilter> {
  const labels = labelsOf(filter);
  if (labels.length < 2) return filter;
  const text = new StatementText();
  const most = text.value(Math.ceil(countedLabels / labels.length));
  const counts = labels.map(
    (label, place) =>
      `SELECT ${String(place)} AS place, (SELECT count(*) FROM (SELECT 1 FROM label WHERE ${labelIs(text, label)} LIMIT ${most}) l) AS count`,
  );
  const sql = `SELECT place FROM (${counts.join(' UNION ALL ')}) counts ORDER BY count, place LIMIT 1`;
  const [row] = await connections.query<{ place: number }>('long', { text: sql, values: text.values });
  const [key, value] = labels[row?.place ?? 0] ?? ['', ''];
  // A key that is a number comes before all others in any case; then the first one is not always the rarest.
  return { ...filter, labels: { [key]: value, ...filter.labels } };
}

/** Whether instants leave so few executions near them that a list compares all of those. */
async function isNarrow(connections: Connections, filter: ExecutionFilter): Promise<boolean> {
  const text = new StatementText();
  const source = stretchOf(text, filter, 'desc', []);
  return (
    (await count(connections, { text: `SELECT count(*)::int AS count FROM ${source}`, values: text.values })) < stretch
  );
}

async function count(connections: Connections, statement: Statement): Promise<number> {
  return (await connections.query<{ count: number }>('long', statement))[0]?.count ?? 0;
}

/** Which statuses and definitions a filter names, and whether it has other conditions that an index of few rows may answer. */
async function keysOf(
  connections: Connections,
  filter: ExecutionFilter,
): Promise<{ readonly keys: Keys; readonly isOther: boolean }> {
  const statuses = filter.statuses === undefined ? undefined : [...new Set(filter.statuses)];
  const { name, version, nameGlobs } = filter;
  const isOfSome = name !== undefined || version !== undefined || nameGlobs !== undefined;
  const isOther = labelsOf(filter).length > 0 || rareConditions(new StatementText(), filter).length > 0;
  const needsBodies = isOfSome || (statuses?.some((status) => isOther || isCommon(status)) ?? false);
  const found = needsBodies ? await findBodies(connections, filter) : [];
  return { keys: { statuses, bodies: isOfSome ? found : undefined, everyBody: found }, isOther };
}

/**
 * Lists a page of executions by id, newest first by default.
 *
 * Each combination of a requested status and a pinned definition is one ordered index scan that stops after a page. The statement
 * merges the scans, so a page reads about as many index entries as it shows, regardless of the number of executions. Statuses
 * that few executions have are one scan each without a definition. A label or another condition is a scan, too; together with
 * statuses or definitions the side with fewer rows is read and the other one compared.
 *
 * Where a page would have to compare more than a bounded number of index entries, it ends after these with a cursor, and the next
 * page goes on from there.
 *
 * Of many combinations a stretch of executions is looked at before, which often fills the page or holds all that can fit. A filter
 * that few rows of a large index range satisfy reads that range. The planner chooses the index of a scan by the values, so these
 * statements are not prepared.
 *
 * Rounds begin and end after the id was created, most of them soon. So an instant bounds the ids on both sides. Later runs have
 * separate indexes, which is one more scan (see `late-ends.ts`).
 */
export async function listExecutions(
  connections: Connections,
  wanted: ExecutionFilter,
  page: ListValues,
  after: string | undefined,
): Promise<PageAnswer<ListedValues>> {
  if (wanted.statuses?.length === 0) return { rows: [], more: false };
  const { keys, isOther } = await keysOf(connections, wanted);
  if (keys.bodies?.length === 0) return { rows: [], more: false };
  const filter = await withRarestFirst(connections, wanted);
  const list = async (way: Way): Promise<PageAnswer<ListedValues>> => {
    type Row = ListedValues & { readonly found: number };
    const rows = await connections.query<Row>('long', statementOf(filter, keys, way, page, after));
    const { rows: shown, more } = pageWithin<ListedValues>(rows, page.limit);
    const answer = { rows: shown.map((row) => decodeRecord(row)), more };
    if (more || way !== 'other' || !isCompared(filter, keys)) return answer;
    const end = await endOf(connections, filter, page, after);
    return end === undefined ? answer : { ...answer, more: true, after: furthest(page.order, end, shown.at(-1)?.id) };
  };
  if (keys.statuses === undefined && keys.bodies === undefined) return list('other');
  if (!isOther && areFew(keys)) return list('keys');
  const smaller = (most: number): Promise<Way | undefined> =>
    isOther ? smallerWay(connections, filter, keys, most) : Promise.resolve(undefined);
  const way = await smaller(countedUpTo.first);
  if (way !== undefined) return list(way);
  if (filter.startedAfter !== undefined || filter.completedAfter !== undefined) {
    if (await isNarrow(connections, filter)) return list('ids');
  } else {
    const first = await list('ids');
    // A page with more after it is complete.
    if (first.more) return first;
  }
  return list((await smaller(countedUpTo.second)) ?? (isOther ? 'other' : 'keys'));
}

/** The last entry that the page compared, unless it compared all. */
async function endOf(
  connections: Connections,
  filter: ExecutionFilter,
  page: ListValues,
  after: string | undefined,
): Promise<string | undefined> {
  const text = new StatementText();
  const sql = lastEntry(filter, rangeOf(page, after), text);
  return (await connections.query<{ id: string }>('long', { text: sql, values: text.values }))[0]?.id;
}

/** Entries that were added since the page was read may move its end to before its last row. */
function furthest(order: 'asc' | 'desc', end: string, last = end): string {
  return end < last === (order === 'desc') ? end : last;
}

async function findBodies(connections: Connections, { name, version, nameGlobs }: ExecutionFilter): Promise<number[]> {
  const texts = [name, version].map((text) => (text === undefined ? null : encodeText(text)));
  const values = [...texts, nameGlobs === undefined ? null : nameIsLike(nameGlobs)];
  return (await connections.query<{ no: number }>('long', { text: bodiesSql, values })).map(({ no }) => no);
}
