/** The servers under test. */
import { loadConfig } from '../src/config/load.ts';
import type { Config } from '../src/config/config.ts';
import type { Backend } from './backends.ts';
import { startServer, type DataDirectory, type Server } from './processes.ts';

/** How many, and how. */
export interface PodOptions {
  readonly pods: number;
  readonly workers: number;
  /** The embedded store's directory, when it is to stay. */
  readonly directory?: DataDirectory;
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

function loadDefaults(): Config {
  const loaded = loadConfig({ env: {}, fileText: { text: '', name: 'nothing' } });
  if (!loaded.ok) throw new Error(loaded.problems.join(' '));
  return loaded.config;
}

/** The product's own default of `runtime.workerCount`. */
export const defaultWorkers: number = loadDefaults().runtime.workerCount;

let started = 0;

/** Starts them, one after the other. */
export async function startPods(backend: Backend, options: PodOptions): Promise<[Server, ...Server[]]> {
  const { pods, workers, directory, env } = options;
  const start = (): Promise<Server> =>
    startServer(
      {
        ...backend.env,
        RUNTIME_WORKERCOUNT: String(workers),
        HTTP_PERHOST_MAXCONCURRENCY: String(workers),
        ...(backend.name === 'embedded' ? {} : { REDIS_SHARDING_PODID: `pod-${String(++started)}` }),
        ...env,
      },
      directory,
    );
  const servers: [Server, ...Server[]] = [await start()];
  for (let i = 2; i <= pods; i++) servers.push(await start());
  return servers;
}

/** Stops them, one after the other. */
export async function stopPods(servers: readonly Server[]): Promise<void> {
  for (const server of servers) await server.stop();
}

/** A series of a pod's `/metrics`, summed over its labels; NaN when it is not there. */
export async function metric(server: Server, name: string): Promise<number> {
  const response = await fetch(`${server.url}/metrics`);
  const text = await response.text();
  let sum = Number.NaN;
  for (const line of text.split('\n')) {
    const [series = '', value] = line.split(' ');
    if (series !== name && !series.startsWith(`${name}{`)) continue;
    sum = (Number.isNaN(sum) ? 0 : sum) + Number(value);
  }
  return sum;
}
