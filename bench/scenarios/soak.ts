import { redisContents, startBackend, type Backend } from '../backends.ts';
import { pushDefinition, saturate, wait } from '../load.ts';
import { metric, startPods, stopPods } from '../pods.ts';
import { openFiles, residentMib, startMock, type Server } from '../processes.ts';
import { say, type Add, type Options } from '../report.ts';
import { chainDefinition } from './chain.ts';

const faultMillis = 20_000;
const inFlight = 256;

/** What is looked at, with how much it may grow in an hour, by least squares. */
const gauges = {
  'pod: memory': { unit: 'MiB', perHour: 20 },
  'pod: heap in use': { unit: 'MiB', perHour: 10 },
  'pod: open files': { unit: '', perHour: 10 },
  'Postgres: connections': { unit: '', perHour: 5 },
  'Redis: keys': { unit: '', perHour: 20 },
  'Redis: memory': { unit: 'MB', perHour: 2 },
} as const;

type GaugeName = keyof typeof gauges;

interface Sample {
  readonly at: number;
  readonly values: Readonly<Partial<Record<GaugeName, number>>>;
}

async function look(backend: Backend, server: Server): Promise<Sample> {
  const at = performance.now();
  const values: Partial<Record<GaugeName, number>> = {
    'pod: memory': residentMib(server.pid),
    'pod: heap in use': (await metric(server, 'nodejs_heap_size_used_bytes')) / 2 ** 20,
    'pod: open files': openFiles(server.pid),
  };
  if (backend.name === 'embedded') return { at, values };
  const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'trama'";
  values['Postgres: connections'] = Number((await backend.query(sql))[0]?.['n']);
  if (backend.redis.length === 0) return { at, values };
  const { keys, bytes } = await redisContents(backend);
  return { at, values: { ...values, 'Redis: keys': keys, 'Redis: memory': bytes / 2 ** 20 } };
}

async function breakSomething(backend: Backend, turn: number): Promise<string> {
  const which = backend.redis.length === 0 ? 0 : turn % 3;
  if (which === 0) {
    await backend.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trama' AND pid <> pg_backend_pid()",
    );
    return 'connections to Postgres';
  }
  for (const { admin } of backend.redis) {
    if (which === 1) await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    else if ((await admin.info('replication')).includes('role:master')) await admin.flushall();
  }
  return which === 1 ? 'connections to Redis' : 'the contents of Redis';
}

/** Mean, and growth per hour. */
function trend(samples: readonly (readonly [at: number, value: number])[]): {
  readonly mean: number;
  readonly perHour: number;
} {
  const { length } = samples;
  const meanAt = samples.reduce((sum, [at]) => sum + at, 0) / length;
  const mean = samples.reduce((sum, [, value]) => sum + value, 0) / length;
  const spread = samples.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  const together = samples.reduce((sum, [at, value]) => sum + (at - meanAt) * (value - mean), 0);
  return { mean, perHour: (together / spread) * 3_600_000 };
}

/**
 * Saturated for `--seconds` (an hour is 3600), with `--faults` also broken every twenty seconds: what grows? Memory, heap, open
 * files, connections and keys of Redis are looked at every second; each is reported with its mean and its slope (least squares)
 * over the second half, when caches are full and V8 has taken what it wants.
 *
 * Faults, in turn: all connections to Postgres ended, all connections to Redis ended, Redis emptied.
 */
export async function soak({ backend: name, pods, seconds, workers, faults }: Options, add: Add): Promise<void> {
  const backend = await startBackend(name);
  const mock = await startMock(0);
  const servers = await startPods(backend, { pods, workers });
  const samples: Sample[] = [];
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    let broken = 0;
    const began = performance.now();
    while (!over.signal.aborted) {
      samples.push(await look(backend, servers[0]));
      if (faults && performance.now() - began > (broken + 1) * faultMillis) {
        say(`Broken: ${await breakSomething(backend, broken++)}.`);
      }
      await wait(1);
    }
  };
  try {
    const path = await pushDefinition(servers[0], chainDefinition(mock.url));
    const watching = watch();
    const full = await saturate(servers, mock, path, { inFlight, seconds, warmUpSeconds: 1 }).finally(() => {
      over.abort();
    });
    await watching;
    add('seconds', seconds, '');
    add('throughput', full.perSecond, 'wf/s');
    const half = samples.slice(Math.floor(samples.length / 2));
    for (const [gauge, { unit, perHour }] of Object.entries(gauges) as [GaugeName, (typeof gauges)[GaugeName]][]) {
      const points = half.flatMap(({ at, values }) => {
        const value = values[gauge];
        return value === undefined || Number.isNaN(value) ? [] : [[at, value] as const];
      });
      if (points.length < 2) continue;
      const { mean, perHour: slope } = trend(points);
      add(`${gauge}: mean`, mean, unit, gauge === 'pod: memory' ? '<= 200' : undefined);
      add(`${gauge}: growth`, slope, `${unit}/h`, `<= ${String(perHour)}`);
    }
    const sample = await look(backend, servers[0]);
    for (const gauge of Object.keys(sample.values) as GaugeName[]) {
      add(`${gauge}: at the end`, sample.values[gauge] ?? Number.NaN, gauges[gauge].unit);
    }
  } finally {
    over.abort();
    await stopPods(servers);
    await mock.stop();
    await backend.close();
  }
}
