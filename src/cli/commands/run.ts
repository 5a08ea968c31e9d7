import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { createTrama } from '../../compose.ts';
import { loadConfig } from '../../config/load.ts';
import { isJsonObject, ownProperty, stringifyJson, type Json, type JsonObject } from '../../core/json.ts';
import { asObject, createApiClient, serverUrl, textField, type ApiClient } from '../api-client.ts';
import { parseDocumentText, readDocumentFile } from '../document-file.ts';
import { configProblems } from '../settings.ts';
import { untilStopped } from '../signals.ts';
import { standingLines, statusLine, timeline } from '../timeline.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';
import { packageVersion } from '../version.ts';

interface RunOptions {
  readonly payload?: string;
  readonly label?: readonly string[];
  readonly wait?: true;
  readonly url?: string;
  readonly json?: true;
  readonly verbose?: true;
}

const terminalStatuses: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED', 'CORRUPTED', 'TERMINATED']);

/** Pauses between looks at a run that takes long. */
const pollMillis = { first: 100, longest: 1000 };

/** History rows shown of one run. */
const maxSteps = 1000;

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
      const request = { definition: readDocumentFile(file), payload: payloadOf(options), labels: labelsOf(options) };
      const url = serverUrl(options.url, terminal);
      if (url === undefined) await runEmbedded(request, options, terminal);
      else await runOn(createApiClient(url), request, options, options.wait === true, terminal);
    });
}

function payloadOf({ payload }: RunOptions): Json {
  if (payload === undefined) return {};
  return payload.startsWith('@') ? readDocumentFile(payload.slice(1)) : parseDocumentText(payload, 'payload.json');
}

function labelsOf({ label = [] }: RunOptions): JsonObject {
  return Object.fromEntries(
    label.map((text) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined)
        throw new CliProblem(`--label ${text} must have the form name=value.`);
      return [name, value];
    }),
  );
}

async function runOn(
  api: ApiClient,
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
  const document = await untilOver(api, id, isStopped, (status) => {
    if (terminal.isInteractive && options.json !== true) terminal.note(`${id} ${status}`);
  });
  if (options.json === true) {
    terminal.out(stringifyJson(document));
  } else {
    const steps = await api.ask('GET', `/workflows/${id}/steps?limit=${maxSteps}`);
    for (const line of timeline(Array.isArray(steps) ? steps.filter(isJsonObject) : [])) terminal.out(line);
    terminal.out(statusLine(document));
    for (const line of standingLines(document)) terminal.out(line);
    const result = ownProperty(document, 'result');
    if (result !== undefined) terminal.out(`result: ${stringifyJson(result)}`);
  }
  terminal.exitCode = textField(document, 'status') === 'SUCCEEDED' ? exitCodes.good : exitCodes.found;
}

/** The status document once the run is over, or as it is when somebody does not want to wait any longer. */
async function untilOver(
  api: ApiClient,
  id: string,
  isStopped: () => boolean,
  tell: (status: string) => void,
): Promise<JsonObject> {
  let told: string | undefined;
  for (let pause = pollMillis.first; ; pause = Math.min(pause * 1.5, pollMillis.longest)) {
    const document = asObject(await api.ask('GET', `/workflows/${id}`));
    const status = textField(document, 'status') ?? '';
    if (terminalStatuses.has(status) || isStopped()) return document;
    if (status !== told) tell(status);
    told = status;
    await delay(pause);
  }
}

/** A server in this process, on a free port and a directory that is removed afterwards. */
async function runEmbedded(request: JsonObject, options: RunOptions, terminal: Terminal): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'trama-run-'));
  const flags = [
    ['server.host', '127.0.0.1'],
    ['server.port', '0'],
    ['database.driver', 'EMBEDDED'],
    ['database.dataDir', directory],
    ['redis.topology', 'NONE'],
    ['runtime.enabled', 'true'],
    ['maintenance.enabled', 'false'],
    ...(options.verbose === true ? [] : [['logging.level', 'silent']]),
  ].map(([path = '', value = '']) => ({ path, value, flag: path }));
  const loaded = loadConfig({ env: terminal.env, flags });
  if (!loaded.ok) {
    await rm(directory, { recursive: true, force: true });
    throw new CliProblem(configProblems(loaded.problems), exitCodes.found);
  }
  // Standard output belongs to the result.
  const trama = await createTrama(loaded.config, { env: terminal.env, version: packageVersion(), logTo: 2 });
  let isStopped = false;
  const signals = untilStopped(() => {
    trama.hurry();
  });
  void signals.stopped.then(() => (isStopped = true));
  try {
    await trama.start();
    await runOn(createApiClient(trama.url), request, options, true, terminal, () => isStopped);
  } finally {
    // Nobody will see how calls in flight end.
    trama.hurry();
    await trama.stop();
    signals.forget();
    await rm(directory, { recursive: true, force: true });
  }
}
