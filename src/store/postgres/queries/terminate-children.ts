import { maxTerminatedTogether, type TerminatedChildren } from '../../../ports/store.ts';
import { encode } from '../../row-text.ts';
import { executionId } from '../columns/execution-id.ts';
import { keepsFamily } from '../columns/family.ts';
import { int8 } from '../columns/history-columns.ts';
import { encodeText } from '../columns/text-column.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session } from '../connection/session.ts';
import { lockInOrder, tell } from './tells.ts';

// The subselect is a value that is known before the scan, so that the index of families answers it.
const childrenSql = `
SELECT c.id, c.slot FROM execution c
WHERE c.root = (SELECT coalesce(e.root, e.id) FROM execution e WHERE e.id = $1) AND ${keepsFamily('c')}
  AND c.id > $2::uuid AND c.parent = $1 AND c.completed_at IS NULL
ORDER BY c.id LIMIT ${maxTerminatedTogether + 1}`;

const lowestId = '00000000-0000-0000-0000-000000000000';

/**
 * Reads and locks the children of an execution that are not over, a page of them in the order of their ids after the id `after`. It
 * reads the members of the family that must be kept, so that children which are over cost nothing.
 */
export async function lockChildren(
  session: Session,
  id: string,
  after: string = lowestId,
): Promise<TerminatedChildren> {
  const found = await session.query<TerminatedChildren['told'][number]>({
    name: 'terminate-children',
    text: childrenSql,
    values: [id, after],
  });
  const told = found.slice(0, maxTerminatedTogether);
  await lockInOrder(
    session,
    told.map((child) => child.id),
  );
  const next = found.length > told.length ? told.at(-1)?.id : undefined;
  return { told, ...(next !== undefined && { next }) };
}

/** Gives locked children a `terminated` event. */
export function tellChildren(
  session: Session,
  { told }: TerminatedChildren,
  eventId: string,
  now: number,
): Promise<void> {
  const event = encode({ type: 'terminated', inboxId: eventId });
  return tell(
    session,
    told.map((child) => ({ executionId: child.id, id: encodeText(eventId), at: int8(now), event, sender: null })),
  );
}

/** See {@link Store.terminateChildren}. */
export function terminateChildren(
  connections: Connections,
  id: string,
  eventId: string,
  now: number,
  after: string | undefined,
): Promise<TerminatedChildren> {
  executionId(id);
  return connections.transaction('short', async (session) => {
    const children = await lockChildren(session, id, after);
    await tellChildren(session, children, eventId, now);
    return children;
  });
}
