import { int4Array, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session } from '../connection/session.ts';
import { lowestIdAt } from '../columns/execution-id.ts';
import { aheadMillis } from '../columns/late-ends.ts';
import { keepsFamily } from '../columns/family.ts';
import { isLookedUp } from './looked-up.ts';

/** Whether an execution by itself may go. */
const isOver = "e.completed_at IS NOT NULL AND e.status <> 'CORRUPTED' AND e.standing < 2 AND e.due_at IS NULL";

/** What may be removed, of `execution e` with {@link family}. */
const isRemovable = `${isOver} AND CASE WHEN e.root IS NULL THEN e.completed_at < $1 AND kept.id IS NULL ELSE root.id IS NULL END`;

/**
 * The family of `e`: a member that must be kept, for a root that is old enough, and the root, for a member. The limits make Postgres
 * look both up row by row.
 */
const family = `
LEFT JOIN LATERAL (
  SELECT c.id FROM execution c WHERE e.root IS NULL AND e.completed_at < $1 AND c.root = e.id AND ${keepsFamily('c')} LIMIT 1
) kept ON true
LEFT JOIN LATERAL (
  SELECT r.id FROM execution r WHERE e.root IS NOT NULL AND ${isLookedUp('r.id', 'e.root')} LIMIT 1
) root ON true`;

const walkSql = `
SELECT e.id, (${isRemovable}) IS TRUE AS removable
FROM (
  SELECT id, completed_at, status, standing, due_at, root FROM execution WHERE id > $2 AND id < $3 ORDER BY id LIMIT $4
) e ${family} ORDER BY e.id`;

const removeSql = `
WITH old AS MATERIALIZED (
  SELECT e.id FROM unnest($2::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')} ${family}
  WHERE ${isRemovable}
  ORDER BY i.id FOR UPDATE OF e SKIP LOCKED
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

/** Members of removed roots, but those that must be kept. */
const membersSql = `
SELECT e.id FROM execution e WHERE e.root = ANY ($1::uuid[]) AND NOT ${keepsFamily('e')} ORDER BY e.id LIMIT $2`;

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

/** Executions that one statement of a walk looks at. */
const walkedTogether = 1000;

/** Executions that one call looks at, which bounds its duration where much is kept. */
const walkedInAll = 500_000;

const lowestId = lowestIdAt(0);

/**
 * Removes executions that ended before an instant. Keeps CORRUPTED executions, those with unresolved unknown effects, and those
 * with an undelivered hook.
 *
 * A family goes with its root: only the end of the root counts, and one member that must be kept keeps all. The root goes first,
 * then as many members as there is room for; the walk reaches the others, which have later ids, soon after. A member that has begun something meanwhile follows once it is over.
 *
 * It walks the executions in the order of their ids, oldest first, in a circle: each call goes on where the last one ended, so
 * that it steps over what is kept, and over the dead index entries of what was removed, once per circle. So removing needs no
 * index of its own, which every execution would pay for at its end.
 */
export class CompletedRemoval {
  readonly #connections: Connections;
  #after = lowestId;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /**
   * Removes up to `limit` and returns how many; fewer only after a whole circle, or after looking at {@link walkedInAll} executions.
   *
   * A transaction removes executions with inbox and labels, so that they can no longer be retried, and records their ids as
   * garbage. {@link sweep} then removes their history, which may be long, in slices. Their start keys become orphans, which
   * `sweep` removes once they are a day old. Definition bodies that no execution is pinned to are removed, too.
   *
   * The age of a key counts until `before`, which is in the past, so keys may stay longer than a day, never shorter.
   */
  async remove(before: number, limit: number): Promise<number> {
    const begun = this.#after;
    const end = lowestIdAt(before + aheadMillis);
    let isSecondPart = begun === lowestId;
    let removed = 0;
    for (let walked = 0; removed < limit && walked < walkedInAll; walked += walkedTogether) {
      const values = [before, this.#after, end, walkedTogether];
      const rows = await this.#connections.query<WalkedRow>('long', { text: walkSql, values });
      const room = limit - removed;
      const old = rows.filter(({ removable }) => removable).slice(0, room);
      removed += await removeFamilies(this.#connections, before, old, room);
      const isEnd = old.length < room && rows.length < walkedTogether;
      this.#after = (isEnd ? undefined : (old.length < room ? rows : old).at(-1)?.id) ?? lowestId;
      if (isSecondPart && (isEnd || (begun !== lowestId && this.#after >= begun))) break;
      isSecondPart ||= isEnd;
    }
    return removed;
  }
}

interface WalkedRow {
  readonly id: string;
  readonly removable: boolean;
}

/** Removes these, and members of the families whose roots were among them, as long as there is room. */
async function removeFamilies(
  connections: Connections,
  before: number,
  old: readonly WalkedRow[],
  room: number,
): Promise<number> {
  const gone = await removeThese(connections, before, old);
  if (gone.length === 0 || gone.length >= room) return gone.length;
  const values = [uuidArray(gone), room - gone.length];
  const members = await connections.query<{ id: string }>('long', { text: membersSql, values });
  return gone.length + (await removeThese(connections, before, members)).length;
}

/** Removes these, unless they changed; returns the ids of those that it removed. */
async function removeThese(
  connections: Connections,
  before: number,
  old: readonly { readonly id: string }[],
): Promise<readonly string[]> {
  if (old.length === 0) return [];
  const values = [before, uuidArray(old.map(({ id }) => id))];
  const gone = await connections.query<{ id: string; body: number }>('long', { text: removeSql, values });
  await removeBodies(connections, [...new Set(gone.map(({ body }) => body))]);
  return gone.map(({ id }) => id);
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
