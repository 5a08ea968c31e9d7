/**
 * `trama retry`, `cancel`, `terminate`, `wake`, `undo` and `hook redeliver`: change runs by their ids, or all runs that match.
 */
import { type Command, Option } from 'commander';
import { type WakeKind, wakeKinds } from '../../core/transition/wakes.ts';
import { isJsonObject, ownProperty, stringifyJson, type Json, type JsonObject } from '../../core/value/json.ts';
import { type PagingClient, asObject, readRows } from '../api-client.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { field } from '../view/timeline.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';
import { filterOf, hostOption, whereOption } from '../where.ts';

type Action = 'retry' | 'cancel' | 'terminate' | 'wake' | 'redeliver' | 'undo';

/** The path of each change below its run. */
const paths: Readonly<Partial<Record<Action, string>>> = { redeliver: 'hook/redeliver' };

interface ChangeOptions extends ServerOptions {
  readonly where?: readonly string[];
  readonly host?: string;
  readonly max?: string;
  readonly dryRun?: true;
  readonly reason?: string;
  readonly force?: true;
  readonly what?: readonly WakeKind[];
  readonly node?: string;
}

/** `trama retry`. */
export function defineRetry(command: Command, terminal: Terminal): void {
  defineChange(command.option('--force', 'include terminated runs (ids only)'), terminal, 'retry');
}

/** `trama cancel`. */
export function defineCancel(command: Command, terminal: Terminal): void {
  defineChange(command, terminal, 'cancel');
}

/** `trama terminate`. */
export function defineTerminate(command: Command, terminal: Terminal): void {
  defineChange(command, terminal, 'terminate');
}

/** `trama wake`. */
export function defineWake(command: Command, terminal: Terminal): void {
  const what = new Option('--what <kind...>', 'what to end: sleeps, waits for the next attempt, blocks of calls');
  const change = command
    .addOption(what.choices(wakeKinds).default(undefined, 'sleep'))
    .option('--node <id>', 'only at this node (ids only)');
  defineChange(change, terminal, 'wake');
}

/** `trama undo`. */
export function defineUndo(command: Command, terminal: Terminal): void {
  defineChange(command, terminal, 'undo');
}

/** `trama hook redeliver`. */
export function defineRedeliver(command: Command, terminal: Terminal): void {
  defineChange(command.option('--force', 'include delivered hooks (ids only)'), terminal, 'redeliver');
}

function defineChange(command: Command, terminal: Terminal, action: Action): void {
  command
    .argument('[id...]', 'the runs')
    .addOption(whereOption())
    .addOption(hostOption())
    .option('--reason <text>', 'the reason; the audit log and the status of the run show it')
    .option('--max <number>', 'with --where or --host: the most runs to change (default: 1000)')
    .option('--dry-run', 'change nothing: show the runs that would change, and the requests that would follow');
  addServerOptions(command, 'print { matched, done, ids, errors, more, others? }')
    .addHelpText('after', '\nExit codes: 0 done; 1 some or all refused or left over; 2 wrong usage or no server.')
    .action(async (ids: readonly string[], options: ChangeOptions) => {
      const { where = [], host } = options;
      if (ids.length > 0 === (where.length > 0 || host !== undefined)) {
        throw new CliProblem('Give either ids or a filter: --where or --host.');
      }
      if (action === 'undo' && options.dryRun !== true && (options.reason ?? '').trim() === '') {
        throw new CliProblem('An undo needs a --reason.');
      }
      const api = clientOf(options, terminal);
      const result =
        ids.length > 0
          ? await changeEach(api, action, ids, options, terminal)
          : await changeAll(api, action, options, terminal);
      tell(result, action, options, terminal);
    });
}

/** Runs that one request changes: few, so that each request is quick and progress shows. */
const chunkRows = 50;

