/** Monthly partitions: made ahead, rows moved into them under load, dropped only when nothing in them is worth keeping. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutionStatus } from '../../src/core/state.ts';
import type { NewExecution } from '../../src/ports/store.ts';
import { lowestIdAt } from '../../src/store/postgres/columns/execution-id.ts';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import {
  callRow,
  cancelOffer,
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../contract/fixtures/executions.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let database: string;
let store: PostgresStore;

beforeAll(async () => {
  server = await PostgresServer.create();
});
afterAll(() => server.remove());
beforeEach(async () => {
  ({ store, database } = await openStore(server));
});
afterEach(() => store.close());

const day = 86_400_000;
/** The month of the fixtures' ids is over and retention has passed. */
const later = { now: start + 100 * day, lookaheadMonths: 0, completedBefore: start + 60 * day };
/** The month of the fixtures' ids. */
const month = { now: start, lookaheadMonths: 0, completedBefore: 0 };

const tables = ['execution', 'label', 'step', 'call', 'inbox'];

/** Rows by partition, of all tables that have any. */
async function placement(): Promise<Record<string, number>> {
  const counts = tables.map((table) => `SELECT tableoid::regclass::text AS name FROM ${table}`).join(' UNION ALL ');
  const rows = await server.query(
    `SELECT name, count(*)::int AS count FROM (${counts}) x GROUP BY name ORDER BY name`,
    database,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

async function partitionNames(table: string): Promise<string[]> {
  const rows = await server.query(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '${table}'::regclass ORDER BY 1`,
    database,
  );
  return rows.map(({ name }) => name as string);
}

/** An execution with a row in every partitioned table, still running. */
async function running(n: number): Promise<void> {
  await store.submit([newExecution(n, { claim: 'c', labels: { k: 'v' }, steps: [stepRow(1)] })]);
  await store.checkpoint([checkpointOf(n, 'c', 0, { calls: [callRow(2)] })]);
  await store.offer(cancelOffer(n, 'event'), start);
}

function ended(n: number, status: ExecutionStatus, overrides: Partial<NewExecution> = {}): NewExecution {
  return newExecution(n, {
    state: endState('SUCCEEDED'),
    summary: summaryOf(status),
    labels: { k: 'v' },
    ...overrides,
  });
}

describe('making partitions', () => {
  it('makes those of the running month and the asked ones after it, once', async () => {
    const care = { now: Date.UTC(2031, 10, 30), lookaheadMonths: 3, completedBefore: 0 };
    expect(await store.tendPartitions(care)).toEqual({ created: 4, dropped: 0 });
    expect(await store.tendPartitions(care)).toEqual({ created: 0, dropped: 0 });
    expect(await store.tendPartitions({ ...care, now: Date.UTC(2031, 11, 1) })).toEqual({ created: 1, dropped: 0 });
    for (const table of tables) {
      expect(await partitionNames(table)).toEqual(
        expect.arrayContaining(
          ['2031_11', '2031_12', '2032_01', '2032_02', '2032_03'].map((name) => `${table}_${name}`),
        ),
      );
    }
  });

  it('is done by one of several processes', async () => {
    const care = { now: Date.UTC(2031, 10, 30), lookaheadMonths: 5, completedBefore: 0 };
    const made = await Promise.all([1, 2, 3].map(() => store.tendPartitions(care)));
    const created = made.reduce((sum, each) => sum + each.created, 0);
    expect(created + (await store.tendPartitions(care)).created).toBe(6);
    expect(await partitionNames('step')).toHaveLength(9);
  });

  it('moves what lies in the default partition', async () => {
    await running(1);
    expect(await placement()).toEqual(Object.fromEntries(tables.map((table) => [`${table}_default`, 1])));
    const before = await store.getExecution(idOf(1));
    expect(await store.tendPartitions(month)).toEqual({ created: 1, dropped: 0 });
    expect(await placement()).toEqual(Object.fromEntries(tables.map((table) => [`${table}_2026_05`, 1])));
    expect(await store.getExecution(idOf(1))).toEqual(before);
    expect((await store.readInbox(idOf(1))).inboxSeq).toBe(1);
  });

  it('moves rows under the eyes of writers, who notice nothing', async () => {
    const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
    await store.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
    let isMade = false;
    const making = store.tendPartitions(month).finally(() => {
      isMade = true;
    });
    let seq = 0;
    for (let after = 0; after < 3; after += isMade ? 1 : 0) {
      const rows = { steps: [stepRow(seq * 2 + 1)], calls: [callRow(seq * 2 + 2)] };
      const results = await store.checkpoint(numbers.map((n) => checkpointOf(n, 'c', seq, rows)));
      expect(results).toEqual(numbers.map(() => ({ kind: 'written', inboxSeq: 0 })));
      seq += 1;
    }
    expect(await making).toEqual({ created: 1, dropped: 0 });
    expect(await placement()).toEqual({
      execution_2026_05: 40,
      step_2026_05: 40 * seq,
      call_2026_05: 40 * seq,
    });
  });

  it('gives up where the default partition is too large to be locked, and says so', async () => {
    const faults: string[] = [];
    const { store: large, database: name } = await openStore(server, {
      onFault: ({ message }) => faults.push(message),
    });
    await server.query(
      `INSERT INTO call SELECT ('019e7044-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1,
         (SELECT string_agg(md5((n * m)::text), '') FROM generate_series(1, 60) m)
       FROM generate_series(1, 20000) n`,
      name,
    );
    expect(await large.tendPartitions(month)).toEqual({ created: 0, dropped: 0 });
    expect(faults).toEqual(['The default partitions of Postgres are too large to make monthly ones beside them.']);
    await large.close();
  });
});

describe('dropping partitions', () => {
  beforeEach(async () => {
    await store.tendPartitions(month);
  });

  it('drops a month in which everything ended long ago, with all that belongs to it', async () => {
    const startKey = { caller: 'me', key: 'k', fingerprint: 'f' };
    await store.submit([ended(1, 'SUCCEEDED', { startKey, steps: [stepRow(1)] }), ended(2, 'FAILED')]);
    expect(await store.tendPartitions(later)).toEqual({ created: 1, dropped: 1 });
    expect(await placement()).toEqual({});
    for (const table of tables) expect(await partitionNames(table)).not.toContain(`${table}_2026_05`);
    expect(await store.getExecution(idOf(1))).toBeUndefined();
    expect(await store.getDefinitionBody('h1')).toBeUndefined();
    const probe = { ...startKey, fingerprint: 'other' };
    expect(await store.submit([newExecution(9, { startKey: probe })])).toEqual([{ kind: 'reused' }]);
    expect(await store.deleteCompleted(start + 2 * day, 9)).toBe(0);
    expect(await store.submit([newExecution(9, { startKey: probe })])).toEqual([{ kind: 'created' }]);
    expect(await store.tendPartitions(later)).toEqual({ created: 0, dropped: 0 });
  });

  const unknown = effectStep(1, { effect: 'unknown', outcome: 'unknown' });
  it.each<readonly [string, NewExecution]>([
    ['a live execution, however old', newExecution(1, { dueAt: start + 400 * day })],
    ['a corrupted one', ended(1, 'CORRUPTED')],
    ['an unknown effect that is not settled', ended(1, 'TERMINATED', { steps: [unknown] })],
    [
      'what ended within retention',
      ended(1, 'SUCCEEDED', { summary: summaryOf('SUCCEEDED', { completedAt: later.completedBefore }) }),
    ],
  ])('keeps a month with %s; the rest of it is deleted row by row', async (_title, kept) => {
    await store.submit([kept, ended(2, 'SUCCEEDED')]);
    expect(await store.tendPartitions(later)).toEqual({ created: 1, dropped: 0 });
    expect(await store.deleteCompleted(later.completedBefore, 9)).toBe(1);
    expect((await store.listExecutions({}, { limit: 9 })).items.map(({ slot }) => slot)).toEqual([1]);
    expect(await store.tendPartitions(later)).toEqual({ created: 0, dropped: 0 });
  });

  describe('of families in two months', () => {
    const juneId = lowestIdAt(Date.UTC(2026, 5, 15));
    const dropAll = async (): Promise<number> => {
      let dropped = 0;
      for (let round = 0; round < 2; round++) dropped += (await store.tendPartitions(later)).dropped;
      return dropped;
    };
    const place = (id: string): Partial<NewExecution> => ({
      parent: { id, round: 1, nodeId: 'ship', visit: 1 },
      root: id,
      depth: 2,
    });
    const over = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED'), dueAt: null };

    beforeEach(async () => {
      await store.tendPartitions({ ...month, lookaheadMonths: 1 });
    });

    it.each<readonly [string, NewExecution]>([
      ['runs', newExecution(2, { claim: 'c' })],
      ['is corrupted', ended(2, 'CORRUPTED')],
      ['has unknown effects', ended(2, 'TERMINATED', { steps: [unknown] })],
    ])('keeps the month of the root while a member in the next one %s', async (_title, member) => {
      await store.submit([ended(1, 'SUCCEEDED'), { ...member, ...place(idOf(1)), id: juneId }]);
      expect(await dropAll()).toBe(0);
      expect(await store.deleteCompleted(later.completedBefore, 9)).toBe(0);
    });

    it('keeps the month of a member while its root in the next one runs, and drops both afterwards', async () => {
      const root = newExecution(3, { id: juneId, claim: 'c' });
      await store.submit([root, ended(2, 'SUCCEEDED', place(juneId)), ended(4, 'SUCCEEDED')]);
      expect(await dropAll()).toBe(0);
      expect(await store.deleteCompleted(later.completedBefore, 9)).toBe(1);
      await store.checkpoint([{ ...checkpointOf(3, 'c', 0, over), id: juneId }]);
      expect(await dropAll()).toBe(2);
      expect(await placement()).toEqual({});
    });

    it('drops the month of a root, whose members follow', async () => {
      await store.submit([ended(1, 'SUCCEEDED'), ended(2, 'FAILED', { ...place(idOf(1)), id: juneId })]);
      await store.submit([newExecution(5, { id: juneId.replace(/0$/, '5') })]);
      expect(await dropAll()).toBe(1);
      expect(await store.deleteCompleted(later.completedBefore, 9)).toBe(1);
      expect((await store.listExecutions({}, { limit: 9 })).items.map(({ slot }) => slot)).toEqual([5]);
    });
  });

  it('keeps a month that is not over, or not over for long enough', async () => {
    expect(await store.tendPartitions({ ...month, completedBefore: Date.UTC(2026, 4, 31) })).toEqual({
      created: 0,
      dropped: 0,
    });
    expect(await store.tendPartitions({ ...month, completedBefore: Date.UTC(2026, 5, 1) })).toEqual({
      created: 0,
      dropped: 1,
    });
  });

  it('finds nothing to drop once a retry has begun, and leaves nothing to a retry that comes too late', async () => {
    const numbers = Array.from({ length: 10 }, (_, i) => i + 1);
    await store.submit(numbers.map((n) => ended(n, 'FAILED')));
    const [changed, { dropped }] = await Promise.all([
      store.changeTerminal({
        id: idOf(5),
        seq: 0,
        writeId: 'retry',
        state: stateOf({ round: 2 }),
        summary: summaryOf('IN_PROGRESS', { round: 2 }),
        dueAt: start,
        steps: [],
        undo: [],
      }),
      store.tendPartitions(later),
    ]);
    expect(changed).toBe(dropped === 0);
    expect((await store.getExecution(idOf(5)))?.status).toBe(changed ? 'IN_PROGRESS' : undefined);
  });

  it('does not wait behind a long reader, and keeps no session waiting', async () => {
    await store.submit([
      ended(1, 'SUCCEEDED'),
      newExecution(100, { id: idOf(100).replace('019e7044', '01b00000'), claim: 'c' }),
    ]);
    const reader = server
      .query(['BEGIN', 'SELECT count(*) FROM execution', 'SELECT pg_sleep(60)'], database)
      .catch((error: unknown) => error);
    const isReading = `SELECT count(*) > 0 AS yes FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()`;
    while ((await server.query(isReading, database))[0]?.['yes'] !== true);
    const over = new AbortController();
    const tending = store
      .tendPartitions(later)
      .catch((error: unknown) => error)
      .finally(() => over.abort());
    let seq = 0;
    while (!over.signal.aborted) {
      const checkpoint = { ...checkpointOf(100, 'c', seq), id: idOf(100).replace('019e7044', '01b00000') };
      expect(await store.checkpoint([checkpoint])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
      seq += 1;
    }
    expect(await tending).toEqual({ created: 0, dropped: 0, postponed: 2 });
    await server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()`,
    );
    expect(await reader).toBeInstanceOf(Error);
    expect(await store.tendPartitions(later)).toEqual({ created: 1, dropped: 1 });
  });
});
