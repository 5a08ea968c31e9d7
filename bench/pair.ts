/**
 * `npm run bench:pair -- DIRECTORY... [--redis]`: this checkout's build against those of other checkouts (built already), in one run.
 *
 * All builds run at the same time, and take turns, in another order each round. So whatever the machine does meanwhile hits all of them alike.
 * There are two ways:
 *
 * - `[--runs N] [--batch N] [--delay MS]`: only the CPU for a chain. The turns are small batches, so that differences of 2 % show where single
 *   runs differ by 25 %. Give the same checkout twice to see how much says nothing.
 * - `--pairs N [--seconds S] [--delay MS]`: all figures of a chain, N turns of each build. In a turn, the build is saturated for S seconds, then
 *   runs chains one at a time. For a quiet machine.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startBackend, type Backend } from './backends.ts';
import { oneAtATime, percentile, post, pushDefinition, saturate } from './load.ts';
import { startMock, startServer, type Mock, type Server } from './processes.ts';
import { chainDefinition } from './scenarios/chain.ts';

/** A build under test. */
interface Contender {
  readonly root: string;
  readonly server: Server;
  readonly backend: Backend;
  readonly pool: Pool;
  /** CPU per chain of each round, in milliseconds. */
  readonly rounds: number[];
  /** All figures of each round. */
  readonly turns: Turn[];
}

/** What is measured in a turn. */
const figures = {
  engine: 'engine CPU, ms a chain',
  postgres: 'Postgres CPU, ms a chain',
  redis: 'Redis CPU, ms a chain',
  perSecond: 'chains per second',
  p50: 'one at a time: p50, ms',
} as const;

type Turn = Readonly<Record<keyof typeof figures, number>>;

const connections = 64;
/** Before anything is counted: V8 is cold for the first few thousand chains. */
const warmUpRuns = 3_000;
const inFlight = 512;
const alone = 300;

/** CPU time of a process in milliseconds, over all its threads, in steps of less than a microsecond: `/proc/<pid>/task/<tid>/schedstat`. */
function exactCpuMillis(pid: number): number {
  const tasks = `/proc/${String(pid)}/task`;
  const nanos = readdirSync(tasks).map((task) => {
    try {
      return Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // The thread has ended meanwhile.
      return 0;
    }
  });
  return nanos.reduce((sum, each) => sum + each, 0) / 1e6;
}