/** Finds the runs that match, then changes them in groups. */
async function changeAll(
  api: PagingClient,
  action: Action,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<JsonObject> {
  if (options.force === true) throw new CliProblem('--force needs ids; it does not work with --where.');
  if (options.node !== undefined) throw new CliProblem('--node needs ids; it does not work with --where.');
  const max = options.max === undefined ? undefined : Number(options.max);
  if (max !== undefined && !Number.isSafeInteger(max)) throw new CliProblem('--max must be a whole number.');
  const { host, where = [], reason, what } = options;
  const kinds = what === undefined ? undefined : { what };
  const found = asObject(
    await api.ask('POST', '/workflows/bulk', {
      action,
      filter: filterOf(where, host),
      dryRun: true,
      ...kinds,
      ...(max === undefined ? undefined : { max }),
    }),
  );
  if (options.dryRun === true) return found;
  const ids = textsOf(found, 'ids');
  const done: string[] = [];
  const errors: Json[] = [];
  for (let at = 0; at < ids.length;) {
    const chunk = ids.slice(at, at + chunkRows);
    const request = { action, ids: chunk, dryRun: false, ...kinds, ...(reason !== undefined && { reason }) };
    const answer = asObject(
      await api.ask('POST', '/workflows/bulk', request).catch((error: unknown) => {
        if (!(error instanceof CliProblem)) throw error;
        const came = `${String(done.length)} of ${String(ids.length)} were done before; run it again for the rest.`;
        throw new CliProblem([...error.lines, came], error.exitCode);
      }),
    );
    done.push(...textsOf(answer, 'ids'));
    errors.push(...listOf(answer, 'errors'));
    at += chunk.length;
    terminal.progress(`${String(at)} of ${String(ids.length)}: ${String(done.length)} ${doneWords[action]}`);
    // The server skipped some of these runs because its time was up or its store is unavailable.
    if (ownProperty(answer, 'more') === true) return { ...found, done: done.length, ids: done, errors, more: true };
  }
  return { ...found, done: done.length, ids: done, errors };
}

/** Bound of the requests of one run that a server shows. */
const maxPreviews = 1000;

const previews: Readonly<Partial<Record<Action, string>>> = {
  retry: 'retry-preview',
  cancel: 'cancel-preview',
  undo: 'undo-preview',
};

async function changeEach(
  api: PagingClient,
  action: Action,
  ids: readonly string[],
  options: ChangeOptions,
  terminal: Terminal,
): Promise<JsonObject> {
  const done: string[] = [];
  const errors: Json[] = [];
  for (const id of ids) {
    const path = `/workflows/${encodeURIComponent(id)}`;
    try {
      if (options.dryRun === true) await preview(api, action, path, options, terminal);
      else await api.ask('POST', `${path}/${paths[action] ?? action}`, bodyOf(options));
      done.push(id);
    } catch (error) {
      // An unreachable server would fail for all further runs, too.
      if (!(error instanceof CliProblem) || error.exitCode !== exitCodes.found) throw error;
      errors.push({ id, errors: error.lines });
    }
    terminal.progress(`${String(done.length + errors.length)} of ${String(ids.length)}`);
  }
  return { matched: ids.length, done: options.dryRun === true ? 0 : done.length, ids: done, errors, more: false };
}

function bodyOf({ force, reason, what, node }: ChangeOptions): JsonObject {
  return {
    ...(force === true && { force }),
    ...(reason !== undefined && { reason }),
    ...(what !== undefined && { what }),
    ...(node !== undefined && { nodeId: node }),
  };
}

/** The standing effects, or the calls to come, before the change. */
async function preview(
  api: PagingClient,
  action: Action,
  path: string,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  const document = asObject(await api.ask('GET', path));
  const kind = previews[action];
  const requests = kind === undefined ? [] : await readRows(api, `${path}/${kind}`, maxPreviews);
  if (options.json === true) return;
  terminal.note(`${field(document, 'id')} is ${field(document, 'status')}`);
  for (const request of requests) {
    const what = action !== 'retry' || field(document, 'status') === 'CORRUPTED' ? 'would call' : 'stands';
    terminal.note(`  ${what}: ${field(request, 'nodeId')}  ${field(request, 'verb')} ${field(request, 'url')}`);
  }
}

const doneWords: Readonly<Record<Action, string>> = {
  retry: 'queued again',
  cancel: 'cancelling',
  terminate: 'terminating',
  wake: 'waking',
  redeliver: 'hook is called again',
  undo: 'undoing',
};

function tell(result: JsonObject, action: Action, options: ChangeOptions, terminal: Terminal): void {
  const errors = listOf(result, 'errors').filter(isJsonObject);
  const isLeft = ownProperty(result, 'more') === true;
  if (errors.length > 0 || (isLeft && options.dryRun !== true)) terminal.exitCode = exitCodes.found;
  if (options.json === true) {
    terminal.out(stringifyJson(result));
    return;
  }
  const word = options.dryRun === true ? `would be: ${doneWords[action]}` : doneWords[action];
  for (const id of textsOf(result, 'ids')) terminal.show(`${id}  ${word}`);
  for (const error of errors) {
    terminal.note(`${field(error, 'id')}  refused: ${textsOf(error, 'errors').join(' ')}`);
  }
  const count = options.dryRun === true ? `${field(result, 'matched')} match` : `${field(result, 'done')} done`;
  terminal.note(`${count}, ${String(errors.length)} refused.${isLeft ? ' There are more: run it again.' : ''}`);
  const others = listOf(result, 'others').filter(isJsonObject);
  if (others.length > 0) {
    const counts = others.map((other) => `${field(other, 'count')} ${waitText(field(other, 'state'))}`);
    terminal.note(`Others match and wait for something that ${action} does not change: ${counts.join(', ')}.`);
  }
}

/** What runs in such a state wait for, in words. */
const waitWords: Readonly<Record<string, string>> = {
  BACKOFF: 'for their next attempt',
  BLOCKED: 'for a hold, a circuit or a place at a host',
  CALLING: 'for the answer to a call',
  COMPENSATING: 'for compensations',
  HOOK: 'for their hook',
  SCHEDULED: 'for a worker',
  SLEEPING: 'for their sleep to end',
  WAITING_CALLBACK: 'for a callback',
};

function waitText(state: string): string {
  const words = waitWords[state];
  return words === undefined ? state : `${state} (${words})`;
}

function listOf(object: JsonObject, name: string): readonly Json[] {
  const list = ownProperty(object, name);
  return Array.isArray(list) ? (list as readonly Json[]) : [];
}

function textsOf(object: JsonObject, name: string): readonly string[] {
  return listOf(object, name).filter((text): text is string => typeof text === 'string');
}
