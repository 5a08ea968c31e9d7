/** The filter of `--where`: `status=FAILED,name=order`. */
import { Option } from 'commander';
import type { JsonObject } from '../core/value/json.ts';
import { CliProblem } from './terminal.ts';

const lists: ReadonlySet<string> = new Set(['status', 'label', 'state', 'callStatus']);
const flags: ReadonlySet<string> = new Set(['root', 'stuck']);
const names: readonly string[] = [
  'status',
  'name',
  'version',
  'label',
  'reason',
  'failedNodeId',
  'host',
  'hook',
  'standing',
  'state',
  'nodeId',
  'hold',
  'stuck',
  'idPrefix',
  'callStatus',
  'parent',
  'root',
  'startedAfter',
  'startedBefore',
  'completedAfter',
  'completedBefore',
];

/** The option; may be repeated. */
export function whereOption(): Option {
  return new Option(
    '--where <filter>',
    'runs that match, as in status=FAILED,name=order,label=tenant:acme; may be repeated, status and label within it, too',
  ).argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]);
}

/** The option that abbreviates `--where host=…`. */
export function hostOption(): Option {
  return new Option('--host <host>', 'runs that wait for this host, or failed at it, on any port if none is given');
}

/**
 * The filter in the form of a bulk request. A value may contain commas unless a `name=` follows. `host` is that of
 * {@link hostOption}.
 *
 * @throws CliProblem for a text that is no filter.
 */
export function filterOf(where: readonly string[], host?: string): JsonObject {
  const filter = new Map<string, string | boolean | string[]>();
  if (host !== undefined) filter.set('host', host);
  for (const part of where.flatMap((text) => text.split(/,(?=[A-Za-z]+=)/))) {
    const [, name, value] = /^\s*([A-Za-z]+)=(.+)$/s.exec(part) ?? [];
    if (name === undefined || value === undefined)
      throw new CliProblem(`--where ${part} must have the form name=value.`);
    if (!names.includes(name)) throw new CliProblem(`--where knows ${names.join(', ')}, and no ${name}.`);
    if (lists.has(name)) {
      const earlier = filter.get(name);
      filter.set(name, [...(Array.isArray(earlier) ? earlier : []), value]);
      continue;
    }
    if (filter.has(name)) throw new CliProblem(`--where has ${name} twice.`);
    if (flags.has(name) && value !== 'true' && value !== 'false')
      throw new CliProblem(`--where ${name} must be true or false.`);
    if (name === 'standing' && !['true', 'false', 'unknown', 'succeeded'].includes(value))
      throw new CliProblem('--where standing must be true, false, unknown or succeeded.');
    if (name === 'hook' && value !== 'pending' && value !== 'failed')
      throw new CliProblem('--where hook must be pending or failed.');
    filter.set(name, flags.has(name) ? value === 'true' : value);
  }
  return Object.fromEntries(filter);
}

/** The filter as query parameters. */
export function queryOf(filter: JsonObject): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query;
}
