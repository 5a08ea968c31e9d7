import { admit } from '../../src/core/admission.ts';
import {
  maxTerminatedTogether,
  type InboxRow,
  type NewExecution,
  type OfferResult,
  type Tell,
  type TerminatedChildren,
} from '../../src/ports/store.ts';
import { acceptedOf } from '../../src/store/holder.ts';
import { decodeState, encode, encodeTold, isOver, toldText } from '../../src/store/row-text.ts';
import { byId } from './page.ts';
import { stands, type StoredExecution } from './stored-execution.ts';

/** Appends an event to the inbox of an execution if the core admits it. Throws, and changes nothing, if the event is no JSON. */
export function admitted(x: StoredExecution, row: InboxRow, bodyHash: string | undefined, now: number): OfferResult {
  const { event } = row;
  const callback = event.type === 'callback' ? event : undefined;
  const nonce = callback?.nonce;
  const seen = x.inbox.flatMap((old) =>
    old.nonce === undefined || old.nonce !== nonce
      ? []
      : [{ nonce: old.nonce, bodyHash: old.bodyHash, pending: old.pending }],
  );
  const text = encode(event);
  const state = decodeState(x.state);
  const answer = admit(state, event, callback && { bodyHash: bodyHash ?? '', seen });
  if (answer.kind !== 'accepted') return answer;
  x.inbox.push({
    id: row.id,
    at: row.at,
    nonce,
    bodyHash: bodyHash ?? '',
    pending: callback?.pending === true,
    event: text,
  });
  x.inboxSeq += 1;
  if (x.dueAt !== null) x.dueAt = Math.min(x.dueAt, now);
  return acceptedOf(state, x.claim, answer);
}

/**
 * Prepares the events that a write tells other executions. Throws, and changes nothing, if an event is no JSON. The result appends
 * them; see `Tell`.
 */
export function toldTo(
  executions: ReadonlyMap<string, StoredExecution>,
  sender: string,
  tells: readonly Tell[] = [],
): () => void {
  const encoded = tells.map(({ executionId, row }) => ({ executionId, row, told: encodeTold(row.event) }));
  return () => {
    const from = executions.get(sender);
    const standing = from !== undefined && stands(from);
    for (const { executionId, row, told } of encoded) {
      const x = executions.get(executionId);
      if (x === undefined || !takes(x, row) || x.inbox.some(({ id }) => id === row.id)) continue;
      const event = toldText(told, standing);
      x.inbox.push({ id: row.id, at: row.at, nonce: undefined, bodyHash: '', pending: false, event });
      x.inboxSeq += 1;
      if (x.dueAt !== null) x.dueAt = Math.min(x.dueAt, row.at);
    }
  };
}

/** Whether an execution takes an event that another one tells it. */
function takes({ summary }: StoredExecution, { event }: InboxRow): boolean {
  if (!isOver(summary)) return true;
  return event.type === 'childEnded' && summary.status === 'CORRUPTED' && summary.reason === 'engine';
}

/** Gives the children of an execution that are not over a `terminated` event; see `ExecutionStore.terminateChildren`. */
export function terminatedChildren(
  executions: ReadonlyMap<string, StoredExecution>,
  parent: string,
  eventId: string,
  now: number,
  after = '',
): TerminatedChildren {
  const found = [...executions.values()]
    .filter((x) => x.family.parent?.id === parent && !isOver(x.summary) && x.id > after)
    .sort(byId);
  const told = found.slice(0, maxTerminatedTogether).map(({ id, slot }) => ({ id, slot }));
  const row: InboxRow = { id: eventId, at: now, event: { type: 'terminated', inboxId: eventId } };
  toldTo(
    executions,
    parent,
    told.map(({ id }) => ({ executionId: id, row })),
  )();
  const next = found.length > told.length ? told.at(-1)?.id : undefined;
  return { told, ...(next !== undefined && { next }) };
}

/** Whether a parent is over or not held by the claim under which a worker starts a child for it. */
export function isFenced(executions: ReadonlyMap<string, StoredExecution>, child: NewExecution): boolean {
  if (child.parentClaim === undefined || executions.has(child.id)) return false;
  const parent = executions.get(child.parent?.id ?? '');
  return parent === undefined || isOver(parent.summary) || parent.claim !== child.parentClaim;
}

/** Whether an execution exists and is not over. */
export function isOpen(executions: ReadonlyMap<string, StoredExecution>, id: string | undefined): boolean {
  const x = id === undefined ? undefined : executions.get(id);
  return x !== undefined && !isOver(x.summary);
}
