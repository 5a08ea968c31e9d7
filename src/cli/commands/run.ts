import { type Command, Option } from 'commander';
import { existsSync } from 'node:fs';
import { compileDefinition } from '../../core/definition/compile.ts';
import { ownProperty, stringifyJson, type Json, type JsonObject } from '../../core/value/json.ts';
import { parseUniqueJson } from '../../core/value/unique-json.ts';
import { asObject, createApiClient, credentialOf, serverUrl, textField, type PagingClient } from '../api-client.ts';
import { readDocumentFile, readNotedDefinition } from '../documents/document-file.ts';
import { type GivenDefinition, givenDefinitions, missingDefinitions, withOption } from '../documents/with-files.ts';
import { startEmbedded } from '../server/embedded-server.ts';
import { follow, isOver } from '../view/follow.ts';
import { LiveTimeline } from '../view/live-timeline.ts';
import { clientOf } from '../server/server-options.ts';
import { untilStopped } from '../server/signals.ts';
import { hookLines, standingLines, statusLine } from '../view/timeline.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface RunOptions {
  readonly payload?: string;
  readonly label?: readonly string[];
  readonly wait?: true;
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: true;
  readonly verbose?: true;
  readonly with?: readonly string[];
}

/**
 * `trama run`: starts one saga, from a file or stored on a server; without a server, on one that lives only as long as
 * the saga.
 */
export function defineRun(command: Command, terminal: Terminal): void {
  withOption(command)
    .argument('<what>', 'a definition in JSON or YAML, - for standard input; or name@version or name of a stored one')
    .addOption(new Option('--payload <json>', 'the payload as JSON, or @file'))
    .addOption(
      new Option('--label <name=value>', 'a label; may be repeated').argParser(
        (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value],
      ),
    )
    .option('--url <url>', 'the server (default: TRAMA_URL; without either, one that is started for this run)')
    .option('--api-key <key>', 'API key or token for the server (default: TRAMA_API_KEY)')
    .option('--wait', 'wait for the end and show it (always without a server)')
    .option('--json', 'print { id, status }, or with --wait the whole status document')
    .option('--verbose', 'show the log of the server that is started for this run')
    .addHelpText(
      'after',
      `
Exit codes: 0 started (with --wait: SUCCEEDED), 1 refused or ended otherwise, 2 wrong usage or no server.

A name without a version is the latest one that was stored. What is the name of a file is taken as that file.

--with needs no server: the one that is started for this run stores these definitions. On another server a definition that a node
starts must be stored already (trama push).

Without a server the saga runs in a directory of its own that is removed afterwards. If it waits for a person, Ctrl-C
ends the run. A hook that is not delivered by its end is not called again.`,
    )
    .action(async (what: string, options: RunOptions) => {
      const stored = storedOf(what);
      if (options.with !== undefined && (stored !== undefined || serverUrl(options.url, terminal) !== undefined)) {
        throw new CliProblem(withoutServer);
      }
      const input = { payload: payloadOf(options), labels: labelsOf(options) };
      if (stored !== undefined) {
        const start: Start = { path: stored, request: input };
        const run = runOn(clientOf(options, terminal), start, options, options.wait === true, terminal);
        await run.catch((error: unknown) => {
          if (!(error instanceof CliProblem) || error.exitCode !== exitCodes.wrong) throw error;
          const meant = `There is no file ${what}, so it was taken as the name of a stored definition.`;
          throw new CliProblem([...error.lines, meant], error.exitCode);
        });
        return;
      }
      const definition = readNotedDefinition(what, terminal);
      const request: Start = { path: '/workflows/run', request: { definition, ...input } };
      const url = serverUrl(options.url, terminal);
      if (url === undefined) {
        const others = givenDefinitions(options.with, terminal);
        demandAll(definition, others);
        await runEmbedded(
          request,
          others.map((given) => given.definition),
          options,
          terminal,
        );
      } else {
        const api = createApiClient(url, credentialOf(options.apiKey, terminal));
        await runOn(api, request, options, options.wait === true, terminal);
      }
    });
}

/** Nothing else is stored on the server of a run. That server itself says what else is wrong with a definition. */
function demandAll(definition: Json, others: readonly GivenDefinition[]): void {
  const compiled = compileDefinition(definition, { hash: '' });
  if (!compiled.ok) return;
  const given = others.map(({ plan }) => plan);
  const missing = missingDefinitions(compiled.plan, given);
  if (missing.length > 0) throw new CliProblem(missing, exitCodes.found);
}

