/**
 * `npm run bench -- --embedded | --postgres | --redis | --cluster [--pods N] [--seconds N] [--workers N] [--json FILE]`: the
 * chain workload, as a table and as JSON. `--postgres` is Postgres alone, `--redis` and `--cluster` are Postgres with Redis.
 *
 * A worker is busy while its execution calls, so 20 ms calls need more of them than the default (64 end at about
 * 64 / 75 ms = 850 wf/s): `--workers` sets `runtime.workerCount` and the calls that one host gets at once.
 *
 * Everything runs on this machine: the server, the downstream mock and the load. Compare figures of one run only.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { accept, bareCalls, oneAtATime, pushChain, saturate } from './load.ts';
import { startBackend, type Backend, type BackendName, type Work } from './backends.ts';
import { cpuMillis, residentMib, startMock, startServer, type Server } from './processes.ts';

const { values } = parseArgs({
  options: {
    embedded: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
    redis: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    pods: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '10' },
    workers: { type: 'string', default: '256' },
    json: { type: 'string' },
  },
});

interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** Redis commands, Postgres transactions and CPU of a pod while nothing happens, per second. */
async function idle(server: Server, backend: Backend, seconds: number): Promise<Work & { readonly engineCpu: number }> {
  // Postgres tells what it has done with a delay of some seconds.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const [before, cpu] = [await backend.work(), cpuMillis(server.pid)];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await backend.work();
  return {
    engineCpu: (cpuMillis(server.pid) - cpu) / seconds,
    postgresCpu: (after.postgresCpu - before.postgresCpu) / seconds,
    redisCpu: (after.redisCpu - before.redisCpu) / seconds,
    transactions: (after.transactions - before.transactions) / seconds,
    commands: (after.commands - before.commands) / seconds,
  };
}

async function benchmark(name: BackendName, podCount: number, seconds: number): Promise<Row[]> {
  const rows: Row[] = [];
  const add = (what: string, value: number, unit: string, target?: string): void => {
    rows.push({ what, value: round(value), unit, ...(target === undefined ? undefined : { target }) });
  };
  const isEmbedded = name === 'embedded';
  const backend = await startBackend(name);
  try {
    for (const delay of [20, 0]) {
      const mock = await startMock(delay);
      const pods: Server[] = [];
      for (let i = 1; i <= podCount; i++) {
        pods.push(
          await startServer({
            ...backend.env,
            RUNTIME_WORKERCOUNT: values.workers,
            HTTP_PERHOST_MAXCONCURRENCY: values.workers,
            ...(isEmbedded ? {} : { REDIS_SHARDING_PODID: `pod-${String(i)}` }),
          }),
        );
      }
      const server = pods[0] as Server;
      const label = `chain, ${String(delay)} ms`;
      try {
        if (delay === 20) {
          add('start to ready', server.startMillis, 'ms', isEmbedded ? '<= 1000' : undefined);
          add('memory idle', residentMib(server.pid), 'MiB', isEmbedded ? '<= 90' : undefined);
        }
        await pushChain(server, mock);
        if (delay === 0) {
          const light = await oneAtATime(server, 1_000);
          add(`${label}, one at a time: p50`, light.p50, 'ms', '<= 8');
          add(`${label}, one at a time: p99`, light.p99, 'ms', '<= 20');
        }
        const inFlight = delay === 20 ? 512 : 256;
        const floor = await bareCalls(mock, { inFlight: 256, seconds: Math.min(5, seconds) });
        const warmUpSeconds = Math.min(5, seconds);
        const full = await saturate(pods, mock, { inFlight, seconds, warmUpSeconds, work: () => backend.work() });
        const at = `${label}, ${String(inFlight)} in flight`;
        const target = isEmbedded ? '>= 1500' : '>= 2000';
        add(`${at}: throughput`, full.perSecond, 'wf/s', delay === 20 ? target : undefined);
        add(
          `${at}: engine CPU${isEmbedded ? ', store included' : ''}`,
          full.cpuPerWorkflow,
          'ms/wf',
          isEmbedded ? '<= 0.5 without store' : '<= 0.5',
        );
        if (!isEmbedded && full.perWorkflow !== undefined) {
          const { postgresCpu, redisCpu, transactions, commands } = full.perWorkflow;
          add(`${at}: Postgres CPU`, postgresCpu, 'ms/wf', '<= 0.15');
          add(`${at}: Postgres transactions`, transactions, '1/wf');
          if (name !== 'postgres') {
            add(`${at}: Redis CPU`, redisCpu, 'ms/wf', '<= 0.03');
            add(`${at}: Redis commands`, commands, '1/wf');
          }
        }
        add(`${at}: p50`, full.p50, 'ms');
        add(`${at}: p99`, full.p99, 'ms');
        add(`${at}: memory`, full.residentMib, 'MiB', '<= 200');
        add(`${label}: three bare calls (floor)`, floor, 'wf/s');
        add(`${label}: of the floor`, full.perSecond / floor, 'ratio', delay === 20 ? '>= 0.6' : undefined);
        if (delay === 0) {
          const accepted = await accept(server, { clients: 64, seconds: Math.min(5, seconds) });
          add('accepted runs, 64 clients', accepted.perSecond, '1/s', '>= 4000');
          add('accepted runs: p99', accepted.p99, 'ms', '<= 100');
          add('accepted runs: engine CPU', accepted.cpuPerRun, 'ms/run');
          if (!isEmbedded) {
            const quiet = await idle(server, backend, Math.max(10, seconds));
            add('idle pod: CPU', quiet.engineCpu, 'ms/s', '<= 5');
            add('idle: Postgres transactions, all pods', quiet.transactions, '1/s', '<= 1 a pod');
            if (name !== 'postgres') add('idle: Redis commands, all pods, sweeps included', quiet.commands, '1/s');
          }
        }
      } finally {
        for (const pod of pods) await pod.stop();
        await mock.stop();
      }
    }
  } finally {
    await backend.close();
  }
  return rows;
}

const names = ['embedded', 'postgres', 'redis', 'cluster'] as const;
const name = names.find((each) => values[each]);
if (name === undefined || names.filter((each) => values[each]).length > 1) {
  console.error('Say what to measure: npm run bench -- --embedded, or --postgres, --redis, --cluster');
  process.exit(2);
}
if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) {
  console.error('Build first: npm run build');
  process.exit(2);
}
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 600)) {
  console.error('--seconds takes 1 to 600.');
  process.exit(2);
}
if (!/^[1-9]\d{0,3}$/.test(values.workers)) {
  console.error('--workers takes 1 to 9999.');
  process.exit(2);
}
const podCount = Number(values.pods);
if (!/^[1-9]$/.test(values.pods) || (podCount > 1 && (name === 'embedded' || name === 'postgres'))) {
  console.error('--pods takes 1 to 9, and more than one only with --redis or --cluster.');
  process.exit(2);
}
const rows = await benchmark(name, podCount, seconds);
console.table(
  Object.fromEntries(rows.map(({ what, value, unit, target }) => [what, { value, unit, target: target ?? '' }])),
);
const report = JSON.stringify(
  {
    workload: 'chain',
    backend: name,
    pods: podCount,
    node: process.version,
    seconds,
    workers: Number(values.workers),
    rows,
  },
  null,
  2,
);
if (values.json === undefined) console.log(report);
else writeFileSync(values.json, `${report}\n`);
