import { Pool } from 'undici';
import { startBackend, type Backend } from '../backends.ts';
import { percentile, post, pushDefinition, wait } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { startMock, type Mock, type Server } from '../processes.ts';
import type { Add, NamedDefinition, Options } from '../report.ts';

const perSecond = 20;
const retryDelayMillis = 500;

type Node = Readonly<Record<string, unknown>>;

/** A task that tells the mock when it was due. */
function call(id: string, url: string, headers: Readonly<Record<string, string>>): Node {
  return { kind: 'task', id, action: { mode: 'sync', request: { url, verb: 'POST', headers, body: { ok: true } } } };
}

/** The definitions by kind. */
function definitions(mockUrl: string): Readonly<Record<'sleep' | 'retry' | 'submit', NamedDefinition>> {
  const version = new URL(mockUrl).port;
  const arrival = (kind: string): Node =>
    call('call', `${mockUrl}/arrival`, { 'Bench-Kind': kind, 'Bench-Due': '{{payload.due}}' });
  return {
    sleep: {
      name: 'due-sleep',
      version,
      entrypoint: 'rest',
      nodes: [{ kind: 'sleep', id: 'rest', until: '{{payload.at}}', next: 'call' }, arrival('sleep')],
    },
    retry: {
      name: 'due-retry',
      version,
      failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: retryDelayMillis },
      entrypoint: 'call',
      nodes: [call('call', `${mockUrl}/retry`, { 'Bench-Kind': 'retry', 'Bench-Delay': String(retryDelayMillis) })],
    },
    submit: {
      name: 'due-submit',
      version,
      entrypoint: 'call',
      nodes: [call('call', `${mockUrl}/arrival`, { 'Bench-Kind': '{{payload.kind}}', 'Bench-Due': '{{payload.due}}' })],
    },
  };
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Posts again and again, at random moments. */
async function drip(
  server: Server,
  path: string,
  seconds: number,
  payloadOf: () => Readonly<Record<string, unknown>>,
): Promise<number> {
  const pool = new Pool(server.url, { connections: 16 });
  const until = performance.now() + seconds * 1000;
  const open: Promise<void>[] = [];
  while (performance.now() < until) {
    await wait((Math.random() * 2) / perSecond);
    const submitted = post(pool, path, { payload: payloadOf() }).then(({ status, text }) => {
      if (status !== 200) throw new Error(`A run was refused: ${String(status)} ${text}`);
    });
    open.push(submitted);
  }
  await Promise.all(open);
  await pool.close();
  return open.length;
}

/** The floor for an engine that records that a call goes out and that its receiver accepted it. */
async function floor(backend: Backend, mock: Mock, seconds: number): Promise<void> {
  const pool = new Pool(mock.url, { connections: 16 });
  const until = performance.now() + seconds * 1000;
  const open: Promise<unknown>[] = [];
  while (performance.now() < until) {
    await wait((Math.random() * 2) / perSecond);
    const instant = Math.ceil(now() + 500);
    const rest = wait((instant - now()) / 1000).then(async () => {
      for (let i = 0; i < 2 && backend.name !== 'embedded'; i++) {
        await backend.query('INSERT INTO bench_floor VALUES ($1)', [instant]);
      }
      const headers = { 'bench-kind': 'floor', 'bench-due': String(instant) };
      await pool.request({ method: 'POST', path: '/arrival', headers, body: '{}' }).then(({ body }) => body.dump());
    });
    open.push(rest);
  }
  await Promise.all(open);
  await pool.close();
}

/**
 * Due -> call on the wire, lightly loaded: the time at which a call arrives at the mock less the time at which it was due, by
 * the same clock. About twenty a second of each kind, at random moments:
 *
 * - a sleep ends (`until`), and the next node calls;
 * - a retry is due: its delay after the mock has answered 409, so that the way of that answer counts, too;
 * - a run is submitted: from the moment at which the driver sends it, insert included, to a pod that works and, where pods
 *   share a store, to one that only serves the API, so that the call comes from another pod.
 *
 * Beside them, the floor: a timer of this process, two commits to the same Postgres, a call. On a machine that others use, too, its
 * p99 says how much of a pod's is the machine's.
 */
export async function due({ backend: name, pods, seconds, workers }: Options, add: Add): Promise<void> {
  const backend = await startBackend(name);
  const mock = await startMock(0);
  const isShared = name === 'redis' || name === 'cluster';
  const servers = await startPods(backend, { pods: isShared ? Math.max(2, pods) : 1, workers });
  const fronts =
    name !== 'embedded' ? await startPods(backend, { pods: 1, workers, env: { RUNTIME_ENABLED: 'false' } }) : [];
  const lateness = new Map<string, number[]>();
  let isWarm = false;
  mock.onArrivals = (arrivals) => {
    for (const { kind, due: at, at: came } of isWarm ? arrivals : []) {
      const known = lateness.get(kind);
      if (known === undefined) lateness.set(kind, [came - at]);
      else known.push(came - at);
    }
  };
  try {
    const [server] = servers;
    if (name !== 'embedded') await backend.query('CREATE TABLE bench_floor (at bigint)');
    const { sleep, retry, submit } = definitions(mock.url);
    const [sleepPath, retryPath, submitPath] = [
      await pushDefinition(server, sleep),
      await pushDefinition(server, retry),
      await pushDefinition(server, submit),
    ];
    const sleepPayload = (): Readonly<Record<string, unknown>> => {
      // Instants of a definition are whole milliseconds.
      const instant = Math.ceil(now() + 1000 + Math.random() * 2000);
      return { due: instant, at: new Date(instant).toISOString() };
    };
    const all = async (duration: number): Promise<void> => {
      await Promise.all([
        ...servers.map((pod) => drip(pod, sleepPath, duration, sleepPayload)),
        drip(server, retryPath, duration, () => ({})),
        drip(server, submitPath, duration, () => ({ kind: 'submit', due: now() })),
        floor(backend, mock, duration),
        ...fronts.map((pod) => drip(pod, submitPath, duration, () => ({ kind: 'front', due: now() }))),
      ]);
      await wait(4);
    };
    // V8 is cold for the first few thousand executions: what is due then says nothing about a pod that runs.
    await all(Math.max(5, seconds / 2));
    isWarm = true;
    await all(seconds);
  } finally {
    await stopPods([...fronts, ...servers]);
    await mock.stop();
    await backend.close();
  }
  const titles = {
    sleep: 'a sleep ends -> call',
    retry: 'a retry is due -> call',
    submit: 'submitted -> call, same pod',
    front: 'submitted -> call, another pod',
    floor: 'floor: timer, two commits, call',
  };
  for (const [kind, title] of Object.entries(titles)) {
    const values = lateness.get(kind);
    if (values === undefined) continue;
    add(`${title}: calls`, values.length, '');
    add(`${title}: p50`, percentile(values, 50), 'ms');
    add(`${title}: p99`, percentile(values, 99), 'ms', kind === 'floor' ? undefined : '<= 10');
    add(`${title}: max`, Math.max(...values), 'ms');
  }
}
