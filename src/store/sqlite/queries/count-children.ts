/** Counts the executions that one execution started itself, at most `limit` of them. */
import type { Operations } from '../protocol.ts';
import { globCondition } from '../name-globs.ts';
import type { Session } from '../session.ts';

interface Row {
  readonly count: number;
  readonly running: number | null;
  readonly corrupted: number | null;
}

const countSql = (condition: string): string => `
SELECT count(*) AS count, sum(completed_at IS NULL) AS running, sum(status = 'CORRUPTED') AS corrupted FROM (
  SELECT e.completed_at, e.status FROM execution e INDEXED BY execution_by_parent
  WHERE e.parent = ?${condition} ORDER BY e.id LIMIT ?)`;

/** Prepares it. */
export function countChildren(session: Session): Operations['countChildren'] {
  const all = session.one<Row>(countSql(''));
  return (id, nameGlobs, limit) => {
    const names = globCondition('e.name', nameGlobs);
    const row =
      names === undefined
        ? all(id, limit)
        : session.one<Row>(countSql(` AND ${names.sql}`))(id, ...names.values, limit);
    return { count: row?.count ?? 0, running: row?.running ?? 0, corrupted: row?.corrupted ?? 0 };
  };
}
