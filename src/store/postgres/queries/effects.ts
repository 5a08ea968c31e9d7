import { type EffectFilter, maxStandingRequests, type UndoFilter } from '../../../ports/store.ts';
import type { StepText } from '../../step-text.ts';
import { int4Array, textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import { executionId } from '../columns/execution-id.ts';
import { stepTextColumns, stepTextNames, storedStep } from '../columns/step-text-columns.ts';
import { encodeText } from '../columns/text-column.ts';
import type { UndoPosition } from '../undo-positions.ts';

/** Ranks of compensations, see `UndoRank`. */
const ranks = { first: 1, last: 3 };

/** Exceeds the sort of any row. */
const maxSort = 2_147_483_647;

// The name of an inner scope begins with its outer scope and a slash. One ordered scan per rank, from the given position on. Ranks
// but the first sort by ord, so that the scan ends at the ord after which all rows of the scope are.
const undoSql = `
SELECT q.nr::int AS nr, ${stepTextColumns('s')}
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::int[], $8::int[], $9::int[]) WITH ORDINALITY
  AS q (execution, round, undo, scope, node_id, visit, rank, sort, after, nr)
CROSS JOIN LATERAL (
  SELECT of_rank.* FROM generate_series(q.rank, ${ranks.last}) AS k (rank) CROSS JOIN LATERAL (
    SELECT ${stepTextNames} FROM step
    WHERE execution = q.execution AND round = q.round AND undo = q.undo AND undo_rank = k.rank
      AND undo_sort <= CASE WHEN k.rank = q.rank THEN q.sort ELSE ${maxSort} END
      AND undo_sort > CASE WHEN k.rank = ${ranks.first} THEN -1 ELSE q.after END AND ord > q.after
      AND (q.scope = '' OR scope = q.scope OR starts_with(scope, q.scope || '/'))
      AND (q.node_id IS NULL OR (node_id = q.node_id AND visit = q.visit))
    ORDER BY undo_sort DESC LIMIT 1
  ) of_rank
  ORDER BY k.rank LIMIT 1
) s`;

const effectsSql = `
SELECT ${stepTextColumns('s')} FROM step s WHERE execution = $1 AND marked = 1 ORDER BY ord LIMIT $2`;

const ofNodeSql = '($7::text IS NULL OR node_id = $7) AND ($8::int IS NULL OR visit = $8)';

// One ordered index scan per round and kind, which stops at the limit. Effects that nothing undoes have no order and no index:
// the history is walked for them.
const someEffectsSql = `
SELECT ${stepTextColumns('s')} FROM generate_series($3::int, $4::int) AS r (round)
CROSS JOIN unnest($5::text[]) AS u (undo) CROSS JOIN LATERAL (
  SELECT ${stepTextNames} FROM step
  WHERE execution = $1 AND round = r.round AND undo = u.undo AND (undo <> 'accepted' OR effect IS NOT NULL) AND ${ofNodeSql}
  ORDER BY undo_rank, undo_sort DESC LIMIT $2
) s
UNION ALL
SELECT ${stepTextColumns('bare')} FROM (
  SELECT ${stepTextNames} FROM step
  WHERE execution = $1 AND round BETWEEN $3 AND $4 AND undo IS NULL AND effect IS NOT NULL AND ${ofNodeSql}
  ORDER BY ord LIMIT CASE WHEN $6::bool THEN $2 ELSE 0 END
) bare
LIMIT $2`;

const standingSql = `
SELECT q.nr::int AS nr, ${stepTextColumns('s')}
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) WITH ORDINALITY AS q (execution, node_id, visit, round, nr)
CROSS JOIN LATERAL (
  SELECT ${stepTextNames} FROM step
  WHERE execution = q.execution AND node_id = q.node_id AND visit = q.visit AND round < q.round AND earlier
    AND effect IS NOT NULL AND (undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'))
  ORDER BY round DESC, ord DESC LIMIT 1
) s`;

// The fingerprint is in the text of the row, in hexadecimal digits. A row without one is one of a call that was given up.
const requestsSql = `
SELECT ${stepTextColumns('s')} FROM step s
WHERE execution = $1 AND node_id = $2 AND round < $3 AND earlier
  AND effect IS NOT NULL AND (undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'))
  AND (position($4 IN "row") > 0 OR (effect = 'unknown' AND position('"hash":' IN "row") = 0))
ORDER BY ord LIMIT $5`;

/** A query for the next row that an execution must compensate. */
export interface UndoWanted {
  readonly id: string;
  readonly round: number;
  readonly filter: UndoFilter;
  /** Rows before this position are not looked at; absent: none. */
  readonly from: UndoPosition | undefined;
}

/** A query for the standing effect of a visit in rounds before `round`. */
export interface StandingWanted {
  readonly id: string;
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
}

interface FoundRow extends StepText {
  /** Number of the query, from 1. */
  readonly nr: number;
}

/** Returns at most one row per query, in the order of the queries. */
async function ask(
  connections: Connections,
  name: string,
  text: string,
  values: readonly unknown[],
  questions: number,
): Promise<readonly (StepText | undefined)[]> {
  const found: (StepText | undefined)[] = Array.from({ length: questions });
  for (const row of await connections.query<FoundRow>('short', { name, text, values }))
    found[row.nr - 1] = storedStep(row);
  return found;
}

/**
 * Finds the next rows to compensate, for many executions at once: lowest rank, highest sort; see {@link UndoFilter}. What has been
 * compensated leaves dead index entries before the next row, which a search from a position does not read.
 */
export function findUndo(
  connections: Connections,
  wanted: readonly UndoWanted[],
): Promise<readonly (StepText | undefined)[]> {
  const filters = wanted.map(({ filter }) => filter);
  const values = [
    uuidArray(wanted.map(({ id }) => executionId(id))),
    int4Array(wanted.map(({ round }) => round)),
    textArray(filters.map(({ undo = 'pending' }) => undo)),
    textArray(filters.map(({ scope }) => encodeText(scope))),
    textArray(filters.map(({ only }) => (only === undefined ? null : encodeText(only.nodeId)))),
    int4Array(filters.map(({ only }) => only?.visit ?? null)),
    int4Array(wanted.map(({ from }) => from?.rank ?? ranks.first)),
    int4Array(wanted.map(({ from }) => from?.sort ?? maxSort)),
    int4Array(filters.map(({ after = -1 }) => after)),
  ];
  return ask(connections, 'find-undo', undoSql, values, wanted.length);
}

/** Lists rows with an effect or a compensation, at most `limit`; see {@link Store.listEffects}. */
export async function listEffects(
  connections: Connections,
  id: string,
  limit: number,
  filter: EffectFilter | undefined,
): Promise<StepText[]> {
  if (filter === undefined) {
    const all = { name: 'list-effects', text: effectsSql, values: [id, limit] };
    return (await connections.query<StepText>('short', all)).map((row) => storedStep(row));
  }
  const { rounds, only, undo } = filter;
  const kinds = undo.filter((kind) => kind !== 'none');
  const node = [only === undefined ? null : encodeText(only.nodeId), only?.visit ?? null];
  const values = [id, limit, ...rounds, textArray(kinds), kinds.length < undo.length, ...node];
  const some = { name: 'list-some-effects', text: someEffectsSql, values };
  return (await connections.query<StepText>('short', some)).map((row) => storedStep(row));
}

/**
 * Finds the latest standing effects of visits in earlier rounds, for many executions at once. The change that begins a round has
 * put the effects of the earlier ones into an index.
 */
export function findStanding(
  connections: Connections,
  wanted: readonly StandingWanted[],
): Promise<readonly (StepText | undefined)[]> {
  const values = [
    uuidArray(wanted.map(({ id }) => executionId(id))),
    textArray(wanted.map(({ nodeId }) => encodeText(nodeId))),
    int4Array(wanted.map(({ visit }) => visit)),
    int4Array(wanted.map(({ round }) => round)),
  ];
  return ask(connections, 'find-standing', standingSql, values, wanted.length);
}

/** Lists standing effects of a node in earlier rounds by their request; see {@link Store.listStandingRequests}. */
export async function listStandingRequests(
  connections: Connections,
  id: string,
  nodeId: string,
  round: number,
  fingerprint: string,
): Promise<StepText[]> {
  const values = [executionId(id), encodeText(nodeId), round, `"hash":"${fingerprint}"`, maxStandingRequests];
  const rows = await connections.query<StepText>('short', { name: 'standing-requests', text: requestsSql, values });
  return rows.map((row) => storedStep(row));
}
