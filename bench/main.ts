/**
 * `npm run bench -- --embedded [--seconds N] [--workers N] [--json FILE]`: the chain workload, as a table and as JSON.
 *
 * A worker is busy while its execution calls, so 20 ms calls need more of them than the default (64 end at about
 * 64 / 75 ms = 850 wf/s): `--workers` sets `runtime.workerCount` and the calls that one host gets at once.
 *
 * Everything runs on this machine: the server, the downstream mock and the load. Compare figures of one run only.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { accept, bareCalls, oneAtATime, pushChain, saturate } from './load.ts';
import { residentMib, startMock, startServer } from './processes.ts';

const { values } = parseArgs({
  options: {
    embedded: { type: 'boolean', default: false },
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

async function benchEmbedded(seconds: number): Promise<Row[]> {
  const rows: Row[] = [];
  const add = (what: string, value: number, unit: string, target?: string): void => {
    rows.push({ what, value: round(value), unit, ...(target === undefined ? undefined : { target }) });
  };
  for (const delay of [20, 0]) {
    const mock = await startMock(delay);
    const server = await startServer({
      RUNTIME_WORKERCOUNT: values.workers,
      HTTP_PERHOST_MAXCONCURRENCY: values.workers,
    });
    const label = `chain, ${String(delay)} ms`;
    try {
      if (delay === 20) {
        add('start to ready', server.startMillis, 'ms', '<= 1000');
        add('memory idle', residentMib(server.pid), 'MiB', '<= 90');
      }
      await pushChain(server, mock);
      if (delay === 0) {
        const light = await oneAtATime(server, 1_000);
        add(`${label}, one at a time: p50`, light.p50, 'ms', '<= 8');
        add(`${label}, one at a time: p99`, light.p99, 'ms', '<= 20');
      }
      const inFlight = delay === 20 ? 512 : 256;
      const floor = await bareCalls(mock, { inFlight: 256, seconds: Math.min(5, seconds) });
      const full = await saturate(server, mock, { inFlight, seconds, warmUpSeconds: Math.min(5, seconds) });
      const name = `${label}, ${String(inFlight)} in flight`;
      add(`${name}: throughput`, full.perSecond, 'wf/s', delay === 20 ? '>= 1500' : undefined);
      add(`${name}: engine CPU, store included`, full.cpuPerWorkflow, 'ms/wf', '<= 0.5 without store');
      add(`${name}: p50`, full.p50, 'ms');
      add(`${name}: p99`, full.p99, 'ms');
      add(`${name}: memory`, full.residentMib, 'MiB', '<= 200');
      add(`${label}: three bare calls (floor)`, floor, 'wf/s');
      add(`${label}: of the floor`, full.perSecond / floor, 'ratio', delay === 20 ? '>= 0.6' : undefined);
      if (delay === 0) {
        const accepted = await accept(server, { clients: 64, seconds: Math.min(5, seconds) });
        add('accepted runs, 64 clients', accepted.perSecond, '1/s', '>= 4000');
        add('accepted runs: p99', accepted.p99, 'ms', '<= 100');
        add('accepted runs: engine CPU', accepted.cpuPerRun, 'ms/run');
      }
    } finally {
      await server.stop();
      await mock.stop();
    }
  }
  return rows;
}

if (!values.embedded) {
  console.error('Say what to measure: npm run bench -- --embedded');
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
const rows = await benchEmbedded(seconds);
console.table(
  Object.fromEntries(rows.map(({ what, value, unit, target }) => [what, { value, unit, target: target ?? '' }])),
);
const report = JSON.stringify(
  { workload: 'chain', backend: 'embedded', node: process.version, seconds, workers: Number(values.workers), rows },
  null,
  2,
);
if (values.json === undefined) console.log(report);
else writeFileSync(values.json, `${report}\n`);
