/**
 * Load: closed loops over HTTP, and what they measured.
 */
import { Pool } from 'undici';
import type { Work } from './backends.ts';
import type { Mock, Server } from './processes.ts';
import { cpuMillis, residentMib } from './processes.ts';

/** What a saturated run measured. */
export interface Saturated {
  readonly finished: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** CPU of the server process per finished workflow, in milliseconds. */
  readonly cpuPerWorkflow: number;
  readonly residentMib: number;
  readonly p50: number;
  readonly p99: number;
  /** Of the servers behind, per workflow. */
  readonly perWorkflow?: Work;
}

let orders = 0;

function payload(): unknown {
  orders++;
  return { order: `order-${String(orders)}`, customer: 'c-1234567890', amount: 12.99 };
}

/** One POST of JSON. */
export async function post(pool: Pool, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const response = await pool.request({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.statusCode, text: await response.body.text() };
}

/** Stores a definition; answers the path under which it is run. */
export async function pushDefinition(
  server: Server,
  definition: { readonly name: string; readonly version: string },
): Promise<string> {
  const pool = new Pool(server.url);
  const { status, text } = await post(pool, '/workflows/definitions', definition);
  if (status !== 200) throw new Error(`The definition was refused: ${text}`);
  await pool.close();
  return `/workflows/definitions/${definition.name}/${definition.version}/run`;
}

/** Keeps `inFlight` workflows running for `seconds` after a warm-up, and counts those that made their last call. */
export async function saturate(
  servers: readonly Pick<Server, 'url' | 'pid'>[],
  mock: Mock,
  runPath: string,
  options: {
    readonly inFlight: number;
    readonly seconds: number;
    readonly warmUpSeconds: number;
    /** To each server, by default 64. With fewer than are in flight, submissions wait for one another. */
    readonly connections?: number;
    /** Processes of the engine beside the servers. */
    readonly helperPids?: readonly number[];
    /** Where the answer to a submission has the id; by default `id`. */
    readonly idField?: string;
    /** What the servers behind have done. */
    readonly work?: () => Promise<Work>;
  },
): Promise<Saturated> {
  const { connections = 64, idField = 'id', helperPids = [] } = options;
  const pools = servers.map((server) => new Pool(server.url, { connections, pipelining: 1 }));
  const pids = [...servers.map(({ pid }) => pid), ...helperPids];
  const cpuOfAll = (): number => pids.reduce((sum, pid) => sum + cpuMillis(pid), 0);
  let turn = 0;
  const began = new Map<string, number>();
  const early = new Set<string>();
  let latencies: number[] = [];
  let stopping = false;
  let finished = 0;
  let open = 0;
  let failure: Error | undefined;

  const submit = async (): Promise<void> => {
    open++;
    const at = performance.now();
    const pool = pools[turn++ % pools.length] as Pool;
    const { status, text } = await post(pool, runPath, { payload: payload() });
    const id = status < 300 ? (JSON.parse(text) as Record<string, string>)[idField] : undefined;
    if (id === undefined) throw new Error(`A run was refused: ${String(status)} ${text}`);
    // The last call may be seen before the answer to the submission.
    if (early.delete(id)) done(at);
    else began.set(id, at);
  };
  const next = (): void => {
    submit().catch((error: unknown) => {
      failure ??= error instanceof Error ? error : new Error(String(error));
      open--;
    });
  };
  const done = (at: number): void => {
    open--;
    finished++;
    latencies.push(performance.now() - at);
    if (!stopping && failure === undefined) next();
  };
  mock.onFinished = (ids) => {
    for (const id of ids) {
      const at = began.get(id);
      if (at === undefined) early.add(id);
      else {
        began.delete(id);
        done(at);
      }
    }
  };
  for (let i = 0; i < options.inFlight; i++) next();
  await wait(options.warmUpSeconds);
  const start = { at: performance.now(), cpu: cpuOfAll(), finished };
  const workBefore = await options.work?.();
  latencies = [];
  await wait(options.seconds);
  const end = { at: performance.now(), cpu: cpuOfAll(), finished };
  const workAfter = await options.work?.();
  const resident = Math.max(...pids.map((pid) => residentMib(pid)));
  stopping = true;
  const deadline = end.at + 60_000;
  while (performance.now() < deadline) {
    if (open === 0) break;
    await wait(0.05);
  }
  await Promise.all(pools.map((pool) => pool.close()));
  if (failure !== undefined) throw failure;
  if (open > 0) throw new Error(`${String(open)} workflows did not finish within 60 s.`);
  const count = end.finished - start.finished;
  const seconds = (end.at - start.at) / 1000;
  return {
    finished: count,
    seconds,
    perSecond: count / seconds,
    cpuPerWorkflow: (end.cpu - start.cpu) / count,
    residentMib: resident,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    ...(workBefore !== undefined && workAfter !== undefined
      ? {
          perWorkflow: {
            postgresCpu: (workAfter.postgresCpu - workBefore.postgresCpu) / count,
            redisCpu: (workAfter.redisCpu - workBefore.redisCpu) / count,
            transactions: (workAfter.transactions - workBefore.transactions) / count,
            commands: (workAfter.commands - workBefore.commands) / count,
          },
        }
      : undefined),
  };
}

/** One workflow at a time, from submission to terminal (by `waitMillis`); latencies in milliseconds. */
export async function oneAtATime(
  server: Pick<Server, 'url'>,
  runPath: string,
  count: number,
): Promise<{ readonly p50: number; readonly p99: number }> {
  const pool = new Pool(server.url, { connections: 1 });
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = performance.now();
    const { text } = await post(pool, `${runPath}?waitMillis=10000`, { payload: payload() });
    const { status } = JSON.parse(text) as { status: string };
    if (status !== 'SUCCEEDED') throw new Error(`A workflow ended as ${status}.`);
    if (i >= count / 5) latencies.push(performance.now() - at);
  }
  await pool.close();
  return { p50: percentile(latencies, 50), p99: percentile(latencies, 99) };
}