const withoutServer =
  '--with only works without a server: this one must have the definitions that nodes start (trama push), and nothing is stored by a run.';

/** The arguments of a run. */
interface Start {
  readonly path: string;
  readonly request: JsonObject;
}

/** The path that starts a stored definition; undefined where the argument is a file. */
function storedOf(what: string): string | undefined {
  if (what === '-' || /[/\\]|\.(?:json|ya?ml)$/i.test(what) || existsSync(what)) return undefined;
  const at = what.lastIndexOf('@');
  const [name, version] = at > 0 ? [what.slice(0, at), what.slice(at + 1)] : [what, 'latest'];
  if (version === '')
    throw new CliProblem(`${what} names no version: write ${name}@<version>, or ${name} for the latest.`);
  return `/workflows/definitions/${encodeURIComponent(name)}/${encodeURIComponent(version)}/run`;
}

function payloadOf({ payload }: RunOptions): Json {
  if (payload === undefined) return {};
  if (payload.startsWith('@')) return readDocumentFile(payload.slice(1));
  try {
    return parseUniqueJson(payload);
  } catch (error) {
    throw new CliProblem(
      `--payload must be JSON, or @ and the name of a file: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
}

function labelsOf({ label = [] }: RunOptions): JsonObject {
  const names = new Set<string>();
  return Object.fromEntries(
    label.map((text) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined)
        throw new CliProblem(`--label ${text} must have the form name=value.`);
      if (names.has(name)) throw new CliProblem(`--label ${name} is given twice.`);
      names.add(name);
      return [name, value];
    }),
  );
}

async function runOn(
  api: PagingClient,
  start: Start,
  options: RunOptions,
  isAwaited: boolean,
  terminal: Terminal,
  isStopped: () => boolean = () => false,
): Promise<void> {
  const started = asObject(await api.ask('POST', start.path, start.request));
  const id = textField(started, 'id') ?? '';
  const isJson = options.json === true;
  if (!isAwaited) {
    if (isJson) terminal.out(stringifyJson(started));
    else terminal.show(`${id} ${textField(started, 'status')}`);
    return;
  }
  // Printed before the waiting, so that the run can be found whatever happens.
  if (isJson) terminal.note(`The run is ${id}.`);
  else terminal.show(`${id} ${textField(started, 'status')}`);
  const document = isJson ? await follow(api, id, isStopped) : await followLive(api, id, isStopped, terminal);
  if (isJson) {
    terminal.out(stringifyJson(document));
  } else {
    terminal.show(statusLine(document));
    for (const line of [...standingLines(document), ...hookLines(document)]) terminal.show(line);
    const result = ownProperty(document, 'result');
    if (result !== undefined) terminal.out(`result: ${stringifyJson(result)}`);
  }
  terminal.exitCode = textField(document, 'status') === 'SUCCEEDED' ? exitCodes.good : exitCodes.found;
}

/** Follows a run to its end and prints events as they happen; returns the last status document. */
async function followLive(
  api: PagingClient,
  id: string,
  isStopped: () => boolean,
  terminal: Terminal,
): Promise<JsonObject> {
  const live = new LiveTimeline(api, id);
  let told: string | undefined;
  return follow(api, id, async (status) => {
    for (const line of await live.next()) terminal.show(line);
    if (status !== told && !isOver(status) && terminal.isInteractive) terminal.note(`${id} ${status}`);
    told = status;
    return isStopped();
  });
}

/** A server in this process that lives as long as the run, and stores the other definitions first. */
async function runEmbedded(
  start: Start,
  others: readonly Json[],
  options: RunOptions,
  terminal: Terminal,
): Promise<void> {
  const isVerbose = options.verbose === true;
  const server = await startEmbedded({ purpose: 'run', isVerbose, isConfigured: true }, terminal);
  let isStopped = false;
  const signals = untilStopped(() => undefined);
  void signals.stopped.then(() => (isStopped = true));
  try {
    const api = createApiClient(server.url);
    for (const definition of others) await api.ask('POST', '/workflows/definitions', definition);
    await runOn(api, start, options, true, terminal, () => isStopped);
  } finally {
    // The process ends, so calls in flight need not be awaited.
    server.hurry();
    await server.stop();
    signals.forget();
  }
}
