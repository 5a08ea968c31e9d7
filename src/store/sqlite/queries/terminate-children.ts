/**
 * Gives the children of an execution that are not over a `terminated` event, a page of them in the order of their ids. A child that
 * has the event already is not told again.
 *
 * It reads the members of the family that must be kept, so that children which are over cost nothing.
 */
import { maxTerminatedTogether, type TerminatedChildren } from '../../../ports/store.ts';
import { encodeTold } from '../../row-text.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';
import { keepsFamily } from './keeps-family.ts';
import { tells } from './tells.ts';

const rootSql = 'SELECT coalesce(root, id) AS root FROM execution WHERE id = ?';

const childrenSql = `
SELECT id, slot FROM execution INDEXED BY execution_family
WHERE root = ? AND ${keepsFamily} = 1
  AND id > ? AND parent = ? AND completed_at IS NULL
ORDER BY id LIMIT ?`;

/** Prepares it. */
export function terminateChildren(session: Session): Operations['terminateChildren'] {
  const rootOf = session.one<{ root: string }>(rootSql);
  const children = session.all<{ id: string; slot: number }>(childrenSql);
  const tell = tells(session);
  return (id, eventId, now, after) => {
    const found = children(rootOf(id)?.root ?? id, after, id, maxTerminatedTogether + 1);
    const told = found.slice(0, maxTerminatedTogether).map(({ id: child, slot }) => ({ id: child, slot }));
    const event = encodeTold({ type: 'terminated', inboxId: eventId });
    tell(
      0,
      told.map((child) => [child.id, eventId, now, event]),
    );
    const next = found.length > told.length ? told.at(-1)?.id : undefined;
    return { told, ...(next !== undefined && { next }) } satisfies TerminatedChildren;
  };
}
