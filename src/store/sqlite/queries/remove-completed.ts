/**
 * Removes executions that ended before an instant, oldest first, but for CORRUPTED ones, those with unknown effects that
 * no operator settled, and those whose hook is still to be delivered. Answers how many, and whether nothing more is to be removed.
 *
 * A family goes with its root: only the end of the root counts, and one member that must be kept keeps all. The root goes first; its
 * members follow, in further transactions where they are many. A member that has begun something meanwhile follows once it is over.
 *
 * In one transaction the execution itself goes, with its state, input, inbox and labels, so that it cannot be retried any more;
 * its number stays as garbage until its history is swept. Its start keys become orphans; a definition that no execution is
 * pinned to any more goes.
 *
 * A transaction looks at a bounded number of roots and the next one goes on after them, so that families which are kept do not
 * stand in the way.
 */
import { decodeLabels } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { keepsFamily } from './keeps-family.ts';

/** Roots that one transaction looks at. */
const maxLooked = 1000;

const rootsSql = `
SELECT no, id, body, labels, completed_at AS completedAt FROM execution INDEXED BY execution_removable
WHERE completed_at IS NOT NULL AND status <> 'CORRUPTED' AND standing < 2 AND root IS NULL AND completed_at < ?
  AND due_at IS NULL AND (completed_at, no) > (?, ?)
ORDER BY completed_at, no LIMIT ${maxLooked}`;

const keeperSql = `SELECT 1 FROM execution INDEXED BY execution_family WHERE root = ? AND ${keepsFamily} = 1 LIMIT 1`;

const memberSql = `SELECT 1 FROM execution INDEXED BY execution_family WHERE root = ? AND ${keepsFamily} IN (0, 1) LIMIT 1`;

const orphansSql = `
SELECT e.no, e.id, e.body, e.labels FROM removed_root r CROSS JOIN execution e INDEXED BY execution_family
WHERE e.root = r.root AND ${keepsFamily} = 0 LIMIT ?`;

const settledSql = `
DELETE FROM removed_root WHERE NOT EXISTS (
  SELECT 1 FROM execution INDEXED BY execution_family WHERE root = removed_root.root AND ${keepsFamily} IN (0, 1))`;

const orphanSql = 'UPDATE start_key SET orphan = 1 WHERE execution_id = ?';

const removeBodySql = `
DELETE FROM definition_body WHERE no = ?1 AND NOT EXISTS (SELECT 1 FROM execution WHERE body = ?1)`;

interface Row {
  readonly no: number;
  readonly id: string;
  readonly body: number;
  readonly labels: string | null;
}

interface Root extends Row {
  readonly completedAt: number;
}

const beginning = { completedAt: Number.MIN_SAFE_INTEGER, no: 0 };

/** Prepares it. */
export function removeCompleted(session: Session): Operations['removeCompleted'] {
  const roots = session.all<Root>(rootsSql);
  const keeper = session.one(keeperSql);
  const member = session.one(memberSql);
  const orphans = session.all<Row>(orphansSql);
  const addRoot = session.write('INSERT INTO removed_root (root) VALUES (?) ON CONFLICT DO NOTHING');
  const settle = session.write(settledSql);
  const removals = ['DELETE FROM execution WHERE no = ?'].concat(
    ['run', 'input', 'inbox'].map((table) => `DELETE FROM ${table} WHERE execution = ?`),
    'INSERT INTO garbage (execution) VALUES (?)',
  );
  const statements = removals.map((sql) => session.write(sql));
  const removeLabel = session.write('DELETE FROM label WHERE key = ? AND value = ? AND id = ?');
  const orphan = session.write(orphanSql);
  const removeBody = session.write(removeBodySql);
  let after = beginning;

  function remove(rows: readonly Row[]): number {
    for (const row of rows) {
      for (const statement of statements) statement(row.no);
      for (const [key, value] of Object.entries(decodeLabels(row.labels))) removeLabel(key, value, row.id);
      orphan(row.id);
    }
    let bodies = 0;
    for (const body of new Set(rows.map((row) => row.body))) bodies += removeBody(body);
    // Inserts of executions remember the numbers of definitions.
    if (bodies > 0) session.rolledBack();
    return rows.length;
  }

  /** Goes on where the last transaction ended; from the beginning once nothing is left. */
  function removeRoots(before: number, limit: number): { readonly removed: number; readonly isEnd: boolean } {
    const looked = roots(before, after.completedAt, after.no);
    const old: Root[] = [];
    let isEnd = looked.length < maxLooked;
    after = isEnd ? beginning : (looked.at(-1) as Root);
    for (const root of looked) {
      if (old.length === limit) {
        isEnd = false;
        after = old.at(-1) ?? after;
        break;
      }
      if (keeper(root.id) === undefined) old.push(root);
    }
    for (const { id } of old) if (member(id) !== undefined) addRoot(id);
    return { removed: remove(old), isEnd };
  }

  return (before, limit) => {
    let removed = remove(orphans(limit));
    if (removed === limit) return { removed, isEnd: false };
    const found = removeRoots(before, limit - removed);
    removed += found.removed;
    if (removed < limit) removed += remove(orphans(limit - removed));
    const isEnd = found.isEnd && removed < limit;
    if (isEnd) settle();
    return { removed, isEnd };
  };
}
