import type { ChildCounts } from '../../../ports/store.ts';
import { executionId } from '../columns/execution-id.ts';
import type { Connections } from '../connection/connections.ts';
import { nameIsLike } from '../name-globs.ts';

const sql = (join: string): string => `
SELECT count(*)::int AS count, (count(*) FILTER (WHERE completed_at IS NULL))::int AS running,
  (count(*) FILTER (WHERE status = 'CORRUPTED'))::int AS corrupted
FROM (
  SELECT e.completed_at, e.status FROM execution e${join} WHERE e.parent = $1 ORDER BY e.id LIMIT $2
) children`;

const allStatement = { name: 'count-children', text: sql('') };

const namedStatement = {
  name: 'count-named-children',
  text: sql(' JOIN definition_body d ON d.no = e.body AND d.name LIKE ANY ($3::text[])'),
};

/** Counts the executions that one execution started itself, at most `limit` of them. */
export async function countChildren(
  connections: Connections,
  id: string,
  nameGlobs: readonly string[] | undefined,
  limit: number,
): Promise<ChildCounts> {
  const values = [executionId(id.toLowerCase()), limit];
  const statement =
    nameGlobs === undefined
      ? { ...allStatement, values }
      : { ...namedStatement, values: [...values, nameIsLike(nameGlobs)] };
  const [row] = await connections.query<ChildCounts>('short', statement);
  return row ?? { count: 0, running: 0, corrupted: 0 };
}
