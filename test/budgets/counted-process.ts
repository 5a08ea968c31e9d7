import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { stop, untilReady } from '../../bench/processes.ts';
import { compileCache, main } from '../e2e/trama-process.ts';
import { freePorts } from '../servers/free-ports.ts';
import type { Order, Phase, ServerWork } from './instruments.ts';

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
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
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

/** How a counted server is started. */
export interface CountedOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A checkout with a build; the sources of this one by default. */
  readonly root?: string | undefined;
  /** Connections of its client. */
  readonly connections: number;
}

/** A server that counts what it does, and its client. */
export class CountedProcess {
  /** Where the embedded store is, if it is used. */
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #pool: Pool;

  private constructor(dataDir: string, child: ChildProcess, pool: Pool) {
    this.dataDir = dataDir;
    this.#child = child;
    this.#pool = pool;
    process.once('exit', this.#kill);
  }

  /** Starts it, and waits until it is ready. */
  static async start({ env, root, connections }: CountedOptions): Promise<CountedProcess> {
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
    const server = new CountedProcess(dataDir, child, new Pool(url, { connections, pipelining: 1 }));
    try {
      await untilReady(url, child);
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  get pid(): number {
    return Number(this.#child.pid);
  }

  readonly #kill = (): void => {
    this.#child.kill('SIGKILL');
  };

  /** The text of an answer of 200; other answers reject. */
  async ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    const response = await this.#pool.request({ method, path, ...sent });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${path} was answered ${String(response.statusCode)}: ${text}`);
    return text;
  }

  /** Begins to count. */
  async begin(phase: Phase): Promise<void> {
    await this.#order({ begin: phase });
  }

  /** Ends counting; what the server did meanwhile. */
  async end(): Promise<ServerWork> {
    return (await this.#order({ end: true })) as ServerWork;
  }

  /** Bytes of the heap of its main thread that are left when its garbage is gone. */
  async liveHeap(): Promise<number> {
    return (await this.#order({ live: true })) as number;
  }

  async #order(order: Order): Promise<unknown> {
    const answer = once(this.#child, 'message') as Promise<[unknown]>;
    this.#child.send(order);
    const [message] = await inTime('Counting', answer);
    return message;
  }

  /** Ends the process and removes its data. */
  async close(): Promise<void> {
    await this.#pool.destroy();
    await stop(this.#child);
    process.off('exit', this.#kill);
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
