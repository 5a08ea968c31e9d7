import { int4Array, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session } from '../connection/session.ts';
import { isLookedUp } from './looked-up.ts';

const removeSql = `
WITH old AS MATERIALIZED (
  SELECT id FROM execution
  WHERE completed_at IS NOT NULL AND status <> 'CORRUPTED' AND standing < 2 AND completed_at < $1
    AND due_at IS NULL
  ORDER BY completed_at LIMIT $2
  FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM execution e USING old WHERE ${isLookedUp('e.id', 'old.id')} RETURNING e.id, e.body
), garbage AS (
  INSERT INTO garbage (execution) SELECT id FROM gone ON CONFLICT DO NOTHING
), events AS (
  DELETE FROM inbox b USING old WHERE ${isLookedUp('b.execution', 'old.id')}
), labels AS (
  DELETE FROM label l USING old WHERE ${isLookedUp('l.execution', 'old.id')}
), keys AS (
  UPDATE start_key k SET orphan = true FROM old WHERE ${isLookedUp('k.execution_id', 'old.id')}
)
SELECT id, body FROM gone`;

const lockBodiesSql = 'SELECT no FROM definition_body WHERE no = ANY ($1::int[]) ORDER BY no FOR UPDATE';

const removeBodiesSql = `
DELETE FROM definition_body d
WHERE d.no = ANY ($1::int[]) AND NOT EXISTS (SELECT 1 FROM execution e WHERE e.body = d.no)`;

const unusedBodiesSql = `
SELECT no FROM definition_body d
WHERE NOT EXISTS (SELECT 1 FROM execution e WHERE e.body = d.no) ORDER BY no LIMIT 1000`;

const findSql = 'SELECT execution FROM garbage LIMIT $1';

const sliceSql = (table: 'step' | 'call'): string => `
WITH slice AS MATERIALIZED (
  SELECT execution, ord FROM ${table} WHERE execution = ANY ($1::uuid[]) LIMIT $2
)
DELETE FROM ${table} t USING slice WHERE ${isLookedUp('t.execution', 'slice.execution')} AND t.ord = slice.ord RETURNING 1`;

const sweptSql = 'DELETE FROM garbage WHERE execution = ANY ($1::uuid[])';

const rangesSql = 'SELECT low, high FROM dropped_range LIMIT 1';

const rangeKeysSql = `
UPDATE start_key SET orphan = true WHERE execution_id IN (
  SELECT execution_id FROM start_key WHERE execution_id >= $1 AND execution_id < $2 AND NOT orphan LIMIT $3)
RETURNING 1`;

const rangeDoneSql = 'DELETE FROM dropped_range WHERE low = $1';

const keysSql = `
DELETE FROM start_key WHERE (caller, key) IN (
  SELECT caller, key FROM start_key WHERE orphan AND created_at < $1 LIMIT $2)
RETURNING 1`;

/** Rows of history removed per statement. */
const slice = 5000;

/** Executions whose history is removed in one slice. */
const sweptTogether = 100;

const dayMillis = 86_400_000;

/**
 * Removes up to `limit` executions that ended before an instant, oldest first, and returns how many. Keeps CORRUPTED
 * executions, those with unresolved unknown effects, and those with an undelivered hook.
 *
 * One transaction removes executions with inbox and labels, so that they can no longer be retried, and records their ids as
 * garbage. {@link sweep} then removes their history, which may be long, in slices. Their start keys become orphans, which
 * `sweep` removes once they are a day old. Definition bodies that no execution is pinned to are removed, too.
 *
 * The age of a key counts until `before`, which is in the past, so keys may stay longer than a day, never shorter.
 */
export async function removeCompleted(connections: Connections, before: number, limit: number): Promise<number> {
  const gone = await connections.query<{ body: number }>('long', { text: removeSql, values: [before, limit] });
  await removeBodies(connections, [...new Set(gone.map(({ body }) => body))]);
  return gone.length;
}

/**
 * Removes definition bodies that no execution is pinned to. The first statement locks them: the second statement sees any
 * concurrent transaction that pinned one, or that transaction waits and then finds the body gone.
 */
async function removeBodies(connections: Connections, bodies: readonly number[]): Promise<void> {
  if (bodies.length === 0) return;
  const values = [int4Array(bodies)];
  await connections.transaction('long', async (session) => {
    await session.query({ text: lockBodiesSql, values });
    await session.query({ text: removeBodiesSql, values });
  });
}

/** Finds and removes all definition bodies that no execution is pinned to. */
export async function removeUnusedBodies(connections: Connections): Promise<void> {
  const found = await connections.query<{ no: number }>('long', { text: unusedBodiesSql });
  await removeBodies(
    connections,
    found.map(({ no }) => no),
  );
}

/** Removes a slice of the garbage of removed executions; returns whether any is left. */
export async function sweep(connections: Connections, before: number): Promise<boolean> {
  const garbage = await connections.query<{ execution: string }>('long', { text: findSql, values: [sweptTogether] });
  if (garbage.length > 0) {
    const ids = uuidArray(garbage.map(({ execution }) => execution));
    for (const table of ['step', 'call'] as const) {
      const removed = await connections.query('long', { text: sliceSql(table), values: [ids, slice] });
      if (removed.length === slice) return true;
    }
    await connections.query('long', { text: sweptSql, values: [ids] });
    return true;
  }
  if (await connections.transaction('long', sweepRange)) return true;
  const keys = await connections.query('long', { text: keysSql, values: [before - dayMillis, slice] });
  return keys.length === slice;
}

/** Makes the start keys of a dropped range orphans; returns whether there was such a range. */
async function sweepRange(session: Session): Promise<boolean> {
  const [range] = await session.query<{ low: string; high: string }>({ text: rangesSql });
  if (range === undefined) return false;
  const marked = await session.query({ text: rangeKeysSql, values: [range.low, range.high, slice] });
  if (marked.length < slice) await session.query({ text: rangeDoneSql, values: [range.low] });
  return true;
}