/** Runs so many chains, and resolves when the last call of each was made. */
async function runBatch({ pool }: Contender, mock: Mock, runPath: string, count: number): Promise<void> {
  let finished = 0;
  const over = new Promise<void>((done) => {
    mock.onFinished = (ids): void => {
      finished += ids.length;
      if (finished >= count) done();
    };
  });
  let left = count;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, text } = await post(pool, runPath, { payload: { order: 'o-1', customer: 'c-1', amount: 12.99 } });
      if (status !== 200) throw new Error(`A run was refused: ${String(status)} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  await over;
}

async function start(root: string, isRedis: boolean): Promise<Contender> {
  const backend = await startBackend(isRedis ? 'redis' : 'embedded');
  const env = { RUNTIME_WORKERCOUNT: '256', HTTP_PERHOST_MAXCONCURRENCY: '256', ...backend.env };
  const server = await startServer(env, undefined, root);
  const pool = new Pool(server.url, { connections, pipelining: 1 });
  return { root, server, backend, pool, rounds: [], turns: [] };
}

/** Gives each build its turn, in another order each round. Each has run `warmUpRuns` chains before. */
async function takeTurns(
  contenders: readonly Contender[],
  mock: Mock,
  rounds: number,
  turn: (contender: Contender, runPath: string) => Promise<void>,
): Promise<void> {
  const runPaths = new Map<Contender, string>();
  for (const contender of contenders) {
    const runPath = await pushDefinition(contender.server, chainDefinition(mock.url));
    runPaths.set(contender, runPath);
    await runBatch(contender, mock, runPath, warmUpRuns);
  }
  for (let round = 0; round < rounds; round++) {
    for (let next = 0; next < contenders.length; next++) {
      const contender = contenders[(next + round) % contenders.length] as Contender;
      await turn(contender, runPaths.get(contender) ?? '');
    }
  }
}

async function compareCpu(contenders: readonly Contender[], mock: Mock, runs: number, batch: number): Promise<void> {
  await takeTurns(contenders, mock, Math.ceil(runs / batch), async (contender, runPath) => {
    const before = exactCpuMillis(contender.server.pid);
    await runBatch(contender, mock, runPath, batch);
    contender.rounds.push((exactCpuMillis(contender.server.pid) - before) / batch);
  });
  const [own] = contenders as [Contender];
  for (const { root, rounds } of contenders) {
    // This build against the other, round by round.
    const ratios = rounds.map((cpu, round) => (own.rounds[round] as number) / cpu);
    const texts = [
      `${mean(rounds).toFixed(4)} ms a chain`,
      `this build takes ${(mean(own.rounds) / mean(rounds)).toFixed(3)} of it`,
      `(median of ${String(rounds.length)} rounds ${percentile(ratios, 50).toFixed(3)})`,
    ];
    console.log(`${root}: ${texts.join(', ')}`);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `mock` answers after the delay, `quickMock` at once. */
async function compareAll(
  contenders: readonly Contender[],
  mock: Mock,
  quickMock: Mock,
  pairs: number,
  seconds: number,
): Promise<void> {
  await takeTurns(contenders, mock, pairs, async ({ server, backend, turns }, runPath) => {
    const work = (): ReturnType<Backend['work']> => backend.work();
    const full = await saturate([server], mock, runPath, { inFlight, seconds, warmUpSeconds: seconds / 4, work });
    const quickPath = await pushDefinition(server, chainDefinition(quickMock.url));
    const { p50 } = await oneAtATime(server, quickPath, alone);
    turns.push({
      engine: full.cpuPerWorkflow,
      postgres: full.perWorkflow?.postgresCpu ?? 0,
      redis: full.perWorkflow?.redisCpu ?? 0,
      perSecond: full.perSecond,
      p50,
    });
  });
  const [own, ...others] = contenders as [Contender, ...Contender[]];
  const median = ({ turns }: Contender, name: keyof Turn): number =>
    percentile(
      turns.map((turn) => turn[name]),
      50,
    );
  for (const other of others) {
    console.log(`\n${own.root} against ${other.root}: medians of ${String(pairs)} pairs`);
    console.log(['this', 'other', 'ratio'].map((head) => head.padStart(10)).join(''));
    for (const name of Object.keys(figures) as (keyof Turn)[]) {
      const ratios = own.turns.map((turn, pair) => turn[name] / (other.turns[pair]?.[name] ?? Number.NaN));
      // Of the embedded store, there is nothing to say of servers behind.
      if (ratios.some((ratio) => Number.isNaN(ratio))) continue;
      const numbers = [median(own, name).toFixed(3), median(other, name).toFixed(3), percentile(ratios, 50).toFixed(3)];
      console.log(`${numbers.map((number) => number.padStart(10)).join('')}  ${figures[name]}`);
    }
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      redis: { type: 'boolean', default: false },
      runs: { type: 'string', default: '20000' },
      batch: { type: 'string', default: '250' },
      delay: { type: 'string' },
      pairs: { type: 'string' },
      seconds: { type: 'string', default: '8' },
    },
  });
  const own = resolve(import.meta.dirname, '..');
  const roots = [own, ...positionals.map((directory) => resolve(directory))];
  const unbuilt = roots.find((root) => !existsSync(resolve(root, 'dist/cli/main.js')));
  if (roots.length < 2 || unbuilt !== undefined) {
    const what = unbuilt === undefined ? 'Name another checkout, built.' : `${unbuilt} is not built.`;
    console.error(
      `${what} npm run bench:pair -- DIRECTORY... [--redis] [--pairs N] [--runs N] [--batch N] [--delay MS]`,
    );
    process.exitCode = 2;
    return;
  }
  const { pairs } = values;
  const mock = await startMock(Number(values.delay ?? (pairs === undefined ? 0 : 20)));
  const quickMock = await startMock(0);
  const contenders: Contender[] = [];
  try {
    for (const root of roots) contenders.push(await start(root, values.redis));
    if (pairs === undefined) await compareCpu(contenders, mock, Number(values.runs), Number(values.batch));
    else await compareAll(contenders, mock, quickMock, Number(pairs), Number(values.seconds));
  } finally {
    for (const { pool, server, backend } of contenders) {
      await pool.close();
      await server.stop();
      await backend.close();
    }
    await mock.stop();
    await quickMock.stop();
  }
}

await main();
