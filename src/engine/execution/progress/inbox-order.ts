/** In which order events are applied, and what they are to the engine. */
import { isReady } from '../../../core/admission.ts';
import type { Event } from '../../../core/event.ts';
import type { State } from '../../../core/state.ts';
import type { InboxRow } from '../../../ports/store.ts';

/**
 * The event from outside that comes next: the oldest that can be applied now, but terminations and cancels before all
 * others. They were accepted, so nothing that came at the same time may decide the end before them.
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

/** Whether the event waited in the inbox. */
function isFromInbox(event: Event): event is FromInbox {
  return 'inboxId' in event && event.inboxId !== undefined;
}

/** Events from outside that a driver has read and not applied: those that came too early stay. */
export class InboxInHand {
  #rows: readonly InboxRow[];
  /** Ids of those that were taken to be applied. */
  readonly #taken = new Set<string>();

  constructor(rows: readonly InboxRow[]) {
    this.#rows = rows;
  }

  /** See {@link nextOf}. */
  next(state: State): InboxRow | undefined {
    return nextOf(this.#rows, state);
  }

  /** Takes one out. */
  take(row: InboxRow): void {
    this.#rows = this.#rows.filter((other) => other !== row);
    this.#taken.add(row.id);
  }

  /** It was read anew: those that were taken stay out. */
  read(rows: readonly InboxRow[]): void {
    this.#rows = rows.filter((row) => !this.#taken.has(row.id));
  }

  /** What was applied of them is undone, and comes with the next reading. */
  giveBack(journal: readonly Event[]): void {
    for (const event of journal) if (isFromInbox(event)) this.#taken.delete(event.inboxId);
  }
}

/** Events that move an execution without anything new having happened to it. */
export function isIdling(event: Event): boolean {
  return ['resumed', 'prepared', 'timer', 'continued', 'started'].includes(event.type);
}

/**
 * What of a journal is applied again on another state: `first` before anything else, `again` after the inbox, from which
 * events are read anew.
 */
export function replayed(journal: readonly Event[]): { readonly first: Event[]; readonly again: Event[] } {
  const isFirst = ({ type }: Event): boolean => type === 'prepared' || type === 'resumed';
  return {
    first: journal.filter(isFirst),
    again: journal.filter((event) => !isFirst(event) && !isFromInbox(event)),
  };
}
