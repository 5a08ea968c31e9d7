import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { redisContents, startBackend, type Backend } from '../backends.ts';
import { percentile, post, pushDefinition, saturate, wait, type Saturated } from '../load.ts';
import { metric, startPods, stopPods } from '../pods.ts';
import { dataDirectory, residentMib, startMock, type Arrival, type Mock, type Server } from '../processes.ts';
import { say, type Add, type NamedDefinition, type Options } from '../report.ts';
import { idAt, seed, type Copy, type Original } from '../seeding.ts';
import { chainDefinition } from './chain.ts';

const sleepersOfTarget = 1_000_000;
const wave = { perSecond: 500, seconds: 20 };
const burst = 1_000;
/** Beyond what a pod looks ahead, so that those who wake are taken from the store as all are. */
const leadMillis = 150_000;
const hourMillis = 3_600_000;

function sleeperDefinition(mockUrl: string): NamedDefinition {
  const headers = { 'Bench-Kind': 'wake', 'Bench-Due': '{{payload.due}}' };
  const request = { url: `${mockUrl}/arrival`, verb: 'POST', headers, body: { ok: true } };
  return {
    name: 'sleeper',
    version: new URL(mockUrl).port,
    entrypoint: 'rest',
    nodes: [
      { kind: 'sleep', id: 'rest', until: '{{payload.at}}', next: 'call' },
      { kind: 'task', id: 'call', action: { mode: 'sync', request } },
    ],
  };
}

/** Lets one run fall asleep. */
async function firstSleeper(server: Server, path: string): Promise<Original> {
  const mark = Date.now() + 24 * hourMillis;
  const pool = new Pool(server.url);
  const run = { payload: { due: mark, at: new Date(mark).toISOString() } };
  const { text } = await post(pool, path, run);
  const { id } = JSON.parse(text) as { id: string };
  for (;;) {
    const response = await pool.request({ method: 'GET', path: `/workflows/${id}` });
    const { status } = (await response.body.json()) as { status: string };
    if (status === 'SLEEPING') break;
    await wait(0.05);
  }
  await pool.close();
  return { id, mark };
}

/** A pod's memory once it is quiet: the least of some looks. */
async function quietMib(server: Server): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 10; i++) {
    await wait(1);
    least = Math.min(least, residentMib(server.pid));
  }
  return least;
}

async function redisMib(backend: Backend): Promise<number> {
  return (await redisContents(backend)).bytes / 2 ** 20;
}

/** When each copy wakes. */
function copies(count: number, waveAt: number, burstAt: number): (n: number) => Copy {
  const made = Date.now();
  const inWave = Math.min(wave.perSecond * wave.seconds, Math.floor(count / 10));
  const inBurst = Math.min(burst, Math.floor(count / 100));
  return (n) => {
    const id = idAt(made - Math.random() * hourMillis);
    if (n < inWave) return { id, instant: Math.floor(waveAt + (n / wave.perSecond) * 1000) };
    if (n < inWave + inBurst) return { id, instant: burstAt };
    return { id, instant: Math.floor(made + 24 * hourMillis * (1 + Math.random() * 30)) };
  };
}

function reportLateness(add: Add, title: string, arrivals: readonly Arrival[]): void {
  const late = arrivals.map(({ due, at }) => at - due);
  add(`${title}: woken`, late.length, '');
  add(`${title}: p50 late`, percentile(late, 50), 'ms');
  add(`${title}: p99 late`, percentile(late, 99), 'ms', '<= 1000');
  add(`${title}: max late`, Math.max(...late), 'ms');
}

/**
 * A million sleeping executions (`--count`): what they cost while they sleep, how late they wake, and what everybody else
 * notices of them.
 *
 * One execution falls asleep by itself; the others are copies of it, written by SQL (see `seeding.ts`). Most sleep for days; one
 * wave is spread over twenty seconds, five hundred a second, and a second one of a thousand comes due at one instant.
 */
export async function sleepers(options: Options, add: Add): Promise<void> {
  const { backend: name, pods, seconds, workers } = options;
  const count = options.count ?? sleepersOfTarget;
  const backend = await startBackend(name);
  const directory = dataDirectory();
  const mock = await startMock(0);
  let servers = await startPods(backend, { pods, workers, directory });
  const chainLoad = (path: string): Promise<Saturated> =>
    saturate(servers, mock, path, { inFlight: 256, seconds, warmUpSeconds: Math.min(5, seconds) });
  try {
    const original = await firstSleeper(servers[0], await pushDefinition(servers[0], sleeperDefinition(mock.url)));
    const chainPath = await pushDefinition(servers[0], chainDefinition(mock.url));
    const alone = await chainLoad(chainPath);
    const restart = async (): Promise<void> => {
      await stopPods(servers);
      servers = await startPods(backend, { pods, workers, directory });
    };
    await restart();
    const before = { pod: await quietMib(servers[0]), redis: await redisMib(backend) };
    await stopPods(servers);
    const burstAt = Date.now() + leadMillis + count / 20;
    const waveAt = burstAt + 15_000;
    await seed({ backend, directory }, original, count, copies(count, waveAt, burstAt));
    servers = await startPods(backend, { pods, workers, directory });
    const asleep = { pod: await quietMib(servers[0]), redis: await redisMib(backend) };
    add('sleeping executions', count, '');
    add('pod: memory without them', before.pod, 'MiB');
    add('pod: memory that they add', asleep.pod - before.pod, 'MiB', '<= 50');
    if (backend.redis.length > 0) add('Redis: memory that they add', asleep.redis - before.redis, 'MB', '<= 0.1');
    const scraped = performance.now();
    await metric(servers[0], 'saga_executions');
    add('reading the metrics', performance.now() - scraped, 'ms');
    const beside = await chainLoad(chainPath);
    add('throughput of others before', alone.perSecond, 'wf/s');
    add('throughput of others beside them', beside.perSecond, 'wf/s');
    add('ratio', beside.perSecond / alone.perSecond, '', '>= 0.9');
    add('engine CPU of others before', alone.cpuPerWorkflow, 'ms/wf');
    add('engine CPU of others beside them', beside.cpuPerWorkflow, 'ms/wf');
    const arrivals = await waves(mock, burstAt, waveAt);
    reportLateness(add, 'a thousand due at one instant', arrivals.burst);
    reportLateness(add, 'five hundred due a second', arrivals.wave);
    add('pod: memory afterwards', residentMib(servers[0].pid), 'MiB');
  } finally {
    await stopPods(servers);
    await mock.stop();
    await backend.close();
    directory.remove();
  }
}

async function waves(
  mock: Mock,
  burstAt: number,
  waveAt: number,
): Promise<{ readonly burst: readonly Arrival[]; readonly wave: readonly Arrival[] }> {
  const all: Arrival[] = [];
  mock.onArrivals = (arrivals) => all.push(...arrivals);
  const over = waveAt + wave.seconds * 1000 + 10_000;
  if (Date.now() > burstAt - 1000) throw new Error('Seeding took too long: the wave is over.');
  say(`The waves are over in ${((over - Date.now()) / 1000).toFixed(0)} s.`);
  await sleep(over - Date.now());
  return { burst: all.filter(({ due }) => due === burstAt), wave: all.filter(({ due }) => due !== burstAt) };
}
