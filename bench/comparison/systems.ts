/** What is compared: how each system is started, with the settings that were the fastest for it on this workload. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../test/servers/free-ports.ts';
import type { Backend, BackendName } from '../backends.ts';
import { pushDefinition } from '../load.ts';
import { defaultWorkers, startPods, stopPods } from '../pods.ts';
import { stop, untilReady, type Mock } from '../processes.ts';
import { chainDefinition } from '../scenarios/chain.ts';

/** A system that takes workflows. */
export interface Running {
  /** Takes submissions. */
  readonly server: { readonly url: string; readonly pid: number };
  /** Its other processes, stores aside. */
  readonly helperPids?: readonly number[];
  /** Where a POST of `{ payload }` starts a workflow, and is answered once that is durable. */
  readonly runPath: string;
  /** Where the id is in that answer; by default `id`. */
  readonly idField?: string;
  /** Where the same is answered with the status at the end. */
  readonly waitPath: string;
  stop(): Promise<void>;
}

/** A system to measure. */
export interface System {
  readonly name: string;
  /** The package whose version is shown; none for Trama itself. */
  readonly packageName?: string;
  /** How it is set up, for readers of the table. */
  readonly setup: string;
  /** The servers that it keeps its state in. */
  readonly backend: BackendName;
  start(mock: Mock, backend: Backend): Promise<Running>;
}

const folder = import.meta.dirname;

/** A program has to be ready within this. */
const startTimeoutMillis = 30_000;

/** Starts a program of this folder that tells its port. */
async function startProgram(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; readonly pid: number; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [join(folder, file)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
  });
  const settled = new AbortController();
  const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(startTimeoutMillis)]);
  try {
    const [first] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code]) => [{ code: String(code) }]),
    ])) as [{ readonly port?: number; readonly code?: string }];
    if (first.port === undefined) throw new Error(`${file} ended with code ${String(first.code)} before it was ready.`);
    return { url: `http://127.0.0.1:${String(first.port)}`, pid: child.pid ?? 0, child };
  } catch (error) {
    await stop(child);
    throw error;
  } finally {
    settled.abort();
  }
}

/** A library behind the HTTP front of `front.mjs`. */
async function startLibrary(file: string, env: Readonly<Record<string, string>>): Promise<Running> {
  const { url, pid, child } = await startProgram(file, env);
  return { server: { url, pid }, runPath: '/run', waitPath: '/wait', stop: () => stop(child) };
}

/** Trama itself, one pod. */
export const trama: System = {
  name: 'Trama',
  setup: `1 pod, Postgres and Redis, ${String(defaultWorkers)} workers`,
  backend: 'redis',
  async start(mock, backend) {
    const pods = await startPods(backend, { pods: 1, workers: defaultWorkers });
    try {
      const [server] = pods;
      const runPath = await pushDefinition(server, chainDefinition(mock.url));
      return { server, runPath, waitPath: runPath, stop: () => stopPods(pods) };
    } catch (error) {
      await stopPods(pods);
      throw error;
    }
  },
};

const bullmq: System = {
  name: 'BullMQ',
  packageName: 'bullmq',
  setup: 'Redis with appendfsync always, 1 process, concurrency 256',
  backend: 'durable-redis',
  start: (mock, backend) => startLibrary('bullmq.mjs', { ...backend.env, MOCK_URL: mock.url, CONCURRENCY: '256' }),
};

const dbos: System = {
  name: 'DBOS',
  packageName: '@dbos-inc/dbos-sdk',
  setup: 'Postgres, 1 process, 20 connections',
  backend: 'postgres',
  start: (mock, backend) => startLibrary('dbos.mjs', { ...backend.env, MOCK_URL: mock.url, POOL_SIZE: '20' }),
};

const restate: System = {
  name: 'Restate',
  packageName: '@restatedev/restate-server',
  setup:
    '1 server on its own storage (fsync on), 1 partition, no journals kept after the end; 1 SDK process over HTTP/2',
  backend: 'embedded',
  async start(mock) {
    const services = await startProgram('restate.mjs', { MOCK_URL: mock.url, RESTATE_LOGGING: 'ERROR' });
    try {
      const server = await startRestate(services.url);
      return {
        server,
        helperPids: [services.pid],
        runPath: '/chain/run/send',
        idField: 'invocationId',
        waitPath: '/chain/run',
        stop: async () => {
          // The other way round it would report the end of every connection.
          await stop(services.child);
          await server.stop();
        },
      };
    } catch (error) {
      await stop(services.child);
      throw error;
    }
  },
};

/** Restate's server in a fresh directory, with the services at `servicesUrl` registered. */
async function startRestate(
  servicesUrl: string,
): Promise<{ readonly url: string; readonly pid: number; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'trama-bench-restate-'));
  const [node, ingress, admin] = (await freePorts(3)) as [number, number, number];
  const config = join(directory, 'restate.toml');
  writeFileSync(config, restateConfig({ node, ingress, admin }));
  const args = ['--config-file', config, '--base-dir', directory, '--no-logo', '--listen-mode', 'tcp'];
  const child = spawn(restateBinary(), args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: directory,
    env: { PATH: process.env['PATH'] },
  });
  const kill = (): unknown => child.kill('SIGKILL');
  process.once('exit', kill);
  const stopServer = async (): Promise<void> => {
    await stop(child);
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  };
  const [url, adminUrl] = [ingress, admin].map((port) => `http://127.0.0.1:${String(port)}`) as [string, string];
  try {
    await untilReady(adminUrl, child, '/health');
    await untilReady(url, child, '/restate/health');
    const answer = await fetch(`${adminUrl}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri: servicesUrl }),
    });
    if (!answer.ok) throw new Error(`Restate refused the services: ${await answer.text()}`);
  } catch (error) {
    await stopServer();
    throw error;
  }
  return { url, pid: child.pid ?? 0, stop: stopServer };
}

/**
 * Settings of the server. One partition, since two cores are shared with the rest; no statistics; a journal is dropped at
 * its invocation's end. What is appended to its log is on the disk before it counts, as by default. octocrab is its look
 * for a newer release, which fails without effect where there is no network.
 */
function restateConfig(ports: { readonly node: number; readonly ingress: number; readonly admin: number }): string {
  return [
    `bind-address = "127.0.0.1:${String(ports.node)}"`,
    'disable-telemetry = true',
    'log-filter = "error,octocrab=off"',
    'default-num-partitions = 1',
    'default-journal-retention = "0s"',
    'disable-prometheus = true',
    'rocksdb-perf-level = "disable"',
    '[ingress]',
    `bind-address = "127.0.0.1:${String(ports.ingress)}"`,
    '[admin]',
    `bind-address = "127.0.0.1:${String(ports.admin)}"`,
    '[worker.storage]',
    'rocksdb-disable-statistics = true',
    '[log-server]',
    'rocksdb-disable-statistics = true',
  ].join('\n');
}

/** The server's program, from the package of this platform. Throws when there is none. */
function restateBinary(): string {
  const path = join(
    folder,
    `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  );
  if (!existsSync(path)) throw new Error(`Restate has no package for ${process.platform}-${process.arch}.`);
  return path;
}

/** What Trama is compared with. */
export const systems: readonly System[] = [bullmq, dbos, restate];
