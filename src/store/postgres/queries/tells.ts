import type { Tell } from '../../../ports/store.ts';
import { encodeTold } from '../../row-text.ts';
import { int8Array, textArray, uuidArray } from '../columns/binary-array.ts';
import { executionId } from '../columns/execution-id.ts';
import { int8 } from '../columns/history-columns.ts';
import { encodeText } from '../columns/text-column.ts';
import type { Session } from '../connection/session.ts';
import { isLookedUp } from './looked-up.ts';

const lockSql = `
SELECT e.id, e.claim, e.completed_at IS NULL AS "isOpen" FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')}
ORDER BY i.id FOR NO KEY UPDATE OF e`;

const appendSql = `
WITH fresh AS MATERIALIZED (
  SELECT i.*, row_number() OVER (PARTITION BY i.execution ORDER BY i.nr) AS nth
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::uuid[]) WITH ORDINALITY
    AS i (execution, id, at, event, sender, nr)
  JOIN execution e ON ${isLookedUp('e.id', 'i.execution')}
    AND (e.completed_at IS NULL OR (i.sender IS NOT NULL AND e.status = 'CORRUPTED' AND e.reason = 'engine'))
  WHERE NOT EXISTS (SELECT 1 FROM inbox b WHERE ${isLookedUp('b.execution', 'i.execution')} AND b.id = i.id)
), bumped AS (
  UPDATE execution e
  SET inbox_seq = e.inbox_seq + f.count, due_at = CASE WHEN e.due_at > f.due THEN f.due ELSE e.due_at END
  FROM (
    SELECT execution, count(*)::int AS count, min(at) AS due FROM fresh GROUP BY execution
  ) f
  WHERE ${isLookedUp('e.id', 'f.execution')}
  RETURNING e.id, e.inbox_seq - f.count AS before
)
INSERT INTO inbox (execution, position, id, at, pending, event)
SELECT f.execution, b.before + f.nth, f.id, f.at, false, CASE
  WHEN s.standing IS NULL THEN f.event ELSE concat(left(f.event, -1), ',"standing":', s.standing, '}') END
FROM fresh f JOIN bumped b ON b.id = f.execution LEFT JOIN LATERAL (
  SELECT CASE WHEN e.standing > 0 THEN 'true' ELSE 'false' END AS standing FROM execution e WHERE ${isLookedUp('e.id', 'f.sender')} LIMIT 1
) s ON true`;

/** A locked execution. */
interface LockedRow {
  readonly id: string;
  readonly claim: string | null;
  /** Whether it is not over. */
  readonly isOpen: boolean;
}

/** An event for another execution, encoded for the statement. */
export interface TellValues {
  readonly executionId: string;
  readonly id: string;
  readonly at: number;
  readonly event: string;
  /** The execution that tells it, if the event lacks whether effects of it stand. */
  readonly sender: string | null;
}

/** Throws a TypeError when something in them cannot be stored. */
export function tellValues(sender: string, tells: readonly Tell[] = []): readonly TellValues[] {
  return tells.map(({ executionId: target, row: { id, at, event } }) => {
    const { text, lacksStanding } = encodeTold(event);
    return {
      executionId: executionId(target),
      id: encodeText(id),
      at: int8(at),
      event: text,
      sender: lacksStanding ? executionId(sender) : null,
    };
  });
}

/**
 * Locks executions in the order of their ids. A transaction that writes several executions locks all of them first, those that it
 * tells included: statements over a batch lock their rows in the same order, so that no two of them wait for each other.
 */
export async function lockInOrder(session: Session, ids: Iterable<string>): Promise<ReadonlyMap<string, LockedRow>> {
  const ordered = [...new Set(ids)].sort();
  if (ordered.length === 0) return new Map();
  const statement = { name: 'lock-in-order', text: lockSql, values: [uuidArray(ordered)] };
  return new Map((await session.query<LockedRow>(statement)).map((row) => [row.id, row]));
}

/**
 * Appends events to the inboxes of executions that this transaction has locked (see {@link lockInOrder}), increments their inbox
 * seqs and makes them due at the events' instants.
 *
 * Guarantees: an execution that is over or does not exist takes nothing, but for ends of children after a quarantine; an inbox that has or had the event's id takes it no second
 * time. The rows of the executions that tell are written already.
 */
export async function tell(session: Session, tells: readonly TellValues[]): Promise<void> {
  const unique = [...new Map(tells.map((one) => [`${one.executionId} ${one.id}`, one])).values()];
  if (unique.length === 0) return;
  const values = [
    uuidArray(unique.map((one) => one.executionId)),
    textArray(unique.map(({ id }) => id)),
    int8Array(unique.map(({ at }) => at)),
    textArray(unique.map(({ event }) => event)),
    uuidArray(unique.map(({ sender }) => sender)),
  ];
  await session.query({ name: 'tell', text: appendSql, values });
}
