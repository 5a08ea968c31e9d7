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
import { ownCpu, runChains } from './store-load.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'trama-bench-'));
const store = new SqliteStore({ dataDir });
await store.open();
for (const batch of [1, 10, 50, 200]) {
  await runChains(store, { batch, underWay: 2, cpu: () => ({ process: ownCpu() }) });
}
await store.close();
rmSync(dataDir, { recursive: true });
