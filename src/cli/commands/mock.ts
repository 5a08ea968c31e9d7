import { InvalidArgumentError, Option, type Command } from 'commander';
import { readScenario } from '../../scenario/document/read.ts';
import type { Json } from '../../core/value/json.ts';
import { DuplicateKey, parseUniqueJson } from '../../core/value/unique-json.ts';
import { Definitions } from '../../scenario/definitions.ts';
import { defaultStart, type Scenario, type ScenarioAnswer } from '../../scenario/scenario.ts';
import type { Plan } from '../../core/plan.ts';
import { readDocumentFile } from '../documents/document-file.ts';
import { serverUrl } from '../api-client.ts';
import { localGuard } from '../server/local-services.ts';
import { MockServer, type MockOptions } from '../mock/mock-server.ts';
import { type MockRoute, routesOf } from '../mock/routes.ts';
import { planOfFile } from '../documents/plan-file.ts';
import { givenDefinitions, missingDefinitions, withOption } from '../documents/with-files.ts';
import { untilStopped } from '../server/signals.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface Options {
  readonly port?: number;
  readonly scenario?: string;
  readonly callback?: Json;
  readonly latency: readonly [number, number];
  readonly failures: number;
  readonly failureStatus: number;
  readonly callbackDelay: number;
  readonly seed: number;
  readonly allowHost: readonly string[];
  readonly url?: string;
  readonly quiet?: true;
  readonly with?: readonly string[];
}

/** `trama mock`: serves every call of a definition until it is stopped. */
export function defineMock(command: Command, terminal: Terminal): void {
  withOption(command)
    .argument('<file>', 'a definition in JSON or YAML; - for standard input')
    .option(
      '--port <port>',
      'where to listen on 127.0.0.1; 0 takes a free port (default: the port that the URLs of the definition name, if ' +
        'they name one on this machine, else 9090)',
      whole(0, 65_535),
    )
    .option('--scenario <file>', 'answer every execution as this scenario says')
    .addOption(
      new Option('--latency <ms>', 'latency of every answer: 20 or 20-80')
        .argParser(latency)
        .default([0, 0] as const, '0'),
    )
    .option('--callback <json>', 'the body of every callback, without a scenario ({})', json)
    .option('--failures <ratio>', 'share of calls that fail, from 0 to 1', ratio, 0)
    .option('--failure-status <code>', 'what those are answered', whole(400, 599), 503)
    .option('--callback-delay <ms>', 'delay of callbacks after the answer', whole(0, 86_400_000), 100)
    .option(
      '--seed <number>',
      'seed of failures and latencies: the same number gives the same order',
      whole(0, 2 ** 31),
      1,
    )
    .option('--allow-host <host...>', 'further host names in requests, such as host.docker.internal', [])
    .option('--url <url>', 'the server, if its callback address is not on this machine (default: TRAMA_URL)')
    .option('--quiet', 'print no line per request')
    .addHelpText(
      'after',
      `
A definition whose URLs begin with {{vars.BASE}} reaches the mock once the server knows where that is:

  trama mock order.json                                       # in one terminal
  TRAMA_VAR_BASE=http://127.0.0.1:9090 trama run order.json   # in another

One whose URLs begin with http://localhost:9000 reaches a mock on that port as it is.

It answers direct requests to this machine only, and calls back this machine or the server only: it requires no
credentials, and a page in your browser could reach it, too.

Without a scenario every call is answered 200 {} (202 and a callback {} where the node is async). Exit codes: 0 stopped
by SIGINT or SIGTERM, 1 the definition or the scenario is invalid, 2 wrong usage, or the port is taken.`,
    )
    .action(async (file: string, options: Options) => {
      const plan = planOfFile(file, terminal);
      const others = givenDefinitions(options.with, terminal).map((given) => given.plan);
      const mock = new MockServer(mockOptions(new Definitions(plan, others), others, options, terminal));
      const url = await listen(mock, options.port ?? namedPort(mock.routes) ?? 9090);
      // Listens for signals before the first line: its reader may stop the mock at once.
      const signals = untilStopped(() => undefined);
      for (const line of greeting(plan, others, mock.routes, url)) terminal.out(line);
      await signals.stopped;
      await mock.close();
      signals.forget();
    });
}

