/**
 * A page of executions by id, newest first unless asked otherwise.
 *
 * Each combination of filters has one index that gives rows in the order of ids; what it does not cover is compared row by
 * row. Several statuses (also: any status of one name) are one ordered scan each, merged lazily by SQLite, so that a page
 * reads about as many index entries as it shows, however many executions there are. A filter that few rows of a large index
 * range satisfy (one version and a rare time range, say) reads that range, page by page: each looks at a bounded number of entries.
 */
import type { ExecutionFilter } from '../../../ports/store.ts';
import { activeStatuses, standingIs, terminalStatuses } from '../../row-text.ts';
import { copied, lengthOf, type ListValues, stateColumn, takePage } from '../../pages.ts';
import type { ListedValues } from '../../stored-rows.ts';
import type { Operations } from '../protocol.ts';
import { globCondition } from '../name-globs.ts';
import type { Session } from '../session.ts';
import { recordColumns } from './record-columns.ts';

type Value = string | number;

/** Part of a statement with the values of its parameters. */
interface Fragment {
  readonly sql: string;
  readonly values: readonly Value[];
}

/**
 * Maximum number of index entries that a page reads, which takes some 50 ms. A filter that few entries match would otherwise
 * read the whole range and block all other operations; its page ends here, with a cursor.
 */
const maxScanned = 20_000;

/** Statements are kept by their text; there are as many texts as combinations of filters. */
const maxStatements = 64;

/** In the words of the indexes. */
const hookSql: Readonly<Record<NonNullable<ExecutionFilter['hook']>, string>> = {
  pending: 'e.due_at IS NOT NULL AND e.completed_at IS NOT NULL',
  failed: 'e.callback_warning IS NOT NULL AND e.due_at IS NULL AND e.completed_at IS NOT NULL',
};

const everyStatus = [...activeStatuses, ...terminalStatuses];

/** Which index to walk, with the conditions that it answers. More than one: to be merged. */
function ranges(filter: ExecutionFilter, labels: readonly (readonly [string, string])[]): readonly Fragment[] {
  const label = labels[0];
  if (label !== undefined) {
    return [
      { sql: 'FROM label l CROSS JOIN execution e ON e.id = l.id WHERE l.key = ? AND l.value = ?', values: label },
    ];
  }
  if (filter.parent !== undefined) {
    const sql = 'FROM execution e INDEXED BY execution_by_parent WHERE e.parent = ?';
    return [{ sql, values: [filter.parent] }];
  }
  if (filter.standing !== undefined && filter.standing !== false) {
    return [{ sql: 'FROM execution e INDEXED BY execution_standing WHERE e.standing > 0', values: [] }];
  }
  if (filter.hook !== undefined) {
    const sql = `FROM execution e INDEXED BY execution_hook_${filter.hook} WHERE ${hookSql[filter.hook]}`;
    return [{ sql, values: [] }];
  }
  if (filter.reason !== undefined) {
    return [{ sql: 'FROM execution e INDEXED BY execution_by_reason WHERE e.reason = ?', values: [filter.reason] }];
  }
  if (filter.failedNodeId !== undefined) {
    const sql = 'FROM execution e INDEXED BY execution_by_failed_node WHERE e.failed_node_id = ?';
    return [{ sql, values: [filter.failedNodeId] }];
  }
  const statuses = filter.statuses === undefined ? everyStatus : [...new Set(filter.statuses)];
  if (filter.name !== undefined && filter.version !== undefined) {
    const { name, version } = filter;
    const sql = 'FROM execution e INDEXED BY execution_by_version WHERE e.name = ? AND e.version = ? AND e.status = ?';
    return statuses.map((status) => ({ sql, values: [name, version, status] }));
  }
  if (filter.name !== undefined) {
    const { name } = filter;
    const sql = 'FROM execution e INDEXED BY execution_by_name WHERE e.name = ? AND e.status = ?';
    return statuses.map((status) => ({ sql, values: [name, status] }));
  }
  if (filter.statuses !== undefined) {
    const sql = 'FROM execution e INDEXED BY execution_by_status WHERE e.status = ?';
    return statuses.map((status) => ({ sql, values: [status] }));
  }
  return [{ sql: 'FROM execution e INDEXED BY execution_by_id WHERE e.id IS NOT NULL', values: [] }];
}

