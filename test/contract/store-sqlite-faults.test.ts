/**
 * The embedded store in trouble: files that are not its own, a full disk, a thread that breaks; and the plans of its lists.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailable, type ExecutionFilter, type StoreFault } from '../../src/ports/store.ts';
import { databaseFile, openFile } from '../../src/store/sqlite/database.ts';
import { GroupCommit } from '../../src/store/sqlite/group-commit.ts';
import { migrate, pendingMigrations, schemaVersion } from '../../src/store/sqlite/migrations.ts';
import type { CheckpointValues, Request } from '../../src/store/sqlite/protocol.ts';
import { listStatements } from '../../src/store/sqlite/queries/list-executions.ts';
import { Session } from '../../src/store/sqlite/session.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { SqliteThread, startStoreWorker } from '../../src/store/sqlite/sqlite-thread.ts';
import { checkpointValues, submitValues } from '../../src/store/sqlite/values.ts';
import { cancelOffer, checkpointOf, idOf, newExecution, start, stepRow } from './fixtures/executions.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'trama-store-')), 'nested', 'data');
});
afterEach(() => rmSync(join(dataDir, '..', '..'), { recursive: true }));

describe('the data directory', () => {
  it('is created for its owner alone', async () => {
    const store = new SqliteStore({ dataDir });
    await store.open();
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    await store.close();
    await store.close();
    await expect(store.ping()).rejects.toThrow(StoreUnavailable);
  });

  it('has its files for their owner alone, whichever program made the directory', async () => {
    mkdirSync(dataDir, { recursive: true, mode: 0o755 });
    const store = new SqliteStore({ dataDir });
    await store.open();
    for (const file of readdirSync(dataDir)) {
      expect([file, statSync(join(dataDir, file)).mode & 0o077]).toEqual([file, 0]);
    }
    expect(readdirSync(dataDir)).toContain('trama.db-wal');
    await store.close();
  });

  it('is refused when a newer version wrote it', async () => {
    const db = openFile(dataDir);
    db.exec('PRAGMA user_version = 999');
    db.close();
    const store = new SqliteStore({ dataDir });
    await expect(store.open()).rejects.toThrow(/written by a newer version of Trama \(schema 999/);
    await store.close();
    expect(() => pendingMigrations(dataDir)).toThrow(/newer version/);
  });

  it('is refused where its history has the form of no release', async () => {
    const db = openFile(dataDir);
    db.exec('PRAGMA user_version = 5');
    db.close();
    const store = new SqliteStore({ dataDir });
    await expect(store.open()).rejects.toThrow(
      /schema 5 of a version of Trama that was never released.*another directory/,
    );
    await store.close();
    expect(() => pendingMigrations(dataDir)).toThrow(/never released/);
  });

  it('is refused when it holds something else', async () => {
    openFile(dataDir).close();
    rmSync(databaseFile(dataDir));
    writeFileSync(
      databaseFile(dataDir),
      'This is a text, and a rather long one: no database begins like this. '.repeat(9),
    );
    await expect(new SqliteStore({ dataDir }).open()).rejects.toThrow(/is not a Trama database/);
    rmSync(databaseFile(dataDir));
    const other = new DatabaseSync(databaseFile(dataDir));
    other.exec('CREATE TABLE theirs (x)');
    other.close();
    await expect(new SqliteStore({ dataDir }).open()).rejects.toThrow(/is not a Trama database/);
  });

  it('tells which migrations are pending, and runs them only when allowed to', async () => {
    const all = pendingMigrations(dataDir);
    expect(all[0]).toBe('0001 initial schema');
    expect(all).toHaveLength(schemaVersion);
    openFile(dataDir).close();
    expect(pendingMigrations(dataDir)).toEqual(all);
    await expect(new SqliteStore({ dataDir, migrate: false }).open()).rejects.toThrow(/Run `trama migrate`/);
    const store = new SqliteStore({ dataDir });
    await store.open();
    expect(() => pendingMigrations(dataDir)).toThrow(/in use by another Trama process/);
    await store.close();
    expect(pendingMigrations(dataDir)).toEqual([]);
    const again = new SqliteStore({ dataDir, migrate: false });
    await again.open();
    await again.close();
  });
});

describe('a full disk', () => {
  it('is told apart, leaves reading possible, and passes', async () => {
    const store = new SqliteStore({ dataDir, maxPages: 200 });
    await store.open();
    await store.submit([newExecution(1)]);
    const big = newExecution(2, { payload: JSON.stringify({ text: 'x'.repeat(1_000_000) }) });
    const failure = await store.submit([big]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreUnavailable);
    expect(failure).toMatchObject({ kind: 'full' });
    expect(await store.getExecution(idOf(1))).toBeDefined();
    expect(await store.getExecution(idOf(2))).toBeUndefined();
    expect(await store.submit([newExecution(3)])).toEqual([{ kind: 'created' }]);
    await store.close();
  });

  it('fails only the request that does not fit', async () => {
    const store = new SqliteStore({ dataDir, maxPages: 200 });
    await store.open();
    const big = newExecution(2, { payload: JSON.stringify({ text: 'x'.repeat(1_000_000) }) });
    const results = await Promise.allSettled([
      store.submit([newExecution(1)]),
      store.submit([big]),
      store.getExecution(idOf(9)),
      store.submit([newExecution(3)]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await store.getExecution(idOf(3))).toBeDefined();
    await store.close();
  });
});

describe('a broken thread', () => {
  it('fails what was under way, is started again, and has lost nothing', async () => {
    const faults: StoreFault[] = [];
    const broken = Promise.withResolvers<void>();
    const workers: Worker[] = [];
    const onFault = (fault: StoreFault): void => {
      faults.push(fault);
      broken.resolve();
    };
    const thread = new SqliteThread({ dataDir, migrate: true, maxPages: null }, onFault, (data) => {
      const worker = startStoreWorker(data);
      workers.push(worker);
      return worker;
    });
    await thread.open();
    await thread.call('submit', [submitValues(newExecution(1))], { h1: '{}' });
    const ended = workers[0]?.terminate();
    await expect(thread.call('ping')).rejects.toThrow(StoreUnavailable);
    await ended;
    await broken.promise;
    await expect(thread.call('ping')).rejects.toThrow('being opened again');
    await expect
      .poll(() => thread.call('getExecution', idOf(1)).catch(() => undefined), { timeout: 10_000 })
      .toBeDefined();
    expect([faults.length, workers.length]).toEqual([1, 2]);
    await thread.close();
  });
});

describe('a group of requests', () => {
  function open(): { groups: GroupCommit; close: () => void } {
    const db = openFile(dataDir);
    migrate(db, dataDir, true);
    return { groups: new GroupCommit(new Session(db)), close: () => db.close() };
  }

  it('keeps a row that SQLite refuses from the others', () => {
    const { groups, close } = open();
    const executions = [1, 2, 3].map((n) => submitValues(newExecution(n, { claim: 'c' })));
    const submitted = groups.run([[1, 'submit', executions, { h1: '{}' }]]);
    expect(submitted).toMatchObject([[1, true, { kind: 'done' }]]);
    const checkpoint = (n: number): CheckpointValues =>
      checkpointValues(checkpointOf(n, 'c', 0, { steps: [stepRow(1)] }));
    const bad = checkpointValues(checkpointOf(2, 'c', 0, { steps: [stepRow(1), stepRow(2, { visit: 1.5 })] }));
    const requests: Request[] = [
      [2, 'checkpoint', [checkpoint(1), bad]],
      [3, 'getExecution', idOf(2)],
      [4, 'checkpoint', [checkpoint(3)]],
      [5, 'initSetting', 'key', 'value'],
    ];
    const answers = groups.run(requests);
    expect(answers).toMatchObject([
      [2, true, [{ kind: 'written' }, { kind: 'invalid' }]],
      [3, true, { seq: 0 }],
      [4, true, [{ kind: 'written' }]],
      [5, true, 'value'],
    ]);
    const steps = groups.run(
      [2, 3].map((n) => [n, 'listSteps', idOf(n), { limit: 9, bytes: 9999, offset: 0, order: 'asc' }, undefined, {}]),
    );
    expect(steps).toMatchObject([
      [2, true, { rows: [] }],
      [3, true, { rows: [{ ord: 1 }] }],
    ]);
    close();
  });

  it('remembers no definition whose insertion was undone', () => {
    const { groups, close } = open();
    const unfit = { ...submitValues(newExecution(1)), slot: 1.5 };
    const first = groups.run([[1, 'submit', [unfit], { h1: '{"kept":true}' }]]);
    expect(first).toMatchObject([[1, true, { results: [{ kind: 'invalid' }] }]]);
    const second = groups.run([[2, 'submit', [submitValues(newExecution(2))], {}]]);
    const third = groups.run([[3, 'getDefinitionBody', 'h1']]);
    expect(second).toMatchObject([[2, true, { kind: 'done', results: [{ kind: 'created' }] }]]);
    expect(third).toEqual([[3, true, '{"kept":true}']]);
    close();
  });

  it('asks for definitions that it does not have', () => {
    const { groups, close } = open();
    const values = submitValues(newExecution(1));
    expect(groups.run([[1, 'submit', [values], {}]])).toEqual([[1, true, { kind: 'bodies', missing: ['h1'] }]]);
    expect(groups.run([[2, 'getExecution', idOf(1)]])).toEqual([[2, true, undefined]]);
    close();
  });
});

describe('many requests at once', () => {
  it('are all answered, each its own', async () => {
    const store = new SqliteStore({ dataDir });
    await store.open();
    const numbers = Array.from({ length: 1000 }, (_, i) => i + 1);
    const results = await Promise.all(
      numbers.map((n) => store.submit([newExecution(n, { labels: { n: String(n) } })])),
    );
    expect(results.flat().every(({ kind }) => kind === 'created')).toBe(true);
    const offers = await Promise.all(numbers.map((n) => store.offer(cancelOffer(n, 'e'), start)));
    expect(offers.every(({ kind }) => kind === 'accepted')).toBe(true);
    const read = await Promise.all(numbers.map((n) => store.getExecution(idOf(n))));
    expect(read.map((x) => x?.labels['n'])).toEqual(numbers.map(String));
    await store.close();
  });
});

describe('lists of executions', () => {
  const filters: readonly ExecutionFilter[] = [
    {},
    { statuses: ['FAILED'] },
    { statuses: ['FAILED', 'CORRUPTED', 'SUCCEEDED'] },
    { name: 'n' },
    { name: 'n', version: '1' },
    { name: 'n', version: '1', statuses: ['FAILED', 'SUCCEEDED'] },
    { labels: { a: 'b' } },
    { labels: { a: 'b', c: 'd' }, statuses: ['FAILED'] },
    { standing: true },
    { hook: 'pending' },
    { hook: 'failed', name: 'n', statuses: ['FAILED'] },
    { labels: { a: 'b' }, hook: 'pending' },
    { reason: 'timeout' },
    { failedNodeId: 'a' },
  ];

  it.each(filters)('walk an index in order, whatever the filter: %j', (filter) => {
    const db = openFile(dataDir);
    migrate(db, dataDir, true);
    const { page, end } = listStatements(
      filter,
      { limit: 50, bytes: 1, offset: 0, order: 'desc', stated: 'corrupted' },
      idOf(5),
    );
    const planOf = ({ sql, values }: typeof page): string[] =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...values)
        .map((row) => String(row['detail']));
    const sorts = (plan: readonly string[]): readonly string[] =>
      plan.filter((detail) => /MATERIALIZE|TEMP B-TREE|SCAN (?!k$|w$|CONSTANT ROW$|\(subquery-\d+\)$)/.test(detail));
    // The rows of the page alone are sorted once more.
    expect(sorts(planOf(page))).toEqual(['USE TEMP B-TREE FOR ORDER BY']);
    expect(sorts(planOf(end))).toEqual([]);
    db.close();
  });

  it('end a page where it has looked at enough, with a cursor', async () => {
    const db = openFile(dataDir);
    migrate(db, dataDir, true);
    db.exec(`
      INSERT INTO definition_body (no, hash, definition) VALUES (1, 'h', '{}');
      INSERT INTO execution (no, id, slot, name, version, body, created_at, standing, status, round, started_at)
      WITH RECURSIVE n (no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM n WHERE no < 30000)
      SELECT no, printf('%08x-0000-7000-8000-000000000000', no), 1, 'n', iif(no % 15000 = 1, '2', '1'), 1, 1, 0, 'SUCCEEDED', 1, 1 FROM n;
      INSERT INTO run (execution, seq, inbox_seq, claims, updated_at, state) SELECT no, 0, 0, 0, 1, '{}' FROM execution;`);
    db.close();
    const store = new SqliteStore({ dataDir });
    await store.open();
    try {
      const found: string[][] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listExecutions(
          { version: '2' },
          { limit: 9, ...(cursor === undefined ? {} : { cursor }) },
        );
        found.push(page.items.map(({ id }) => id.slice(0, 8)));
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(found).toEqual([['00003a99'], ['00000001']]);
      expect((await store.listExecutions({ version: '1' }, { limit: 9 })).items).toHaveLength(9);
    } finally {
      await store.close();
    }
  });
});
