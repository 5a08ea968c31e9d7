/** Lists over many definitions: every way to find a page finds the same, and reads about as much as it shows. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExecutionStatus } from '../../src/core/state.ts';
import type { ExecutionFilter, NewExecution } from '../../src/ports/store.ts';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { lowestIdAt } from '../../src/store/postgres/columns/execution-id.ts';
import { newExecution, start, summaryOf } from '../contract/fixtures/executions.ts';
import { ExplainedLog, explainingServer } from '../servers/explained-plans.ts';
import { openStore } from '../servers/postgres-stores.ts';
import type { PostgresServer } from '../servers/postgres.ts';

const total = 6000;
const definitions = 60;
const spread = 1000;
const late = 1_000_000;
/** Less than it takes to compare each execution that has one of two conditions. */
const maxBuffers = 9000;

interface Sample {
  readonly n: number;
  readonly name: string;
  readonly version: string;
  readonly status: ExecutionStatus;
  readonly region: string;
  readonly startedAt: number;
  readonly completedAt: number | undefined;
}

/** What is common among the latest is rare among the others, and the other way round. */
function statusOf(n: number): ExecutionStatus {
  if (n % 50 === 7) return 'FAILED';
  if (n % 400 === 9) return 'SLEEPING';
  return n < 40 || n % 1000 === 3 ? 'IN_PROGRESS' : 'SUCCEEDED';
}

const parityOf = (n: number): string => (n % 2 === 0 ? 'even' : 'odd');

const samples: readonly Sample[] = Array.from({ length: total }, (_, n) => {
  const definition = (n * 7) % definitions;
  const status = statusOf(n);
  const startedAt = start + n * spread;
  const isOver = status === 'FAILED' || status === 'SUCCEEDED';
  return {
    n,
    name: definition === 3 && n > 4000 ? 'other' : `saga-${definition % 2}`,
    version: `${definition}`,
    status,
    region: n % 3 === 0 ? 'eu' : 'us',
    startedAt,
    completedAt: isOver ? startedAt + (n % 40 === 5 ? late : 100) : undefined,
  };
});

function executionOf({ n, name, version, status, region, startedAt, completedAt }: Sample): NewExecution {
  return newExecution(n, {
    id: `${lowestIdAt(startedAt).slice(0, 13)}-7000-8000-${n.toString(16).padStart(12, '0')}`,
    name,
    version,
    definitionHash: version,
    labels: { region, ...(n === 11 && { rare: 'yes' }), parity: parityOf(n), mirror: parityOf(n < 10 ? n + 1 : n) },
    createdAt: startedAt,
    summary: summaryOf(status, { startedAt, ...(completedAt !== undefined && { completedAt }) }),
  });
}

function fits(sample: Sample, filter: ExecutionFilter): boolean {
  const { statuses, name, version, nameGlobs, labels, startedAfter = -Infinity, startedBefore = Infinity } = filter;
  const { completedAfter, completedBefore } = filter;
  const { status, startedAt, completedAt } = sample;
  return (
    (statuses?.includes(status) ?? true) &&
    (name ?? sample.name) === sample.name &&
    (version ?? sample.version) === sample.version &&
    (nameGlobs === undefined || sample.name.startsWith('saga-')) &&
    (labels?.['region'] ?? sample.region) === sample.region &&
    startedAt >= startedAfter &&
    startedAt < startedBefore &&
    (completedAfter === undefined || (completedAt !== undefined && completedAt >= completedAfter)) &&
    (completedBefore === undefined || (completedAt !== undefined && completedAt < completedBefore))
  );
}

