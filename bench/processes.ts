/**
 * Child processes of the benchmarks, and what the operating system says of them. They do not outlive this process: an
 * interrupt (SIGINT, SIGTERM) ends everything that was started, data included, and an exit ends at least the processes.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Processes that run now. */
const running = new Set<ChildProcess>();
/** What an interruption ends besides. */
const endings = new Set<() => Promise<unknown>>();
let isInterrupted = false;

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    // A terminal sends it to all processes, and npm sends it on once more.
    if (isInterrupted) return;
    isInterrupted = true;
    void interrupt(code);
  });
}

async function interrupt(code: number): Promise<void> {
  // The measurement fails by this anyway.
  process.on('uncaughtException', () => undefined);
  await Promise.all([...running].map((child) => end(child)));
  await Promise.allSettled([...endings].map((endOne) => endOne()));
  process.exit(code);
}

/** Calls `end` when this process is interrupted, unless the answer was called before. */
export function endWhenInterrupted(end: () => Promise<unknown>): () => void {
  endings.add(end);
  return () => {
    endings.delete(end);
  };
}

function track(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

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

/** File descriptors that a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${String(pid)}/fd`).length;
}

/** A call that was due at an instant, as the mock saw it arrive. Both in ms since 1970. */
export interface Arrival {
  /** What the definition says of it. */
  readonly kind: string;
  readonly due: number;
  readonly at: number;
}

/** The downstream mock. */
export interface Mock {
  readonly url: string;
  /** Called with the ids of workflows that have made their last call. */
  onFinished: (ids: readonly string[]) => void;
  /** Called with calls that were due at an instant. */
  onArrivals: (arrivals: readonly Arrival[]) => void;
  /** Calls of `/visit` and `/undo` so far. */
  readonly counts: { readonly visit: number; readonly undo: number };
  stop(): Promise<void>;
}

interface MockMessage {
  readonly finished?: readonly string[];
  readonly arrivals?: readonly Arrival[];
  readonly counts?: Mock['counts'];
}

/** Starts the mock of `mock.ts`. */
export async function startMock(delayMillis: number): Promise<Mock> {
  const child = spawn(process.execPath, [new URL('./mock.ts', import.meta.url).pathname, String(delayMillis)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  track(child);
  const [first] = (await once(child, 'message')) as [{ port: number }];
  let counts = { visit: 0, undo: 0 };
  const mock: Mock = {
    url: `http://127.0.0.1:${String(first.port)}`,
    onFinished: () => undefined,
    onArrivals: () => undefined,
    get counts() {
      return counts;
    },
    stop: () => stop(child),
  };
  child.on('message', (message: MockMessage) => {
    if (message.finished !== undefined) mock.onFinished(message.finished);
    if (message.arrivals !== undefined) mock.onArrivals(message.arrivals);
    if (message.counts !== undefined) counts = message.counts;
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

/** A directory for the data of an embedded store, which may be started more than once on it. */
export interface DataDirectory {
  readonly path: string;
  remove(): void;
}

/** Makes one. */
export function dataDirectory(): DataDirectory {
  const path = mkdtempSync(join(tmpdir(), 'trama-bench-'));
  const erase = (): void => {
    rmSync(path, { recursive: true, force: true });
  };
  const forget = endWhenInterrupted(() => Promise.resolve(erase()));
  return {
    path,
    remove: () => {
      forget();
      erase();
    },
  };
}

/**
 * Starts the built command line of the checkout at `root`, by default this one, with an embedded store in a fresh directory, or in `kept`,
 * which stays when it stops.
 */
export async function startServer(
  extra: Readonly<Record<string, string>> = {},
  kept?: DataDirectory,
  root: string = new URL('..', import.meta.url).pathname,
): Promise<Server> {
  const directory = kept ?? dataDirectory();
  const port = await freePort();
  const began = performance.now();
  const main = join(root, 'dist/cli/main.js');
  // The program sets what a process begins with by itself; older builds that a pair compares have it in their first line.
  const [firstLine = ''] = readFileSync(main, 'utf8').split('\n', 1);
  const more = (process.env['TRAMA_BENCH_NODE_OPTIONS'] ?? '').split(' ');
  const nodeOptions = [...firstLine.split(' ').slice(1), ...more].filter((option) => option.startsWith('--'));
  const child = spawn(process.execPath, [...nodeOptions, main, 'serve'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_DATADIR: join(directory.path, 'data'),
      LOGGING_LEVEL: 'warn',
      ...extra,
    },
  });
  track(child);
  const url = `http://127.0.0.1:${String(port)}`;
  try {
    await untilReady(url, child);
  } catch (error) {
    await stop(child);
    throw error;
  }
  return {
    url,
    pid: child.pid ?? 0,
    startMillis: performance.now() - began,
    stop: async () => {
      await stop(child);
      if (kept === undefined) directory.remove();
    },
  };
}

/** Waits until a server of a process answers `path` with 200. */
export async function untilReady(url: string, child: ChildProcess, path = '/readyz'): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`The server ended with code ${String(child.exitCode)}.`);
    try {
      const response = await fetch(url + path);
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Not listening yet.
    }
    await sleep(5);
  }
  throw new Error('The server did not become ready within 30 s.');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Ends a process in order, and by force when that takes too long. A second call does nothing. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
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
