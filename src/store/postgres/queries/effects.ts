/**
 * Effects and compensations of one execution: the next row to compensate, all rows that have one, and what stands from
 * earlier rounds.
 */
import type { EffectFilter, UndoFilter } from '../../../ports/store.ts';
import type { StepText } from '../../stored-rows.ts';
import { textArray } from '../binary-array.ts';
import type { Connections } from '../connections.ts';
import { encodeText } from '../text-column.ts';

// A scope's inner scopes begin with it and a slash.
const undoSql = `
SELECT "row", undo FROM step
WHERE execution = $1 AND round = $2 AND undo = $3 AND marked = 1
  AND ($4 = '' OR scope = $4 OR starts_with(scope, $4 || '/'))
  AND ($5::text IS NULL OR (node_id = $5 AND visit = $6))
ORDER BY undo_rank, undo_sort DESC LIMIT 1`;

const effectsSql = `
SELECT "row", undo FROM step WHERE execution = $1 AND marked = 1 ORDER BY ord LIMIT $2`;

// Of each round and kind one ordered index scan that stops at the limit, however many rows there are.
const effectsOfKindSql = (kind: string): string => `
  SELECT "row", undo FROM step
  WHERE execution = $1 AND round = r.round AND marked = 1 AND ${kind}
    AND ($7::text IS NULL OR node_id = $7) AND ($8::int IS NULL OR visit = $8)
  ORDER BY undo_rank, undo_sort DESC LIMIT $2`;

const someEffectsSql = `
SELECT s."row", s.undo FROM generate_series($3::int, $4::int) AS r (round)
CROSS JOIN unnest($5::text[]) AS u (undo) CROSS JOIN LATERAL (${effectsOfKindSql("undo = u.undo AND (undo <> 'accepted' OR effect IS NOT NULL)")}) s
UNION ALL
SELECT s."row", s.undo FROM generate_series($3::int, $4::int) AS r (round)
CROSS JOIN LATERAL (${effectsOfKindSql('undo IS NULL AND effect IS NOT NULL')}) s
WHERE $6::bool
LIMIT $2`;

const standingSql = `
SELECT "row", undo FROM step
WHERE execution = $1 AND node_id = $2 AND visit = $3 AND round < $4 AND marked = 1 AND effect IS NOT NULL
  AND (undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'))
ORDER BY round DESC, ord DESC LIMIT 1`;

/** The next row to compensate: lowest rank, highest sort; see {@link UndoFilter}. */
export async function findUndo(
  connections: Connections,
  id: string,
  round: number,
  { scope, only, undo = 'pending' }: UndoFilter,
): Promise<StepText | undefined> {
  const visit = only === undefined ? [null, null] : [encodeText(only.nodeId), only.visit];
  const values = [id, round, undo, encodeText(scope), ...visit];
  return (await connections.query<StepText>('short', { name: 'find-undo', text: undoSql, values }))[0];
}

/** Rows with an effect or a compensation; at most `limit`. See {@link Store.listEffects}. */
export function listEffects(
  connections: Connections,
  id: string,
  limit: number,
  filter: EffectFilter | undefined,
): Promise<StepText[]> {
  if (filter === undefined) {
    return connections.query<StepText>('short', { name: 'list-effects', text: effectsSql, values: [id, limit] });
  }
  const { rounds, only, undo } = filter;
  const kinds = undo.filter((kind) => kind !== 'none');
  const node = [only === undefined ? null : encodeText(only.nodeId), only?.visit ?? null];
  const values = [id, limit, ...rounds, textArray(kinds), kinds.length < undo.length, ...node];
  return connections.query<StepText>('short', { name: 'list-some-effects', text: someEffectsSql, values });
}

/** The latest effect of a node's visit that stands from a round before the given one. */
export async function findStanding(
  connections: Connections,
  id: string,
  nodeId: string,
  visit: number,
  round: number,
): Promise<StepText | undefined> {
  const values = [id, encodeText(nodeId), visit, round];
  return (await connections.query<StepText>('short', { name: 'find-standing', text: standingSql, values }))[0];
}
