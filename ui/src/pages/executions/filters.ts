import type { Search } from '../../platform/search.ts';
import { knownStatuses } from '../../parts/words.ts';

/** A filter of the list, as its chip shows it. */
export interface Filter {
  /** The parameter of the API. */
  readonly name: string;
  /** What the chip calls it. */
  readonly text: string;
  /** The values to choose from; absent: any text. */
  readonly choices?: readonly string[];
  readonly isRepeatable?: true;
  readonly hint?: string;
}

/** The filters that a reader can add, in the order of their chips. */
export const filters: readonly Filter[] = [
  { name: 'status', text: 'status', choices: knownStatuses, isRepeatable: true },
  { name: 'name', text: 'definition', hint: 'The name of a definition.' },
  { name: 'version', text: 'version' },
  { name: 'reason', text: 'reason', hint: 'Why it did not succeed, such as timeout or status_4xx.' },
  { name: 'failedNodeId', text: 'failed at', hint: 'The node that failed.' },
  {
    name: 'state',
    text: 'place',
    choices: ['BLOCKED', 'BACKOFF', 'CALLING', 'COMPENSATING', 'HOOK', 'JOINING', 'SCHEDULED'],
    isRepeatable: true,
  },
  { name: 'nodeId', text: 'at node', hint: 'The node where the run is.' },
  {
    name: 'callStatus',
    text: 'call status',
    isRepeatable: true,
    hint: 'The status code of the failed call: 504, or 4xx.',
  },
  { name: 'host', text: 'host', hint: 'bank.example, or bank.example:8443.' },
  { name: 'label', text: 'label', isRepeatable: true, hint: 'name:value' },
  { name: 'standing', text: 'standing', choices: ['true', 'unknown', 'succeeded'] },
  { name: 'hook', text: 'hook', choices: ['pending', 'failed'] },
  { name: 'stuck', text: 'stuck', choices: ['true'] },
  { name: 'root', text: 'started by no other run', choices: ['true', 'false'] },
  { name: 'idPrefix', text: 'id begins', hint: 'At least 4 of 0-9 and a-f.' },
  { name: 'startedAfter', text: 'started after', hint: 'An instant: 2030-01-31T09:00:00Z.' },
  { name: 'startedBefore', text: 'started before', hint: 'An instant: 2030-01-31T09:00:00Z.' },
];

/** Parts of the address that are no filter of the API. */
const own: ReadonlySet<string> = new Set(['run']);

/** The parameters of the address that go to the API as they are: also those that this UI has no chip for. */
export function filterOf(search: Search): Search {
  return Object.fromEntries(Object.entries(search).filter(([name]) => !own.has(name)));
}

/** The address with a value added to a filter; of filters that are not repeatable it replaces the one before. */
export function withValue(search: Search, { name, isRepeatable }: Filter, value: string): Search {
  const before = isRepeatable === true ? (search[name] ?? []) : [];
  return { ...search, [name]: [...before.filter((each) => each !== value), value] };
}

/** The address without a value of a filter. */
export function withoutValue(search: Search, name: string, value: string): Search {
  const left = (search[name] ?? []).filter((each) => each !== value);
  const { [name]: _removed, ...rest } = search;
  return left.length === 0 ? rest : { ...rest, [name]: left };
}

/** A named address of the list. */
export interface View {
  readonly name: string;
  readonly search: Search;
}

/** The views that everybody has. */
export const builtInViews: readonly View[] = [
  { name: 'All', search: {} },
  { name: 'Needs a person', search: { status: ['CORRUPTED'] } },
  { name: 'Effects stand', search: { standing: ['true'] } },
  { name: 'Failed', search: { status: ['FAILED'] } },
  { name: 'Blocked', search: { state: ['BLOCKED'] } },
  { name: 'Running now', search: { status: ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'] } },
];

/** Whether two addresses of the list have the same filter, in any order. */
export function isSameFilter(a: Search, b: Search): boolean {
  const text = (search: Search): string =>
    JSON.stringify(
      Object.entries(filterOf(search))
        .map(([name, values]) => [name, values.toSorted()])
        .toSorted(([first], [second]) => (String(first) < String(second) ? -1 : 1)),
    );
  return text(a) === text(b);
}
