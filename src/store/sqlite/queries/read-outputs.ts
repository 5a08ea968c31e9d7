/**
 * Reads the outputs of the latest visit of each queried node, as of an ord: the rows with an answer or key, and those of the
 * visit's compensation.
 *
 * Of a node within a loop, only rows of the same item count; the search ends at the ord after which they are.
 *
 * A row that a reference names is found by its ord. Reads the rows of that visit alone (backwards by index until another visit appears), however often a loop has passed; and
 * their lengths before their texts, so that what is too large is not read.
 */
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { stepTextColumns } from './step-text-columns.ts';

const noSql = 'SELECT no FROM execution WHERE id = ?';

const answersSql = `
SELECT no, ord, visit, octet_length(row) + coalesce(octet_length(output), 0) AS bytes FROM step
WHERE execution = ? AND round = ? AND node_id = ? AND readable = 1 AND ord < ? AND ord > ?
  AND (? = '' OR scope = ? OR (scope >= ? || '/' AND scope < ? || '0'))
ORDER BY ord DESC`;

const namedSql = `
SELECT no, ord, visit, octet_length(row) + coalesce(octet_length(output), 0) AS bytes FROM step
WHERE execution = ? AND ord = ?`;

const undoneSql = `
SELECT no, ord, visit, octet_length(row) + coalesce(octet_length(output), 0) AS bytes FROM step
WHERE execution = ? AND round = ? AND node_id = ? AND visit = ? AND readable = 2 AND ord < ?
ORDER BY ord`;

const rowSql = `SELECT ${stepTextColumns}, s.output FROM step s WHERE no = ?`;

interface Row {
  readonly no: number;
  readonly ord: number;
  readonly visit: number;
  readonly bytes: number;
}

/** Prepares it. */
export function readOutputs(session: Session): Operations['readOutputs'] {
  const findNo = session.one<{ no: number }>(noSql);
  const answers = session.db.prepare(answersSql);
  const named = session.one<Row>(namedSql);
  const undone = session.all<Row>(undoneSql);
  const text = session.one<StepText>(rowSql);
  return (id, round, queries, maxBytes = Infinity) => {
    const no = findNo(id)?.no;
    if (no === undefined) return [];
    const found = new Map<number, Row>();
    for (const { nodeId, before = Number.MAX_SAFE_INTEGER, at, within } of queries) {
      if (at !== undefined) {
        const row = named(no, at);
        if (row !== undefined) found.set(row.ord, row);
        continue;
      }
      let visit: number | undefined;
      const { scope = '', after = -1 } = within ?? {};
      const bounds = [before, after, scope, scope, scope, scope] as const;
      for (const row of answers.iterate(no, round, nodeId, ...bounds) as Iterable<unknown> as Iterable<Row>) {
        if (visit !== undefined && row.visit !== visit) break;
        ({ visit } = row);
        found.set(row.ord, row);
      }
      if (visit === undefined) continue;
      for (const row of undone(no, round, nodeId, visit, before)) found.set(row.ord, row);
    }
    const rows = [...found.values()].sort((a, b) => a.ord - b.ord);
    if (rows.reduce((sum, { bytes }) => sum + bytes, 0) > maxBytes) return undefined;
    return rows.flatMap(({ no: step }) => {
      const stored = text(step);
      // Plain objects cross threads; what SQLite gives has no prototype.
      return stored === undefined ? [] : [{ ...stored }];
    });
  };
}
