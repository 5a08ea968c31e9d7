/**
 * Cost of the embedded store alone: accepted executions and checkpoints per second by batch size, with two batches under
 * way as the engine has them, and the processor time of the whole process per row.
 *
 * Run: `node bench/store-sqlite.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import {
  callRow,
  checkpointOf,
  effectStep,
  newExecution,
  stateOf,
  summaryOf,
} from '../test/contract/fixtures/executions.ts';
import type { Checkpoint } from '../src/ports/store.ts';

const batches = [1, 10, 50, 200];
const executionsPerRun = 4000;
const underWay = 2;

/** Runs `total` rows in batches, several under way; prints rows per second and processor time per row. */
async function measure(
  title: string,
  total: number,
  batch: number,
  write: (from: number, to: number) => Promise<void>,
) {
  const began = performance.now();
  const cpu = process.cpuUsage();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < total) {
      const from = next;
      next = Math.min(total, from + batch);
      await write(from, next);
    }
  };
  await Promise.all(Array.from({ length: underWay }, lane));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = Math.round(total / seconds);
  const micros = Math.round((user + system) / total);
  process.stdout.write(
    `${title.padEnd(12)} batch ${String(batch).padStart(3)}: ${rate} rows/s, ${micros} µs CPU per row\n`,
  );
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
    steps: [effectStep(ord, { nodeId: `node-${node}` })],
    calls: [callRow(ord + 1, { nodeId: `node-${node}` })],
  });
}

const dataDir = mkdtempSync(join(tmpdir(), 'trama-bench-'));
const store = new SqliteStore({ dataDir });
await store.open();
let base = 0;
for (const batch of batches) {
  const total = batch === 1 ? executionsPerRun / 4 : executionsPerRun;
  const first = base;
  base += total;
  await measure('submit', total, batch, async (from, to) => {
    await store.submit(range(from, to).map((i) => newExecution(first + i, { claim: 'claim' })));
  });
  for (const node of [0, 1, 2]) {
    await measure(`checkpoint ${node + 1}`, total, batch, async (from, to) => {
      await store.checkpoint(range(from, to).map((i) => chainCheckpoint(first + i, node)));
    });
  }
}
await store.close();
rmSync(dataDir, { recursive: true });
