import type { ExecutionFilter } from '../../../ports/store.ts';
import type { ListValues, PageAnswer } from '../../pages.ts';
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
  labelIs,
  labelsOf,
  rareConditions,
  scansOf,
  StatementText,
  stretch,
  stretchOf,
  type Keys,
  type Way,
} from './list-scans.ts';
import { isLookedUp } from './looked-up.ts';
import { decodeRecord, recordColumns, recordNames } from './record-columns.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

/** Up to how many rows the two sides of a filter are counted, to begin with the smaller one: at first, and if that does not tell. */
const countedUpTo = { first: 100, second: 10_000 } as const;

const bodiesSql = `
SELECT no FROM definition_body
WHERE ($1::text IS NULL OR name = $1) AND ($2::text IS NULL OR version = $2) AND ($3::text[] IS NULL OR name LIKE ANY ($3))`;

function statementOf(
  filter: ExecutionFilter,
  keys: Keys,
  way: Way,
  page: ListValues,
  after: string | undefined,
): Statement {
  const text = new StatementText();
  const { order } = page;
  const scans = scansOf(filter, keys, way, { order, most: page.offset + page.limit + 1, after }, text);
  const source = `
  SELECT ${recordColumns}, ${page.withState ? 'e.state' : "CASE WHEN e.status = 'CORRUPTED' THEN e.state END AS state"}
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
 * Of many combinations a stretch of executions is looked at before, which often fills the page or holds all that can fit. A filter
 * that few rows of a large index range satisfy reads that range. The planner chooses the index of a scan by the values, so these
 * statements are not prepared.
 *
 * Rounds begin and end after the id was created, most of them soon. So an instant bounds the ids on both sides. Later runs have
 * separate indexes, which is one more scan (see `late-ends.ts`).
 */
export async function listExecutions(
  connections: Connections,
  filter: ExecutionFilter,
  page: ListValues,
  after: string | undefined,
): Promise<PageAnswer<ListedValues>> {
  if (filter.statuses?.length === 0) return { rows: [], more: false };
  const { keys, isOther } = await keysOf(connections, filter);
  if (keys.bodies?.length === 0) return { rows: [], more: false };
  const list = async (way: Way): Promise<PageAnswer<ListedValues>> => {
    type Row = ListedValues & { readonly found: number };
    const rows = await connections.query<Row>('long', statementOf(filter, keys, way, page, after));
    const { rows: shown, more } = pageWithin<ListedValues>(rows, page.limit);
    return { rows: shown.map((row) => decodeRecord(row)), more };
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

async function findBodies(connections: Connections, { name, version, nameGlobs }: ExecutionFilter): Promise<number[]> {
  const texts = [name, version].map((text) => (text === undefined ? null : encodeText(text)));
  const values = [...texts, nameGlobs === undefined ? null : nameIsLike(nameGlobs)];
  return (await connections.query<{ no: number }>('long', { text: bodiesSql, values })).map(({ no }) => no);
}
