/**
 * `npm run bench:compare [-- --systems bullmq,dbos,restate] [--delays 20,0] [--seconds N] [--json FILE]`: the chain
 * workload on Trama and on other engines, one after the other on this machine, each with servers of its own and as many
 * workflows in flight. The three bare calls and Trama are measured again before and after each of them, since the machine's
 * speed drifts: ratios of one run count, absolute figures do not.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { installCompared, installedVersion } from './install.ts';
import { measureFloor, measureSystem, type Load } from './measure.ts';
import { mediansOf, ratiosOf, type Measurement } from './report.ts';
import { systems, trama, type System } from './systems.ts';

const { values } = parseArgs({
  options: {
    systems: { type: 'string', default: systems.map(({ name }) => name.toLowerCase()).join(',') },
    delays: { type: 'string', default: '20,0' },
    seconds: { type: 'string', default: '8' },
    json: { type: 'string' },
  },
});

const inFlight = 512;
const warmUpSeconds = 6;
/** From here on a run says little: what has more processes suffers more. */
const disturbedPercent = 10;

function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

const chosen = values.systems.split(',').map((name) => {
  const system = systems.find((each) => each.name.toLowerCase() === name.trim().toLowerCase());
  return system ?? refuse(`--systems knows ${systems.map((each) => each.name.toLowerCase()).join(', ')}.`);
});
const delays = values.delays
  .split(',')
  .map((text) => (/^\d{1,4}$/.test(text) ? Number(text) : refuse('--delays takes milliseconds.')));
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 15)) refuse('--seconds takes 1 to 15.');
if (!existsSync(new URL('../../dist/cli/main.js', import.meta.url))) refuse('Build first: npm run build');

/** Why a system has no figures, by its name. */
const missing = new Map<string, string>();

function versionOf(system: System): string {
  return system.packageName === undefined ? '' : (installedVersion(system.packageName) ?? '');
}

async function runAt(delayMillis: number): Promise<Measurement[]> {
  const load: Load = { delayMillis, inFlight, seconds, warmUpSeconds };
  const run: Measurement[] = [];
  const add = async (measurement: Promise<Measurement>): Promise<void> => {
    const done = await measurement;
    run.push(done);
    console.error(
      `${String(delayMillis)} ms: ${done.name} ${done.perSecond.toFixed(0)} wf/s, ${done.cpuMillis.toFixed(2)} ms CPU/wf, ${show(done.othersPercent, 0)} % of the machine taken by others`,
    );
  };
  const addReference = async (): Promise<void> => {
    await add(measureFloor(load));
    await add(measureSystem(trama, load));
  };
  for (const system of chosen) {
    if (missing.has(system.name)) continue;
    await addReference();
    try {
      await add(measureSystem(system, load));
    } catch (error) {
      // The others are measured all the same, and the report says why this one was not.
      missing.set(system.name, error instanceof Error ? error.message : String(error));
    }
  }
  await addReference();
  return run;
}

function show(value: number | undefined, digits: number): string {
  return value === undefined ? '' : value.toFixed(digits);
}

function print(delayMillis: number, run: readonly Measurement[]): void {
  console.log(`\nChain of three calls, ${String(delayMillis)} ms each, ${String(inFlight)} in flight (medians):`);
  console.table(
    Object.fromEntries(
      mediansOf(run).map((row) => [
        row.name === 'floor' ? 'three bare calls, nothing durable' : row.name,
        {
          'wf/s': show(row.perSecond, 0),
          'CPU ms/wf': show(row.cpuMillis, 2),
          'of it stores': show(row.storeCpuMillis, 2),
          'p50 ms': show(row.p50Millis, 0),
          'p99 ms': show(row.p99Millis, 0),
          'alone p50 ms': show(row.aloneP50Millis, 1),
          'alone p99 ms': show(row.aloneP99Millis, 1),
          MiB: show(row.residentMib, 0),
          'others %': show(row.othersPercent, 0),
        },
      ]),
    ),
  );
  console.table(
    Object.fromEntries(
      ratiosOf(run).map(({ what, value, target }) => [
        what,
        {
          ratio: value.toFixed(2),
          target: target === undefined ? '' : `>= ${String(target)}`,
          reached: target === undefined ? '' : value >= target ? 'yes' : 'no',
        },
      ]),
    ),
  );
}

const problem = installCompared();
for (const system of chosen) {
  if (versionOf(system) === '') missing.set(system.name, `not installed: ${problem ?? 'its package is missing'}`);
}
const runs: Measurement[][] = [];
for (const delayMillis of delays) runs.push(await runAt(delayMillis));
for (const system of [trama, ...chosen]) console.log(`${system.name} ${versionOf(system)}: ${system.setup}`);
for (const [index, run] of runs.entries()) print(delays[index] ?? 0, run);
if (runs.flat().some(({ othersPercent = 0 }) => othersPercent > disturbedPercent)) {
  console.log(
    'DISTURBED: other programs took more than a tenth of the machine. Repeat this with nothing else running.',
  );
}
for (const [name, reason] of missing) console.log(`NOT MEASURED: ${name}: ${reason}`);
if (values.json !== undefined) {
  const report = {
    node: process.version,
    processor: cpus()[0]?.model,
    cores: cpus().length,
    inFlight,
    seconds,
    systems: [trama, ...chosen].map((system) => ({
      name: system.name,
      version: versionOf(system),
      setup: system.setup,
    })),
    runs: runs.map((run, index) => ({ delayMillis: delays[index], measurements: run, ratios: ratiosOf(run) })),
    notMeasured: Object.fromEntries(missing),
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
// The comparison is not complete.
if (missing.size > 0) process.exitCode = 1;