function mockOptions(
  definitions: Definitions,
  others: readonly Plan[],
  options: Options,
  terminal: Terminal,
): MockOptions {
  const { root: plan } = definitions;
  if (options.scenario !== undefined && options.callback !== undefined)
    throw new CliProblem('Give --scenario or --callback, not both: a scenario says how its callbacks look.');
  return {
    definitions,
    scenario:
      options.scenario === undefined
        ? hopeful(definitions, options.callback)
        : scenarioOf(options.scenario, plan, others),
    latencyMillis: options.latency,
    failureRatio: options.failures,
    failureStatus: options.failureStatus,
    callbackDelayMillis: options.callbackDelay,
    random: seeded(options.seed),
    guard: localGuard({ hosts: options.allowHost, setting: '--allow-host' }),
    server: serverUrl(options.url, terminal),
    report: (line) => {
      if (options.quiet !== true) terminal.out(`${new Date().toISOString().slice(11, 23)}  ${line}`);
    },
  };
}

/** A scenario that only sets how callbacks look, if anything. */
function hopeful(definitions: Definitions, callback: Json | undefined): Scenario {
  const answers = new Map<string, readonly ScenarioAnswer[]>();
  for (const { name, isAsync } of routesOf(definitions)) {
    if (callback !== undefined && isAsync) answers.set(name, [{ headers: {}, callbacks: [{ body: callback }] }]);
  }
  return { startedAt: defaultStart, payload: {}, labels: {}, vars: {}, answers, actions: [] };
}

function scenarioOf(file: string, plan: Plan, others: readonly Plan[]): Scenario {
  const read = readScenario(readDocumentFile(file), plan, { isRun: false, with: others });
  if (read.ok) return read.scenario;
  throw new CliProblem([`${file} is no valid scenario:`, ...read.errors.map((line) => `  - ${line}`)], exitCodes.found);
}

async function listen(mock: MockServer, port: number): Promise<string> {
  try {
    return await mock.listen(port);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliProblem(`The mock cannot listen: ${why}. Choose another port with --port.`);
  }
}

function greeting(plan: Plan, given: readonly Plan[], routes: readonly MockRoute[], url: string): readonly string[] {
  const width = Math.max(0, ...routes.map(({ verb }) => verb.length));
  const longest = Math.max(0, ...routes.map(({ path }) => path.length));
  const bases = [...new Set(routes.flatMap(({ base }) => base ?? []))];
  const origins = [...new Set(routes.flatMap(({ origin }) => origin ?? []))];
  const others = origins.filter((origin) => localPort(origin) !== Number(new URL(url).port));
  return [
    `${plan.name} ${plan.version} is mocked at ${url}`,
    '',
    ...routes.map(({ verb, path, name }) => `  ${verb.padEnd(width)}  ${path.padEnd(longest)}  ${name}`),
    '',
    ...bases.map((name) => `Point it here: TRAMA_VAR_${name}=${url}`),
    ...others.map((origin) => `Not mocked while the definition names it: ${origin} (write {{vars.BASE}} instead)`),
    ...missingDefinitions(plan, given).map((sentence) => `Not mocked: ${sentence}`),
    'Ctrl-C stops it.',
    '',
  ];
}

/** The port of an origin on this machine for which a plain HTTP server can answer. */
function localPort(origin: string): number | undefined {
  const [, port] = /^http:\/\/(?:localhost|127\.0\.0\.1):(\d{1,5})$/i.exec(origin) ?? [];
  return port === undefined ? undefined : Number(port);
}

/** The only port on this machine that the definition calls. */
function namedPort(routes: readonly MockRoute[]): number | undefined {
  const ports = new Set(routes.flatMap(({ origin }) => (origin === undefined ? [] : (localPort(origin) ?? []))));
  return ports.size === 1 ? [...ports][0] : undefined;
}

function json(text: string): Json {
  try {
    return parseUniqueJson(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof DuplicateKey ? error.message : 'It must be JSON.');
  }
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(least)} to ${String(most)}.`);
  };
}

function ratio(text: string): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}

function latency(text: string): readonly [number, number] {
  const [, least, most = least] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text) ?? [];
  if (least !== undefined && Number(most) >= Number(least)) return [Number(least), Number(most)];
  throw new InvalidArgumentError('It must be milliseconds, as 20 or 20-80.');
}

/** A small generator (a linear congruence with the constants of Numerical Recipes); the failures need no better one. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