let server: PostgresServer;
let store: PostgresStore;
let log: ExplainedLog;
beforeAll(async () => {
  server = await explainingServer();
  log = new ExplainedLog(server);
  let database: string;
  ({ store, database } = await openStore(server));
  await store.tendPartitions({ now: start, lookaheadMonths: 1, completedBefore: 0 });
  for (let from = 0; from < total; from += 500) {
    await store.submit(samples.slice(from, from + 500).map((sample) => executionOf(sample)));
  }
  await server.query('VACUUM ANALYZE', database);
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const middle = start + 2500 * spread;

const filters: readonly ExecutionFilter[] = [
  {},
  { statuses: ['SUCCEEDED'] },
  { statuses: ['IN_PROGRESS'] },
  { statuses: ['FAILED'] },
  { statuses: ['IN_PROGRESS', 'SLEEPING', 'FAILED'] },
  { name: 'other' },
  { name: 'saga-1' },
  { name: 'saga-1', statuses: ['IN_PROGRESS'] },
  { name: 'saga-1', version: '41', statuses: ['SUCCEEDED'] },
  { version: '41' },
  { nameGlobs: ['saga-*'], statuses: ['FAILED', 'IN_PROGRESS'] },
  { labels: { region: 'eu' } },
  { labels: { region: 'eu' }, statuses: ['IN_PROGRESS'] },
  { labels: { region: 'eu' }, statuses: ['SUCCEEDED'], name: 'saga-0' },
  { labels: { region: 'none' }, statuses: ['SUCCEEDED'] },
  { startedAfter: middle, startedBefore: middle + 60 * spread },
  { completedAfter: middle, completedBefore: middle + 60 * spread },
  { completedAfter: middle, statuses: ['SUCCEEDED'] },
  { completedAfter: middle, completedBefore: middle + 60 * spread, statuses: ['SUCCEEDED', 'FAILED'] },
  {
    completedAfter: start + 500 * spread,
    completedBefore: start + 4000 * spread,
    name: 'saga-0',
    statuses: ['FAILED'],
  },
  { startedBefore: middle, statuses: ['IN_PROGRESS'] },
];

it.each(filters)('finds what fits %j, in either order and page by page', async (filter) => {
  const expected = samples.filter((sample) => fits(sample, filter)).map(({ n }) => n);
  for (const order of ['desc', 'asc'] as const) {
    const all = order === 'asc' ? expected : expected.toReversed();
    const found: number[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 4; page++) {
      const { items, cursor: next } = await store.listExecutions(filter, {
        limit: 13,
        order,
        ...(cursor !== undefined && { cursor }),
      });
      found.push(...items.map(({ slot }) => slot));
      cursor = next;
      if (cursor === undefined) break;
    }
    expect(found).toEqual(all.slice(0, found.length));
    expect(found).toHaveLength(Math.min(all.length, 4 * 13));
  }
});

it.each(filters)('reads few pages for %j', async (filter) => {
  await log.next();
  await store.listExecutions(filter, { limit: 50 });
  const buffers = (await log.next()).reduce((sum, each) => sum + each.buffers, 0);
  // To compare every execution takes at least a page for each.
  expect(buffers).toBeLessThan(total / 2);
});

it.each<ExecutionFilter>([
  { labels: { parity: 'odd', mirror: 'even' } },
  { labels: { mirror: 'even' }, name: 'saga-1' },
  { labels: { mirror: 'even' }, name: 'saga-1', startedAfter: start },
  { labels: { mirror: 'even' }, nameGlobs: ['saga-1'], statuses: ['SUCCEEDED', 'IN_PROGRESS', 'SLEEPING', 'FAILED'] },
])('ends a page of %j after a bounded number of comparisons, and goes on from there', async (filter) => {
  for (const order of ['desc', 'asc'] as const) {
    const found: number[] = [];
    const read: number[] = [];
    let cursor: string | undefined;
    do {
      await log.next();
      const page = { limit: 3, order, ...(cursor !== undefined && { cursor }) };
      const answer = await store.listExecutions(filter, page);
      read.push((await log.next()).reduce((sum, { buffers }) => sum + buffers, 0));
      found.push(...answer.items.map(({ slot }) => slot));
      cursor = answer.cursor;
    } while (cursor !== undefined);
    // Half of all executions have either condition, and these alone have both.
    expect(found).toEqual(order === 'asc' ? [1, 3, 5, 7, 9] : [9, 7, 5, 3, 1]);
    // To compare all that have one takes three pages and more for each.
    expect(Math.max(...read)).toBeLessThan(maxBuffers);
  }
});

it('begins with the rarest label, whatever their order', async () => {
  await log.next();
  for (const labels of [
    { rare: 'yes', region: 'us' },
    { region: 'us', rare: 'yes' },
  ]) {
    const { items } = await store.listExecutions({ labels }, { limit: 50 });
    expect(items.map(({ slot }) => slot)).toEqual([11]);
  }
  const buffers = (await log.next()).reduce((sum, each) => sum + each.buffers, 0);
  expect(buffers).toBeLessThan(1000);
});
