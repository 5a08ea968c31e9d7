/**
 * Reads what the latest visit of each asked node answered, as of an ord: its rows with an answer or key, and those of its
 * compensation.
 *
 * Reads the rows of that visit alone (backwards by index until another visit appears), however often a loop has passed.
 */
import type { StepText } from '../../step-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const noSql = 'SELECT no FROM execution WHERE id = ?';

const answersSql = `
SELECT ord, visit, undo, row, output FROM step
WHERE execution = ? AND round = ? AND node_id = ? AND readable = 1 AND ord < ?
ORDER BY ord DESC`;

const undoneSql = `
SELECT ord, visit, undo, row, output FROM step
WHERE execution = ? AND round = ? AND node_id = ? AND visit = ? AND readable = 2 AND ord < ?
ORDER BY ord`;

interface Row extends StepText {
  readonly ord: number;
  readonly visit: number;
}

/** Prepares it. */
export function readOutputs(session: Session): Operations['readOutputs'] {
  const findNo = session.one<{ no: number }>(noSql);
  const answers = session.db.prepare(answersSql);
  const undone = session.all<Row>(undoneSql);
  return (id, round, queries) => {
    const no = findNo(id)?.no;
    if (no === undefined) return [];
    const found = new Map<number, Row>();
    for (const { nodeId, before = Number.MAX_SAFE_INTEGER } of queries) {
      let visit: number | undefined;
      for (const row of answers.iterate(no, round, nodeId, before) as Iterable<unknown> as Iterable<Row>) {
        if (visit !== undefined && row.visit !== visit) break;
        ({ visit } = row);
        found.set(row.ord, row);
      }
      if (visit === undefined) continue;
      for (const row of undone(no, round, nodeId, visit, before)) found.set(row.ord, row);
    }
    return [...found.values()]
      .sort((a, b) => a.ord - b.ord)
      .map(({ row, undo, output }) => ({ row, undo, output: output ?? null }));
  };
}
