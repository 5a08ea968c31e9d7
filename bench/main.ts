/**
 * `npm run bench -- --embedded | --postgres | --redis | --cluster [--scenario NAME] [--pods N] [--seconds N] [--workers N]
 * [--count N] [--faults] [--json FILE]`: one scenario, as a table and as JSON. `--postgres` is Postgres alone, `--redis` and
 * `--cluster` are Postgres with Redis. What the scenarios are is in docs/benchmarks.md and in the headers of their files.
 *
 * Everything is as it is by default, but for one key: a worker is busy while its execution calls, and everything calls one host here, so
 * that `--workers` sets `runtime.workerCount` and the calls that one host gets at once, which by default would be half of it.
 *
 * Everything runs on this machine: the server, the downstream mock and the load. Compare figures of one run only.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { defaultWorkers } from './pods.ts';
import type { Options, Row, Scenario } from './report.ts';
import { chain } from './scenarios/chain.ts';
import { due } from './scenarios/due.ts';
import { history } from './scenarios/history.ts';
import { items } from './scenarios/items.ts';
import { loop } from './scenarios/loop.ts';
import { mixed } from './scenarios/mixed.ts';
import { rolling } from './scenarios/rolling.ts';
import { sleepers } from './scenarios/sleepers.ts';
import { soak } from './scenarios/soak.ts';

const scenarios: Readonly<Record<string, Scenario>> = {
  chain,
  due,
  history,
  items,
  loop,
  mixed,
  rolling,
  sleepers,
  soak,
};

const backends = ['embedded', 'postgres', 'redis', 'cluster'] as const;

/** What was asked for, or a sentence about what is wrong with it. */
function readOptions(): (Options & { readonly scenario: string; readonly json: string | undefined }) | string {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'chain' },
      embedded: { type: 'boolean', default: false },
      postgres: { type: 'boolean', default: false },
      redis: { type: 'boolean', default: false },
      cluster: { type: 'boolean', default: false },
      pods: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '10' },
      workers: { type: 'string', default: String(defaultWorkers) },
      count: { type: 'string' },
      faults: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const chosen = backends.filter((each) => values[each]);
  const [backend] = chosen;
  if (backend === undefined || chosen.length > 1) {
    return 'Say what to measure: npm run bench -- --embedded, or --postgres, --redis, --cluster';
  }
  const { scenario, json, faults } = values;
  if (!Object.hasOwn(scenarios, scenario)) return `--scenario takes one of ${Object.keys(scenarios).join(', ')}.`;
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 86_400)) return '--seconds takes 1 to 86400.';
  if (!/^[1-9]\d{0,3}$/.test(values.workers)) return '--workers takes 1 to 9999.';
  if (values.count !== undefined && !/^[1-9]\d{2,7}$/.test(values.count)) return '--count takes 100 to 99999999.';
  const pods = Number(values.pods);
  if (!/^[1-9]$/.test(values.pods) || (pods > 1 && (backend === 'embedded' || backend === 'postgres'))) {
    return '--pods takes 1 to 9, and more than one only with --redis or --cluster.';
  }
  const count = values.count === undefined ? undefined : Number(values.count);
  return { scenario, backend, pods, seconds, workers: Number(values.workers), count, faults, json };
}

const options = readOptions();
if (typeof options === 'string') {
  console.error(options);
  process.exit(2);
}
if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) {
  console.error('Build first: npm run build');
  process.exit(2);
}
const { scenario, json, ...told } = options;
const rows: Row[] = [];
await (scenarios[scenario] as Scenario)(told, (what, value, unit, target) => {
  const rounded = Number(value.toPrecision(3));
  rows.push({ what, value: rounded, unit, ...(target === undefined ? undefined : { target }) });
});
console.table(
  Object.fromEntries(rows.map(({ what, value, unit, target }) => [what, { value, unit, target: target ?? '' }])),
);
const report = JSON.stringify({ workload: scenario, ...told, node: process.version, rows }, null, 2);
if (json === undefined) console.log(report);
else writeFileSync(json, `${report}\n`);
