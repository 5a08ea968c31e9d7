import { type Command, Option } from 'commander';
import { ownProperty, stringifyJson, type Json, type JsonObject } from '../../core/json.ts';
import { parseUniqueJson } from '../../core/unique-json.ts';
import { asObject, createApiClient, credentialOf, serverUrl, textField, type PagingClient } from '../api-client.ts';
import { readDocumentFile, readNotedDefinition } from '../document-file.ts';
import { startEmbedded } from '../embedded-server.ts';
import { follow, isOver } from '../follow.ts';
import { untilStopped } from '../signals.ts';
import { readHistory, standingLines, statusLine, timeline } from '../timeline.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface RunOptions {
  readonly payload?: string;
  readonly label?: readonly string[];
  readonly wait?: true;
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: true;
  readonly verbose?: true;
}

/** `trama run`: starts one saga, on a server or on one that lives only as long as the saga. */
export function defineRun(command: Command, terminal: Terminal): void {
  command
    .argument('<file>', 'a definition in JSON or YAML; - for standard input')
    .addOption(new Option('--payload <json>', 'the payload as JSON, or @file'))
    .addOption(
      new Option('--label <name=value>', 'a label; may be repeated').argParser(
        (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value],
      ),
    )
    .option('--url <url>', 'the server (default: TRAMA_URL; without either, one that is started for this run)')
    .option('--api-key <key>', 'API key or token for the server (default: TRAMA_API_KEY)')
    .option('--wait', 'wait for the end and show it (always without a server)')
    .option('--json', 'print { id, status }, or the whole status document once the end is awaited')
    .option('--verbose', 'show the log of the server that is started for this run')
    .addHelpText(
      'after',
      `
Exit codes: 0 started (with --wait: SUCCEEDED), 1 refused or ended otherwise, 2 wrong usage or no server.

Without a server the saga runs in a directory of its own that is removed afterwards. If it waits for somebody, Ctrl-C
ends the run.`,
    )
    .action(async (file: string, options: RunOptions) => {
      const request = {
        definition: readNotedDefinition(file, terminal),
        payload: payloadOf(options),
        labels: labelsOf(options),
      };
      const url = serverUrl(options.url, terminal);
      if (url === undefined) await runEmbedded(request, options, terminal);
      else {
        const api = createApiClient(url, credentialOf(options.apiKey, terminal));
        await runOn(api, request, options, options.wait === true, terminal);
      }
    });
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
  request: JsonObject,
  options: RunOptions,
  isAwaited: boolean,
  terminal: Terminal,
  isStopped: () => boolean = () => false,
): Promise<void> {
  const started = asObject(await api.ask('POST', '/workflows/run', request));
  const id = textField(started, 'id') ?? '';
  if (!isAwaited) {
    terminal.out(options.json === true ? stringifyJson(started) : `${id} ${textField(started, 'status')}`);
    return;
  }
  let told: string | undefined;
  const document = await follow(api, id, (status) => {
    if (status !== told && !isOver(status) && terminal.isInteractive && options.json !== true)
      terminal.note(`${id} ${status}`);
    told = status;
    return isStopped();
  });
  if (options.json === true) {
    terminal.out(stringifyJson(document));
  } else {
    for (const line of timeline(await readHistory(api, id))) terminal.out(line);
    terminal.out(statusLine(document));
    for (const line of standingLines(document)) terminal.out(line);
    const result = ownProperty(document, 'result');
    if (result !== undefined) terminal.out(`result: ${stringifyJson(result)}`);
  }
  terminal.exitCode = textField(document, 'status') === 'SUCCEEDED' ? exitCodes.good : exitCodes.found;
}

/** A server in this process that lives as long as the run. */
async function runEmbedded(request: JsonObject, options: RunOptions, terminal: Terminal): Promise<void> {
  const isVerbose = options.verbose === true;
  const server = await startEmbedded({ purpose: 'run', isVerbose, isConfigured: true }, terminal);
  let isStopped = false;
  const signals = untilStopped(() => undefined);
  void signals.stopped.then(() => (isStopped = true));
  try {
    await runOn(createApiClient(server.url), request, options, true, terminal, () => isStopped);
  } finally {
    // Nobody will see how calls in flight end.
    server.hurry();
    await server.stop();
    signals.forget();
  }
}
