/**
 * What the statements of executions touch: about as many pages per row whatever the size of the batch, of the tables, and
 * however many months of partitions there are; and hardly a row that is not wanted. Measured with the plans that connections
 * keep, which they often make while tables are empty.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wholeShardSet } from '../../src/core/value/slot.ts';
import type { NewExecution } from '../../src/ports/store.ts';
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
import { ExplainedLog, explainingServer } from '../servers/explained-plans.ts';
import { openStore } from '../servers/postgres-stores.ts';
import type { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let log: ExplainedLog;
beforeAll(async () => {
  server = await explainingServer();
  log = new ExplainedLog(server);
});
afterAll(() => server.remove());

/** Everything that happens to `count` executions from the number `n` on, in batches of all of them. */
async function live(store: PostgresStore, n: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => n + i);
  const ids = numbers.map((each) => idOf(each));
  const startKeys = numbers.map((each) => ({ caller: 'me', key: `key ${each}`, fingerprint: 'f' }));
  const asked = numbers.map((each, i) =>
    newExecution(each, {
      labels: { k: 'v' },
      steps: [stepRow(1)],
      startKey: startKeys[i] as NonNullable<NewExecution['startKey']>,
    }),
  );
  await store.submit(asked);
  await store.submit(numbers.map((each, i) => ({ ...(asked[i] as NewExecution), id: idOf(each + 20_000) })));
  await store.takeOver(
    ids.map((id) => ({ id, claim: 'c' })),
    start,
  );
  await store.checkpoint(numbers.map((each) => checkpointOf(each, 'c', 1, { steps: [stepRow(2)] })));
  // Fenced ones are looked up.
  await store.checkpoint(numbers.map((each) => checkpointOf(each, 'other', 1)));
  await store.checkpoint(
    numbers.map((each) => checkpointOf(each, 'c', 2, { steps: [effectStep(4)], calls: [callRow(5)] })),
  );
  await Promise.all(numbers.map((each) => store.offer(cancelOffer(each, 'event'), start)));
  await Promise.all(ids.map((id) => store.readInbox(id)));
  await store.takeOver(
    ids.map((id) => ({ id, claim: 'd' })),
    start,
  );
  await Promise.all(ids.map((id) => store.readOutputs(id, 1, [{ nodeId: 'a' }])));
  await Promise.all(ids.map((id) => store.findUndo(id, 1, { scope: '' })));
  await Promise.all(ids.map((id) => store.findStanding(id, 'a', 1, 2)));
  await Promise.all(ids.map((id) => store.getExecution(id)));
  await Promise.all(ids.map((id) => store.getProgress(id)));
  await store.readClaims(ids);
  await store.checkpoint(
    numbers.map((each) =>
      checkpointOf(each, 'd', 4, {
        state: endState('FAILED'),
        summary: summaryOf('FAILED', { reason: 'timeout', failedNodeId: 'a' }),
        dueAt: null,
        undo: [{ kind: 'set', ord: 4, undo: 'failed' }],
        consumed: ['event'],
      }),
    ),
  );
  for (const id of ids.slice(0, 16)) {
    await store.changeTerminal({
      id,
      seq: 5,
      writeId: 'retry',
      state: stateOf({ round: 2 }),
      summary: summaryOf('IN_PROGRESS', { round: 2 }),
      dueAt: start,
      steps: [stepRow(6, { round: 2 })],
      undo: [],
    });
  }
  await store.takeOver(
    ids.map((id) => ({ id, claim: 'e' })),
    start,
  );
  await store.checkpoint(
    numbers.map((each) => checkpointOf(each, 'e', 7, { steps: [stepRow(8)], undo: [{ kind: 'reopen', round: 1 }] })),
  );
  await store.listEffects(idOf(n), 9);
  await store.listSteps(idOf(n), { limit: 9 });
  await store.listCalls(idOf(n), { limit: 9 });
  await store.findDue(wholeShardSet, start, 9);
}

/** Rows dropped and pages touched by each statement, in all of its executions. */
type Cost = Readonly<Record<'removed' | 'buffers', number>>;

