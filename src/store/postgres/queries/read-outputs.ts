import type { OutputQuery } from '../../../core/context/outputs.ts';
import type { StepText } from '../../step-text.ts';
import { int4Array, int8Array, textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { executionId } from '../columns/execution-id.ts';
import { stepTextColumns, stepTextNames, storedStep } from '../columns/step-text-columns.ts';
import { encodeText } from '../columns/text-column.ts';

/** The queries of one execution. */
export interface OutputsWanted {
  readonly id: string;
  readonly round: number;
  readonly queries: readonly OutputQuery[];
  /** Absent: unlimited. */
  readonly maxBytes?: number | undefined;
}

interface Row extends Omit<StepText, 'row'> {
  readonly who: number;
  /** Null: the outputs of this execution exceed `maxBytes`. */
  readonly row: string | null;
}

/** Exceeds every ord. */
const end = 2_147_483_647;

const names = `${stepTextNames}, output`;

/** Of a node within a loop, only rows of the same item count. */
const ofItem = `AND ord > a.after AND (a.item IS NULL OR scope = a.item OR starts_with(scope, a.item || '/'))`;

const sql = `
WITH RECURSIVE asked AS (
  SELECT q.* FROM unnest($1::int[], $2::uuid[], $3::int[], $4::text[], $5::int[], $7::int[], $8::text[], $9::int[])
    AS q (who, execution, round, node_id, before, at, item, after)
), answers AS (
  SELECT a.who, a.execution, a.round AS asked_round, a.node_id AS asked_node, a.before, a.item, a.after, s.*
  FROM asked a CROSS JOIN LATERAL (
    SELECT ${names} FROM step
    WHERE execution = a.execution AND round = a.round AND node_id = a.node_id AND readable = 1 AND ord < a.before ${ofItem}
    ORDER BY ord DESC LIMIT 1
  ) s WHERE a.at IS NULL
  UNION ALL
  SELECT a.who, a.execution, a.asked_round, a.asked_node, a.before, a.item, a.after, s.*
  FROM answers a CROSS JOIN LATERAL (
    SELECT ${names} FROM step
    WHERE execution = a.execution AND round = a.asked_round AND node_id = a.asked_node AND readable = 1 AND ord < a.ord ${ofItem}
    ORDER BY ord DESC LIMIT 1
  ) s WHERE s.visit = a.visit
), found AS (
SELECT who, ${names} FROM answers
UNION ALL
SELECT a.who, s.* FROM asked a CROSS JOIN LATERAL (
  SELECT ${names} FROM step WHERE execution = a.execution AND ord = a.at OFFSET 0
) s
UNION ALL
SELECT a.who, s.* FROM (
  SELECT DISTINCT who, execution, round, node_id, before, visit FROM answers
) a CROSS JOIN LATERAL (
  SELECT ${names} FROM step
  WHERE execution = a.execution AND round = a.round AND node_id = a.node_id AND visit = a.visit AND readable = 2
    AND ord < a.before OFFSET 0
) s)
SELECT who, ${stepTextColumns('bounded').replace('bounded."row"', 'CASE WHEN fits THEN "row" END AS "row"')}, CASE WHEN fits THEN output END AS output FROM (
  SELECT *, sum(octet_length("row") + coalesce(octet_length(output), 0)) OVER (PARTITION BY who) <= ($6::bigint[])[who + 1] AS fits
  FROM found
) bounded`;

/** The statement of {@link readOutputs}. */
export function outputsStatement(wanted: readonly OutputsWanted[]): Statement {
  const asked = wanted.flatMap(({ id, round, queries }, who) => queries.map((query) => ({ who, id, round, ...query })));
  const values = [
    int4Array(asked.map(({ who }) => who)),
    uuidArray(asked.map(({ id }) => executionId(id))),
    int4Array(asked.map(({ round }) => round)),
    textArray(asked.map(({ nodeId }) => encodeText(nodeId))),
    int4Array(asked.map(({ before }) => Math.min(before ?? end, end))),
    int8Array(wanted.map(({ maxBytes = Infinity }) => Math.min(maxBytes, Number.MAX_SAFE_INTEGER))),
    int4Array(asked.map(({ at }) => at ?? null)),
    textArray(asked.map(({ within }) => (within === undefined ? null : encodeText(within.scope)))),
    int4Array(asked.map(({ within }) => within?.after ?? -1)),
  ];
  return { name: 'read-outputs', text: sql, values };
}

/**
 * Reads the outputs of the latest visit of each queried node, as of an ord, for many executions at once: the rows with an
 * answer or key, and those of the visit's compensation. Returns the rows of each execution ordered by ord, undefined if they
 * exceed its bound.
 *
 * A row that a reference names is found by its ord. Otherwise, the latest row of a node identifies the visit. Visits of a node follow each other, so the statement steps back through an
 * index, one lookup per row, until another visit appears, regardless of the number of loop passes. Rows of compensations have
 * a separate index. The statement does not read texts beyond the bound: Postgres knows their length without fetching them.
 */
export async function readOutputs(
  connections: Connections,
  wanted: readonly OutputsWanted[],
): Promise<readonly (readonly StepText[] | undefined)[]> {
  const rows = await connections.query<Row>('short', outputsStatement(wanted));
  // Two queries may return the same row.
  const found = wanted.map(() => new Map<number, StepText>());
  const tooLarge = new Set<number>();
  for (const { who, row, ...columns } of rows) {
    if (row === null) tooLarge.add(who);
    else found[who]?.set(columns.ord, storedStep({ ...columns, row }));
  }
  return found.map((byOrd, who) => (tooLarge.has(who) ? undefined : [...byOrd.values()].sort((a, b) => a.ord - b.ord)));
}
