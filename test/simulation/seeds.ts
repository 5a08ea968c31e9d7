/**
 * Runs seeds of the simulator: `npm run simulate:seeds -- [--count N] [--start S] [--seed N] [--kind hub|cluster] [--trace] [--jobs J]`.
 *
 * A failing seed is printed with what it broke and the command that replays it; the exit code is then 1.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { Kind } from '../../simulator/scenario.ts';
import { simulate, type SimulationReport } from '../../simulator/simulate.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    start: { type: 'string', default: '1' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    trace: { type: 'boolean', default: false },
    jobs: { type: 'string' },
  },
});

function natural(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} must be a whole number, not ${JSON.stringify(text)}.`);
    process.exit(2);
  }
  return value;
}

function kindNamed(text: string | undefined): Kind | undefined {
  if (text === undefined || text === 'hub' || text === 'cluster') return text;
  console.error(`--kind must be hub or cluster, not ${JSON.stringify(text)}.`);
  process.exit(2);
}

const kind = kindNamed(values.kind);

function report({ seed, violations, hash, ends, virtualMillis }: SimulationReport): void {
  for (const { rule, what } of violations.slice(0, 10)) console.log(`seed ${String(seed)} breaks "${rule}": ${what}`);
  if (violations.length > 10) console.log(`… and ${String(violations.length - 10)} more`);
  const of = kind === undefined ? '' : `--kind ${kind} `;
  if (violations.length > 0) console.log(`replay: npm run simulate:seeds -- ${of}--seed ${String(seed)} --trace`);
  if (values.trace) console.log(`hash ${hash}, ${JSON.stringify(ends)}, ${String(virtualMillis)} virtual ms`);
}

async function runOne(seed: number): Promise<boolean> {
  const result = await simulate({
    seed,
    ...(kind !== undefined && { kind }),
    ...(values.trace && { print: (line: string) => console.log(line) }),
  });
  report(result);
  return result.violations.length === 0;
}

/** Runs a range in this process; answers how many failed. */
async function runRange(start: number, count: number): Promise<number> {
  let failed = 0;
  for (let seed = start; seed < start + count; seed++) if (!(await runOne(seed))) failed++;
  return failed;
}

/** Runs a range in a process of its own; answers whether all of it held. */
async function spawnRange(start: number, count: number): Promise<boolean> {
  const args = [import.meta.filename, '--start', String(start), '--count', String(count), '--jobs', '1'];
  if (kind !== undefined) args.push('--kind', kind);
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

const start = natural('start', values.start);
const count = natural('count', values.count);
const jobs = Math.max(1, natural('jobs', values.jobs ?? String(Math.min(4, availableParallelism()))));
const begun = performance.now();
let holds: boolean;
if (values.seed !== undefined) holds = await runOne(natural('seed', values.seed));
else if (jobs === 1 || values.trace || count < 50) holds = (await runRange(start, count)) === 0;
else {
  const share = Math.ceil(count / jobs);
  const ranges = Array.from(
    { length: jobs },
    (_, i) => [start + i * share, Math.min(share, count - i * share)] as const,
  );
  const results = await Promise.all(ranges.filter(([, n]) => n > 0).map(([from, n]) => spawnRange(from, n)));
  holds = results.every(Boolean);
}
if (values.seed !== undefined || values.jobs !== '1') {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(`${holds ? 'Every rule held' : 'Some rule was broken'} (${seconds} s).`);
}
process.exitCode = holds ? 0 : 1;
