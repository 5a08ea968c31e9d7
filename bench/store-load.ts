/** Work for the benchmarks of stores alone: executions of a chain of three nodes, written in batches. */
import type { Checkpoint, Store } from '../src/ports/store.ts';
import {
  callRow,
  checkpointOf,
  effectStep,
  idOf,
  newExecution,
  stateOf,
  summaryOf,
} from '../test/contract/fixtures/executions.ts';

const executionsPerRun = 6000;

/** Processor time spent so far, in microseconds, by process. */
export type CpuClock = () => Readonly<Record<string, number>>;

/** Of this process. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Runs `total` rows in batches, `underWay` at once; prints rows per second and processor time per row. */
async function measure(
  title: string,
  total: number,
  { batch, underWay, cpu }: Load,
  write: (from: number, to: number) => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  const began = performance.now();
  const before = cpu();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < total) {
      const from = next;
      next = Math.min(total, from + batch);
      await write(from, next);
    }
  };
  await Promise.all(Array.from({ length: underWay }, lane));
  const millis = performance.now() - began;
  const spent = Object.fromEntries(
    Object.entries(cpu()).map(([name, micros]) => [name, (micros - (before[name] ?? 0)) / total]),
  );
  const perBatch = ((millis * underWay) / Math.ceil(total / batch)).toFixed(1);
  const costs = Object.entries(spent).map(([name, micros]) => `${name} ${Math.round(micros)} µs`);
  process.stdout.write(
    `${title.padEnd(12)} batch ${String(batch).padStart(3)}: ${Math.round((total / millis) * 1000)} rows/s, ` +
      `${perBatch} ms per batch; per row: ${costs.join(', ')}\n`,
  );
  return spent;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The checkpoint of a chain's n-th node: one step row, one call row; the last one ends the execution. */
function chainCheckpoint(execution: number, node: number): Checkpoint {
  const last = node === 2;
  const ord = node * 2 + 1;
  return checkpointOf(execution, 'claim', node, {
    state: stateOf({ ord: ord + 1, calls: node + 1, visits: { a: 1, b: 1, c: 1 }, totalVisits: node + 1 }),
    summary: summaryOf(last ? 'SUCCEEDED' : 'IN_PROGRESS'),
    ...(last ? { dueAt: null } : undefined),
    calls: [callRow(ord, { nodeId: `node-${node}` })],
    steps: [effectStep(ord + 1, { nodeId: `node-${node}` })],
  });
}

/** How the work comes: rows per batch, batches at once. */
export interface Load {
  readonly batch: number;
  readonly underWay: number;
  readonly cpu: CpuClock;
}

let base = 0;

/** Submits executions and writes the three checkpoints of each; prints what each cost, and the sum per workflow. */
export async function runChains(store: Store, load: Load): Promise<void> {
  const total = load.batch === 1 ? executionsPerRun / 4 : executionsPerRun;
  const first = base;
  base += total;
  const payload = JSON.stringify({ order: idOf(first), text: 'x'.repeat(160) });
  const costs = [
    await measure('submit', total, load, async (from, to) => {
      await store.submit(range(from, to).map((i) => newExecution(first + i, { claim: 'claim', payload })));
    }),
  ];
  for (const node of [0, 1, 2]) {
    costs.push(
      await measure(`checkpoint ${node + 1}`, total, load, async (from, to) => {
        await store.checkpoint(range(from, to).map((i) => chainCheckpoint(first + i, node)));
      }),
    );
  }
  const sums = Object.keys(costs[0] ?? {}).map((name) => {
    const micros = costs.reduce((sum, cost) => sum + (cost[name] ?? 0), 0);
    return `${name} ${(micros / 1000).toFixed(3)} ms`;
  });
  process.stdout.write(
    `             batch ${String(load.batch).padStart(3)}: per chain workflow: ${sums.join(', ')}\n`,
  );
}
