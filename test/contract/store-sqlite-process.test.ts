/**
 * The embedded store against a second process, a killed one, and a thread that breaks.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { idOf } from './fixtures/executions.ts';

const writer = fileURLToPath(new URL('fixtures/store-writer.ts', import.meta.url));

describe('the store on SQLite', () => {
  let dataDir: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'trama-store-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await kill(child);
    rmSync(dataDir, { recursive: true });
  });

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Starts a writer and reads its lines until `enough` says so; kills it then when asked to. */
  async function run(enough: (line: string, count: number) => boolean, kills: boolean): Promise<string[]> {
    const child = spawn(process.execPath, [writer, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (!enough(line, lines.length)) continue;
      if (!kills) return lines;
      // What was printed before the end is acknowledged too: read on until the pipe closes.
      child.kill('SIGKILL');
    }
    return lines;
  }

  it('refuses a second process, and says why', async () => {
    const store = new SqliteStore({ dataDir });
    await store.open();
    const lines = await run(() => false, false);
    expect(lines).toEqual([`refused The data directory ${dataDir} is in use by another Trama process.`]);
    const second = new SqliteStore({ dataDir });
    await expect(second.open()).rejects.toThrow('in use by another Trama process');
    await second.close();
    await store.ping();
    await store.close();
  });

  it('can be opened as soon as the other process has gone', async () => {
    await run((line) => line.startsWith('submitted'), false);
    const store = new SqliteStore({ dataDir });
    await expect(store.open()).rejects.toThrow('in use by another Trama process');
    for (const child of children.splice(0)) await kill(child);
    await store.open();
    await store.ping();
    await store.close();
  });

  it.each([1, 2, 3])('loses nothing acknowledged when the process is killed (%i)', async (attempt) => {
    const acknowledged = await run((_line, count) => count > 300 * attempt, true);
    expect(acknowledged.length).toBeGreaterThan(300);
    const seqs = new Map<number, number>();
    const offered: number[] = [];
    for (const [kind, n, seq] of acknowledged.map((line) => line.split(' '))) {
      if (kind === 'offered') offered.push(Number(n));
      else seqs.set(Number(n), Number(seq ?? 0));
    }
    const store = new SqliteStore({ dataDir });
    await store.open();
    for (const [n, seq] of seqs) {
      const found = await store.getExecution(idOf(n));
      expect(found?.seq).toBeGreaterThanOrEqual(seq);
      // Whole checkpoints only: as many rows as the state says.
      expect((await store.listSteps(idOf(n), { limit: 10 })).items).toHaveLength(found?.seq ?? -1);
      expect((await store.listCalls(idOf(n), { limit: 10 })).items).toHaveLength(found?.seq ?? -1);
    }
    for (const n of offered) expect((await store.readInbox(idOf(n))).inbox).toHaveLength(1);
    await store.close();
  });
});
