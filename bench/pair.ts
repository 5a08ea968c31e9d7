/**
 * `npm run bench:pair -- DIRECTORY... [--redis] [--runs N] [--batch N] [--delay MS]`: the CPU that builds of Trama take for a chain, this
 * checkout's and those of other checkouts (built already), compared in one run.
 *
 * All builds run at the same time, and take turns: a batch of chains goes to the one, the next to the other, in another order each round. So
 * whatever the machine does meanwhile hits all of them alike, and differences of 2 % show where single runs differ by 25 %. Give the same
 * checkout twice to see how much says nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startBackend, type Backend } from './backends.ts';
import { percentile, post, pushDefinition } from './load.ts';
import { startMock, startServer, type Mock, type Server } from './processes.ts';
import { chainDefinition } from './scenarios/chain.ts';

/** A build under test. */
interface Contender {
  readonly root: string;
  readonly server: Server;
  readonly backend: Backend;
  readonly pool: Pool;
  readonly runPath: string;
  /** CPU per chain of each round, in milliseconds. */
  readonly rounds: number[];
}

const connections = 64;
/** Before anything is counted: V8 is cold for the first few thousand chains. */
const warmUpRuns = 3_000;

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
async function runBatch({ pool, runPath }: Contender, mock: Mock, count: number): Promise<void> {
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

async function start(root: string, mock: Mock, isRedis: boolean): Promise<Contender> {
  const backend = await startBackend(isRedis ? 'redis' : 'embedded');
  const env = { RUNTIME_WORKERCOUNT: '256', HTTP_PERHOST_MAXCONCURRENCY: '256', ...backend.env };
  const server = await startServer(env, undefined, root);
  const runPath = await pushDefinition(server, chainDefinition(mock.url));
  return { root, server, backend, pool: new Pool(server.url, { connections, pipelining: 1 }), runPath, rounds: [] };
}

async function compare(contenders: readonly Contender[], mock: Mock, runs: number, batch: number): Promise<void> {
  for (const contender of contenders) await runBatch(contender, mock, warmUpRuns);
  for (let round = 0; round * batch < runs; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length] as Contender;
      const before = exactCpuMillis(contender.server.pid);
      await runBatch(contender, mock, batch);
      contender.rounds.push((exactCpuMillis(contender.server.pid) - before) / batch);
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function report(contenders: readonly Contender[]): void {
  const [own] = contenders as [Contender];
  for (const { root, rounds } of contenders) {
    // This build against the other, round by round.
    const ratios = rounds.map((cpu, round) => (own.rounds[round] as number) / cpu);
    const figures = [
      `${mean(rounds).toFixed(4)} ms a chain`,
      `this build takes ${(mean(own.rounds) / mean(rounds)).toFixed(3)} of it`,
      `(median of ${String(rounds.length)} rounds ${percentile(ratios, 50).toFixed(3)})`,
    ];
    console.log(`${root}: ${figures.join(', ')}`);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      redis: { type: 'boolean', default: false },
      runs: { type: 'string', default: '20000' },
      batch: { type: 'string', default: '250' },
      delay: { type: 'string', default: '0' },
    },
  });
  const own = resolve(import.meta.dirname, '..');
  const roots = [own, ...positionals.map((directory) => resolve(directory))];
  const unbuilt = roots.find((root) => !existsSync(resolve(root, 'dist/cli/main.js')));
  if (roots.length < 2 || unbuilt !== undefined) {
    const what = unbuilt === undefined ? 'Name another checkout, built.' : `${unbuilt} is not built.`;
    console.error(`${what} npm run bench:pair -- DIRECTORY... [--redis] [--runs N] [--batch N] [--delay MS]`);
    process.exitCode = 2;
    return;
  }
  const mock = await startMock(Number(values.delay));
  const contenders: Contender[] = [];
  try {
    for (const root of roots) contenders.push(await start(root, mock, values.redis));
    await compare(contenders, mock, Number(values.runs), Number(values.batch));
    report(contenders);
  } finally {
    for (const { pool, server, backend } of contenders) {
      await pool.close();
      await server.stop();
      await backend.close();
    }
    await mock.stop();
  }
}

await main();
