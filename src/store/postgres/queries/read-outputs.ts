/**
 * Reads what the latest visit of each asked node answered, as of an ord: its rows with an answer or key, and those of its
 * compensation.
 *
 * The latest row of a node names the visit. Visits of a node follow each other, so the other rows of its answer lie just
 * before, and each is one step into an index until another visit appears, however often a loop has passed. Rows of
 * compensations have an index of their own.
 */
import type { OutputQuery } from '../../../core/outputs.ts';
import type { StepText } from '../../stored-rows.ts';
import { int4Array, textArray } from '../binary-array.ts';
import type { Connections } from '../connections.ts';
import { encodeText } from '../text-column.ts';

interface Row extends StepText {
  readonly ord: number;
}

/** Beyond every ord. */
const end = 2_147_483_647;

const sql = `
WITH RECURSIVE asked AS (
  SELECT q.nr, q.node_id, q.before FROM unnest($3::text[], $4::int[]) WITH ORDINALITY AS q (node_id, before, nr)
), answers AS (
  SELECT a.nr, a.node_id, a.before, s.* FROM asked a CROSS JOIN LATERAL (
    SELECT ord, visit, "row", undo FROM step
    WHERE execution = $1 AND round = $2 AND node_id = a.node_id AND readable = 1 AND ord < a.before
    ORDER BY ord DESC LIMIT 1
  ) s
  UNION ALL
  SELECT a.nr, a.node_id, a.before, s.* FROM answers a CROSS JOIN LATERAL (
    SELECT ord, visit, "row", undo FROM step
    WHERE execution = $1 AND round = $2 AND node_id = a.node_id AND readable = 1 AND ord < a.ord
    ORDER BY ord DESC LIMIT 1
  ) s WHERE s.visit = a.visit
)
SELECT ord, "row", undo FROM answers
UNION ALL
SELECT s.ord, s."row", s.undo FROM (SELECT DISTINCT node_id, before, visit FROM answers) a
JOIN step s ON s.execution = $1 AND s.round = $2 AND s.node_id = a.node_id AND s.visit = a.visit AND s.readable = 2
  AND s.ord < a.before`;

/** Reads them, in the order of their ords. */
export async function readOutputs(
  connections: Connections,
  id: string,
  round: number,
  queries: readonly OutputQuery[],
): Promise<StepText[]> {
  const values = [
    id,
    round,
    textArray(queries.map(({ nodeId }) => encodeText(nodeId))),
    int4Array(queries.map(({ before }) => Math.min(before ?? end, end))),
  ];
  const rows = await connections.query<Row>('short', { name: 'read-outputs', text: sql, values });
  // Two questions may have the same answer.
  const byOrd = new Map(rows.map((row) => [row.ord, row]));
  return [...byOrd.values()].sort((a, b) => a.ord - b.ord);
}
