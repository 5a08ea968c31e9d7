/**
 * Removes executions that ended before an instant, oldest first, but for CORRUPTED ones, those with unknown effects that
 * no operator settled, and those whose hook is still to be delivered. Answers how many.
 *
 * In one transaction the execution itself goes, with its state, input, inbox and labels, so that it cannot be retried any more;
 * its number stays as garbage until its history is swept. Its start keys become orphans; a definition that no execution is
 * pinned to any more goes.
 */
import { decodeLabels } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const selectSql = `
SELECT no, id, body, labels FROM execution INDEXED BY execution_removable
WHERE completed_at IS NOT NULL AND status <> 'CORRUPTED' AND standing < 2 AND completed_at < ? AND due_at IS NULL
ORDER BY completed_at LIMIT ?`;

const orphanSql = 'UPDATE start_key SET orphan = 1 WHERE execution_id = ?';

const removeBodySql = `
DELETE FROM definition_body WHERE no = ?1 AND NOT EXISTS (SELECT 1 FROM execution WHERE body = ?1)`;

interface Row {
  readonly no: number;
  readonly id: string;
  readonly body: number;
  readonly labels: string | null;
}

/** Prepares it. */
export function removeCompleted(session: Session): Operations['removeCompleted'] {
  const select = session.all<Row>(selectSql);
  const removals = ['DELETE FROM execution WHERE no = ?'].concat(
    ['run', 'input', 'inbox'].map((table) => `DELETE FROM ${table} WHERE execution = ?`),
    'INSERT INTO garbage (execution) VALUES (?)',
  );
  const statements = removals.map((sql) => session.write(sql));
  const removeLabel = session.write('DELETE FROM label WHERE key = ? AND value = ? AND id = ?');
  const orphan = session.write(orphanSql);
  const removeBody = session.write(removeBodySql);
  return (before, limit) => {
    const rows = select(before, limit);
    for (const row of rows) {
      for (const remove of statements) remove(row.no);
      for (const [key, value] of Object.entries(decodeLabels(row.labels))) removeLabel(key, value, row.id);
      orphan(row.id);
    }
    let bodies = 0;
    for (const body of new Set(rows.map((row) => row.body))) bodies += removeBody(body);
    // Inserts of executions remember the numbers of definitions.
    if (bodies > 0) session.rolledBack();
    return rows.length;
  };
}
