/** Shape and colour of the engine's words. A word that is not here is shown raw, in ink, with a dotted ring. */

/** How a word looks. */
export interface Look {
  readonly icon: string;
  /** The class that sets the colours. */
  readonly tone: string;
}

const statuses: Readonly<Record<string, Look>> = Object.fromEntries(
  [
    'IN_PROGRESS',
    'WAITING_CALLBACK',
    'SLEEPING',
    'COMPENSATING',
    'SUCCEEDED',
    'FAILED',
    'CANCELLED',
    'CORRUPTED',
    'TERMINATED',
  ].map((word) => {
    const name = word.toLowerCase().replaceAll('_', '-');
    return [word, { icon: `st-${name}`, tone: `is-${name}` }];
  }),
);

const outcomes: Readonly<Record<string, Look>> = {
  succeeded: { icon: 'oc-succeeded', tone: 'is-succeeded' },
  rejected: { icon: 'oc-rejected', tone: 'is-rejected' },
  unsent: { icon: 'oc-unsent', tone: 'is-unsent' },
  unknown: { icon: 'oc-unknown', tone: 'is-unknown' },
};

const states: Readonly<Record<string, Look>> = {
  SCHEDULED: { icon: 'pl-scheduled', tone: 'is-in-progress' },
  CALLING: { icon: 'pl-calling', tone: 'is-in-progress' },
  BACKOFF: { icon: 'pl-backoff', tone: 'is-in-progress' },
  BLOCKED: { icon: 'pl-blocked', tone: 'is-blocked' },
  WAITING_CALLBACK: { icon: 'st-waiting-callback', tone: 'is-waiting-callback' },
  SLEEPING: { icon: 'st-sleeping', tone: 'is-sleeping' },
  JOINING: { icon: 'pl-joining', tone: 'is-in-progress' },
  COMPENSATING: { icon: 'undone', tone: 'is-compensating' },
  HOOK: { icon: 'pl-hook', tone: 'is-in-progress' },
};

const other: Look = { icon: 'st-other', tone: 'is-other' };

const lookUp = (table: Readonly<Record<string, Look>>, word: string): Look =>
  (Object.hasOwn(table, word) ? table[word] : undefined) ?? other;

/** The look of a run's status. */
export const statusLook = (word: string): Look => lookUp(statuses, word);

/** The look of the outcome of an attempt. */
export const outcomeLook = (word: string): Look => lookUp(outcomes, word);

/** The look of what a token does. */
export const stateLook = (word: string): Look => lookUp(states, word);

/** Statuses of runs that are not over. */
const openStatuses: ReadonlySet<string> = new Set(['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING']);

/** Every status that the UI knows, in the order of choices. */
export const knownStatuses: readonly string[] = Object.keys(statuses);

/** Whether the run is over: it has an end, or its status is one of an end. */
export function isOver(run: { readonly status: string; readonly completedAt?: number | undefined }): boolean {
  return run.completedAt !== undefined && !openStatuses.has(run.status);
}

/** The last eight digits of an id: the first ones of a UUIDv7 tell only when it was made. */
export const shortId = (id: string): string => id.slice(-8);

/** `1 request`, `2 requests`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}
