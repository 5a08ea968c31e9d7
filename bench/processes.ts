/**
 * Child processes of the benchmarks, and what the operating system says of them.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** CPU time of a process since its start, in milliseconds: `/proc/<pid>/stat`, fields 14 and 15, at 100 ticks a second. */
export function cpuMillis(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process in MiB. */
export function residentMib(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

/** The downstream mock. */
export interface Mock {
  readonly url: string;
  /** Called with the ids of workflows that have made their last call. */
  onFinished: (ids: readonly string[]) => void;
  stop(): Promise<void>;
}

/** Starts the mock of `mock.ts`. */
export async function startMock(delayMillis: number): Promise<Mock> {
  const child = spawn(process.execPath, [new URL('./mock.ts', import.meta.url).pathname, String(delayMillis)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [first] = (await once(child, 'message')) as [{ port: number }];
  const mock: Mock = {
    url: `http://127.0.0.1:${String(first.port)}`,
    onFinished: () => undefined,
    stop: () => stop(child),
  };
  child.on('message', (message: { finished?: string[] }) => {
    if (message.finished !== undefined) mock.onFinished(message.finished);
  });
  return mock;
}

/** A server under test. */
export interface Server {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to the first 200 of `/readyz`, in milliseconds. */
  readonly startMillis: number;
  stop(): Promise<void>;
}

/** Starts the built command line with an embedded store in a fresh directory. */
export async function startServer(extra: Readonly<Record<string, string>> = {}): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), 'trama-bench-'));
  const port = await freePort();
  const began = performance.now();
  const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
  // As the program is started by its own first line.
  const [firstLine = ''] = readFileSync(main, 'utf8').split('\n', 1);
  const more = (process.env['TRAMA_BENCH_NODE_OPTIONS'] ?? '').split(' ');
  const nodeOptions = [...firstLine.split(' ').slice(1), ...more].filter((option) => option.startsWith('--'));
  const child = spawn(process.execPath, [...nodeOptions, main, 'serve'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_DATADIR: join(directory, 'data'),
      LOGGING_LEVEL: 'warn',
      ...extra,
    },
  });
  const url = `http://127.0.0.1:${String(port)}`;
  await untilReady(url, child);
  return {
    url,
    pid: child.pid ?? 0,
    startMillis: performance.now() - began,
    stop: async () => {
      await stop(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`The server ended with code ${String(child.exitCode)}.`);
    try {
      const response = await fetch(`${url}/readyz`);
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Not listening yet.
    }
    await sleep(5);
  }
  throw new Error('The server did not become ready within 30 s.');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 45_000);
  await exited;
  clearTimeout(late);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