/** Accepted runs per second: submissions that are durable when answered and start much later. */
export async function accept(
  server: Server,
  runPath: string,
  options: { readonly clients: number; readonly seconds: number },
): Promise<{ readonly perSecond: number; readonly p99: number; readonly cpuPerRun: number }> {
  const pool = new Pool(server.url, { connections: options.clients, pipelining: 1 });
  const startAt = new Date(Date.now() + 365 * 86_400_000).toISOString();
  const latencies: number[] = [];
  const until = performance.now() + options.seconds * 1000;
  const cpu = cpuMillis(server.pid);
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const at = performance.now();
      const { status, text } = await post(pool, runPath, { payload: payload(), startAt });
      if (status !== 200) throw new Error(`A run was refused: ${String(status)} ${text}`);
      latencies.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: options.clients }, client));
  const spent = cpuMillis(server.pid) - cpu;
  await pool.close();
  return {
    perSecond: latencies.length / options.seconds,
    p99: percentile(latencies, 99),
    cpuPerRun: spent / latencies.length,
  };
}

/** The floor: three bare calls in a row, nothing durable, as many at once, after a warm-up. */
export async function bareCalls(
  mock: Mock,
  options: { readonly inFlight: number; readonly seconds: number; readonly warmUpSeconds?: number },
): Promise<{ readonly perSecond: number; readonly cpuPerWorkflow: number }> {
  const pool = new Pool(mock.url, { connections: options.inFlight, pipelining: 1 });
  mock.onFinished = () => undefined;
  let count = 0;
  const stopping = new AbortController();
  const client = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const path of ['/1', '/2', '/3']) await post(pool, path, payload());
      count++;
    }
  };
  const clients = Promise.all(Array.from({ length: options.inFlight }, client));
  await Promise.race([clients, wait(options.warmUpSeconds ?? 0)]);
  const start = { at: performance.now(), cpu: cpuMillis(process.pid), count };
  await Promise.race([clients, wait(options.seconds)]);
  const end = { at: performance.now(), cpu: cpuMillis(process.pid), count };
  stopping.abort();
  await clients;
  await pool.close();
  const done = end.count - start.count;
  return { perSecond: (done * 1000) / (end.at - start.at), cpuPerWorkflow: (end.cpu - start.cpu) / done };
}

/** The p-th percentile; NaN of nothing. */
export function percentile(values: readonly number[], p: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN;
}

/** Waits. */
export function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}
