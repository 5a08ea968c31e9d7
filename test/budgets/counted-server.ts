import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Pool } from 'undici';
import { stop, untilReady } from '../../bench/processes.ts';
import { chainDefinition } from '../../bench/scenarios/chain.ts';
import { compileCache, main } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import type { Order, Phase, ServerWork } from './instruments.ts';
import { StepDownstream } from './step-downstream.ts';

/** Workflows that run at once. */
export const waveSize = 64;

/** The instruments delay renewals and heartbeats, so leases and memberships last for hours. */
const settings = {
  LOGGING_LEVEL: 'error',
  RUNTIME_WORKERCOUNT: '256',
  HTTP_PERHOST_MAXCONCURRENCY: '128',
  REDIS_QUEUE_CONSUMER_PROCESSINGTIMEOUTMILLIS: '10800000',
  REDIS_SHARDING_MEMBERSHIPTTLMILLIS: '10800000',
};

/** Ends what hangs; measures nothing. */
const deadlineMillis = 60_000;
const instruments = new URL('instruments.ts', import.meta.url).href;

/** Rejects when something takes too long. */
async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes too long.`)), deadlineMillis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A server that counts what it does, the downstream of its workflows, and the client that submits them: chains of three calls.
 *
 * The workflows of a wave run in step, and the server is stopped while their requests or answers are sent to it: it finds all of them when it
 * goes on. So it writes as much at once on a busy machine as on an idle one, and what it does for a workflow is the same.
 */
export class CountedServer {
  /** Where the embedded store is, if it is used. */
  readonly dataDir: string;
  readonly #process: ChildProcess;
  readonly #downstream: StepDownstream;
  readonly #pool: Pool;
  #runPath = '';

  private constructor(dataDir: string, child: ChildProcess, downstream: StepDownstream, pool: Pool) {
    this.dataDir = dataDir;
    this.#process = child;
    this.#downstream = downstream;
    this.#pool = pool;
    downstream.together = (send): Promise<void> => this.#stopped(send);
    process.once('exit', this.#kill);
  }

  /** Starts the sources of this checkout, or the build of the checkout at `root`. */
  static async start(env: Readonly<Record<string, string>>, root?: string): Promise<CountedServer> {
    const entry = root === undefined ? main : join(root, 'dist/cli/main.js');
    // As the program is started by its own first line.
    const [firstLine = ''] = (await readFile(entry, 'utf8')).split('\n', 1);
    const options = firstLine.split(' ').filter((word) => word.startsWith('--'));
    const dataDir = await mkdtemp(join(tmpdir(), 'trama-budgets-'));
    const [port] = await freePorts(1);
    const args = ['--import', instruments, entry, 'serve', '--port', String(port), '--data-dir', dataDir];
    const child = spawn(process.execPath, [...options, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: process.env['PATH'], ...compileCache(), ...settings, ...env },
    });
    const url = `http://127.0.0.1:${String(port)}`;
    const pool = new Pool(url, { connections: waveSize, pipelining: 1 });
    const server = new CountedServer(dataDir, child, await StepDownstream.start(waveSize), pool);
    try {
      await untilReady(url, child);
      const definition = chainDefinition(`http://127.0.0.1:${String(server.downstreamPort)}`);
      await server.#post('/workflows/definitions', definition);
      server.#runPath = `/workflows/definitions/${definition.name}/${definition.version}/run`;
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  get downstreamPort(): number {
    return this.#downstream.port;
  }

  readonly #kill = (): void => {
    this.#process.kill('SIGKILL');
  };

  async #post(path: string, body: unknown): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const response = await this.#pool.request({ method: 'POST', path, headers, body: JSON.stringify(body) });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${path} was answered ${String(response.statusCode)}: ${text}`);
  }

  /** Sends something while the server is stopped. */
  async #stopped(send: () => Promise<unknown>): Promise<void> {
    const pid = Number(this.#process.pid);
    process.kill(pid, 'SIGSTOP');
    // A process that runs on another core stops a moment later. See proc(5): the state stands after the name.
    while (!/\) [TX] /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))) await setImmediate();
    try {
      await send();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  async #wave(): Promise<void> {
    const body = { payload: { order: 'o-1234', customer: 'c-1234567890', amount: 12.99 } };
    const over = new Promise<void>((resolve, reject) => {
      this.#downstream.onWave = (failure?: Error): void => {
        if (failure === undefined) resolve();
        else reject(failure);
      };
    });
    let submissions: readonly Promise<void>[] = [];
    await this.#stopped(async () => {
      submissions = Array.from({ length: waveSize }, () => this.#post(this.#runPath, body));
      // The client has written them when its turn of the event loop is over.
      await setImmediate();
    });
    await inTime('A wave', Promise.all([over, ...submissions]));
  }

  /** Runs so many waves of chains, one after the other; resolves when all of them are over. */
  async run(waves: number): Promise<void> {
    for (let wave = 0; wave < waves; wave++) await this.#wave();
    for (;;) {
      const { body } = await this.#pool.request({ method: 'GET', path: '/workflows?status=IN_PROGRESS&limit=1' });
      if ((await body.text()) === '[]') return;
    }
  }

  /** Begins to count. */
  async begin(phase: Phase): Promise<void> {
    await this.#order({ begin: phase });
  }

  /** Ends counting; what the server did meanwhile. */
  async end(): Promise<ServerWork> {
    return (await this.#order({ end: true })) as ServerWork;
  }

  async #order(order: Order): Promise<unknown> {
    const answer = once(this.#process, 'message') as Promise<[unknown]>;
    this.#process.send(order);
    const [message] = await inTime('Counting', answer);
    return message;
  }

  /** Ends the process and removes its data. */
  async close(): Promise<void> {
    await this.#pool.destroy();
    await stop(this.#process);
    process.off('exit', this.#kill);
    this.#downstream.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
