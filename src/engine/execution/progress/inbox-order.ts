import { isReady } from '../../../core/admission.ts';
import type { Event } from '../../../core/event.ts';
import type { State } from '../../../core/state.ts';
import type { InboxRow } from '../../../ports/store.ts';

/**
 * The next inbox event: the oldest that can be applied now, but terminations and cancels first. They were accepted, so no
 * concurrent event may decide the end before them.
 */
function nextOf(rows: readonly InboxRow[], state: State): InboxRow | undefined {
  if (rows.length === 0) return undefined;
  return (
    rows.find(({ event }) => event.type === 'terminated') ??
    rows.find(({ event }) => event.type === 'cancelled') ??
    rows.find(({ event }) => isReady(state, event))
  );
}

type FromInbox = Event & { readonly inboxId: string };

/** Whether the event came from the inbox. */
function isFromInbox(event: Event): event is FromInbox {
  return 'inboxId' in event && event.inboxId !== undefined;
}

/** Inbox events that a driver has read but not applied. Events that came too early stay. */
export class UnappliedInbox {
  #rows: readonly InboxRow[];
  /** Ids of the events taken to be applied; undefined before the first, which most executions never have. */
  #taken: Set<string> | undefined;

  constructor(rows: readonly InboxRow[]) {
    this.#rows = rows;
  }

  /** The next event to apply. */
  next(state: State): InboxRow | undefined {
    return nextOf(this.#rows, state);
  }

  /** Removes an event that is about to be applied. */
  take(row: InboxRow): void {
    this.#rows = this.#rows.filter((other) => other !== row);
    (this.#taken ??= new Set()).add(row.id);
  }

  /** Replaces the events with the result of a new read, without the ones already taken. */
  read(rows: readonly InboxRow[]): void {
    const taken = this.#taken;
    this.#rows = taken === undefined ? rows : rows.filter((row) => !taken.has(row.id));
  }

  /** Allows the inbox events of an undone journal to be read again. */
  giveBack(journal: readonly Event[]): void {
    for (const event of journal) if (isFromInbox(event)) this.#taken?.delete(event.inboxId);
  }
}

/** Whether the event only advances the execution and carries no news. */
export function isIdling(event: Event): boolean {
  return ['resumed', 'prepared', 'timer', 'continued', 'started'].includes(event.type);
}

/**
 * The events of a journal that must be applied again to another state: `first` before everything else, `again` after the
 * inbox, which is read again.
 */
export function replayed(journal: readonly Event[]): { readonly first: Event[]; readonly again: Event[] } {
  const isFirst = ({ type }: Event): boolean => type === 'prepared' || type === 'resumed';
  return {
    first: journal.filter(isFirst),
    again: journal.filter((event) => !isFirst(event) && !isFromInbox(event)),
  };
}