async function costs(database: string): Promise<ReadonlyMap<string, Cost>> {
  const found = new Map<string, Cost>();
  for (const { text, removed, buffers, database: of } of await log.next()) {
    if (of !== database) continue;
    const name = text.replaceAll(/\s+/gu, ' ').slice(0, 100);
    const before = found.get(name) ?? { removed: 0, buffers: 0 };
    found.set(name, { removed: before.removed + removed, buffers: before.buffers + buffers });
  }
  return found;
}

const batches = [1, 16, 200];
const filled = 3000;

async function fill(store: PostgresStore): Promise<void> {
  const numbers = Array.from({ length: filled }, (_, i) => 100_000 + i);
  for (let from = 0; from < filled; from += 500) {
    const part = numbers.slice(from, from + 500).map((n) => newExecution(n, { claim: 'c', steps: [effectStep(1)] }));
    await store.submit(part);
  }
}

/** What a life costs in each size of a batch, on tables prepared like this with so many months of partitions. */
async function measure(
  months: number,
  prepare: string,
  isFilled: boolean,
): Promise<readonly ReadonlyMap<string, Cost>[]> {
  // One connection for all statements of executions, which keeps the plans of its first use.
  const options = { maxConnections: 2 };
  const { store, database } = await openStore(server, options);
  await store.tendPartitions({ now: start, lookaheadMonths: months - 1, completedBefore: 0 });
  if (isFilled) await fill(store);
  await server.query(prepare, database);
  await live(store, 1, 1);
  if (!isFilled) await fill(store);
  const found: ReadonlyMap<string, Cost>[] = [];
  for (const size of batches) {
    await log.next();
    await live(store, size * 10, size);
    found.push(await costs(database));
  }
  await store.close();
  return found;
}

/** These read the indexes of all partitions: they ask for no execution. */
const ofAll = 'SELECT id, slot, due_at';

describe.each([
  ['that were empty and never analysed when plans were made', 'SELECT 1', false],
  ['that were known to be empty when plans were made', 'VACUUM ANALYZE', false],
  ['that are large and never analysed', 'SELECT 1', true],
  ['that are large and analysed', 'VACUUM ANALYZE', true],
])('on tables %s', (_title, prepare, isFilled) => {
  it('touches what it asks for, however many months and rows there are', async () => {
    const few = await measure(1, prepare, isFilled);
    const many = await measure(24, prepare, isFilled);
    const excess: unknown[] = [];
    for (const [i, size] of batches.entries()) {
      expect(few[i]?.size).toBeGreaterThan(20);
      for (const [name, cost] of few[i] ?? []) {
        const other = many[i]?.get(name);
        const grows =
          other === undefined || other.removed > cost.removed + 5 || other.buffers > cost.buffers * 1.05 + 10;
        if (cost.removed > 20 + 9 * size || cost.buffers > 60 + 30 * size || (grows && !name.startsWith(ofAll)))
          excess.push({ name, size, cost, withManyMonths: other });
      }
    }
    expect(excess).toEqual([]);
  });
});

it('finds the last of many compensations as cheaply as the first', async () => {
  const { store, database } = await openStore(server, { maxConnections: 2 });
  await store.tendPartitions({ now: start, lookaheadMonths: 0, completedBefore: 0 });
  const visits = 1000;
  const steps = Array.from({ length: visits }, (_, i) => effectStep(i + 1, { visit: i + 1 }));
  await store.submit([newExecution(1, { claim: 'c' })]);
  await store.checkpoint([checkpointOf(1, 'c', 0, { steps })]);
  await log.next();
  for (let ord = visits; ord > 0; ord--) {
    expect((await store.findUndo(idOf(1), 1, { scope: '' }))?.ord).toBe(ord);
    const undo = [{ kind: 'set', ord, undo: 'done' }] as const;
    await store.checkpoint([checkpointOf(1, 'c', 1 + visits - ord, { undo })]);
  }
  expect(await store.findUndo(idOf(1), 1, { scope: '' })).toBeUndefined();
  const searches = (await log.next())
    .filter((each) => each.database === database && each.text.includes('generate_series'))
    .map(({ buffers }) => buffers);
  expect(searches).toHaveLength(visits + 1);
  const tenth = (part: readonly number[]): number => part.reduce((sum, buffers) => sum + buffers, 0);
  expect(tenth(searches.slice(-101, -1))).toBeLessThanOrEqual(1.2 * tenth(searches.slice(0, 100)));
  await store.close();
});