/** All conditions, those included that a range answers by itself: repeating them costs little and cannot go wrong. */
function conditions(filter: ExecutionFilter, labels: readonly (readonly [string, string])[]): readonly Fragment[] {
  const found: Fragment[] = [];
  const add = (sql: string, value: Value | undefined): void => {
    if (value !== undefined) found.push({ sql, values: [value] });
  };
  if (filter.statuses !== undefined) {
    found.push({ sql: `e.status IN (${filter.statuses.map(() => '?').join(', ')})`, values: filter.statuses });
  }
  add('e.name = ?', filter.name);
  const names = globCondition('e.name', filter.nameGlobs);
  if (names !== undefined) found.push(names);
  add('e.version = ?', filter.version);
  add('e.reason = ?', filter.reason);
  add('e.failed_node_id = ?', filter.failedNodeId);
  add('e.parent = ?', filter.parent);
  if (filter.root !== undefined) found.push({ sql: `e.parent IS ${filter.root ? '' : 'NOT '}NULL`, values: [] });
  add('e.started_at >= ?', filter.startedAfter);
  add('e.started_at < ?', filter.startedBefore);
  add('e.completed_at >= ?', filter.completedAfter);
  add('e.completed_at < ?', filter.completedBefore);
  if (filter.standing !== undefined) found.push({ sql: `e.standing ${standingIs(filter.standing)}`, values: [] });
  if (filter.hook !== undefined) found.push({ sql: hookSql[filter.hook], values: [] });
  const others = labels.slice(1);
  if (others.length > 0) {
    // The full key of each label is known, so each is one index lookup.
    const pairs = others.map(() => '(?, ?)').join(', ');
    found.push({
      sql: `${String(others.length)} = (
  SELECT count(*) FROM (VALUES ${pairs}) w CROSS JOIN label o ON o.key = w.column1 AND o.value = w.column2 AND o.id = e.id)`,
      values: others.flat(),
    });
  }
  return found;
}

/** The statements of a page. */
interface PageStatements {
  /** One row more than the page's limit where there are more among the entries that it looks at. */
  readonly page: Fragment;
  /** The id of the last entry that a page looks at; no row where the index ends before. */
  readonly end: Fragment;
}

/** The statements of a page that reads at most `scanned` index entries. */
export function listStatements(
  filter: ExecutionFilter,
  page: ListValues,
  after: string | undefined,
  scanned: number = maxScanned,
): PageStatements {
  if (filter.statuses?.length === 0) {
    const nothing = { sql: 'SELECT 1 LIMIT 0', values: [] };
    return { page: nothing, end: nothing };
  }
  const labels = Object.entries(filter.labels ?? {});
  const rest = conditions(filter, labels);
  const { order } = page;
  // The id in whose order the range's index lies.
  const id = labels.length > 0 ? 'l.id' : 'e.id';
  const fits = rest.length === 0 ? 'true' : rest.map(({ sql }) => sql).join(' AND ');
  const [first, last] = filter.ids ?? [];
  const within = first === undefined ? '' : ` AND ${id} >= ? AND ${id} <= ?`;
  const from = `${within}${after === undefined ? '' : ` AND ${id} ${order === 'asc' ? '>' : '<'} ?`}`;
  const parts = ranges(filter, labels);
  const keys = parts.map(({ sql }) => `SELECT e.no, ${id} AS id, ${fits} AS fits ${sql}${from}`).join('\nUNION ALL ');
  const entries = `${keys}\n  ORDER BY 2 ${order} LIMIT ?`;
  const values = [
    ...parts.flatMap((part) => [
      ...rest.flatMap((condition) => condition.values),
      ...part.values,
      ...(first === undefined || last === undefined ? [] : [first, last]),
      ...(after === undefined ? [] : [after]),
    ]),
    scanned,
  ];
  const sql = `
SELECT ${recordColumns}, ${stateColumn(page.stated, 'e.status', 'r.state')}
FROM (SELECT no, id FROM (${entries}) WHERE fits LIMIT ? OFFSET ?) k
CROSS JOIN execution e ON e.no = k.no
CROSS JOIN run r ON r.execution = e.no
CROSS JOIN definition_body b ON b.no = e.body
ORDER BY k.id ${order}`;
  return {
    page: { sql, values: [...values, page.limit + 1, page.offset] },
    end: { sql: `SELECT id FROM (${entries}) LIMIT 1 OFFSET ?`, values: [...values, scanned - 1] },
  };
}

/** Characters of what may be long in a row of a list. */
function recordLength(x: ListedValues): number {
  return lengthOf(x.name, x.version, x.labels, x.failedNodeId, x.failureDescription, x.callbackWarning, x.state);
}

/** Prepares it. */
export function listExecutions(session: Session): Operations['listExecutions'] {
  const statements = new Map<string, (...values: readonly Value[]) => Iterable<unknown>>();
  const read = <T>({ sql, values }: Fragment): Iterable<T> => {
    let select = statements.get(sql);
    if (select === undefined) {
      if (statements.size >= maxStatements) statements.clear();
      select = session.iterate<unknown>(sql);
      statements.set(sql, select);
    }
    return select(...values) as Iterable<T>;
  };
  return (filter, page, after) => {
    const { page: pageStatement, end } = listStatements(filter, page, after);
    const found = copied(takePage(read<ListedValues>(pageStatement), page, recordLength));
    if (found.more) return found;
    // The cursor lets the next page start after the skipped entries.
    for (const { id } of read<{ readonly id: string }>(end)) return { ...found, more: true, after: id };
    return found;
  };
}
