import { Pool } from 'undici';
import { encodeCursor } from '../../src/store/cursor.ts';
import { lowestIdAt } from '../../src/store/postgres/columns/execution-id.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { startBackend, type Backend } from '../backends.ts';
import { monthMillis, rowsEach, seedHistory } from '../history-seed.ts';
import { percentile } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { dataDirectory } from '../processes.ts';
import type { Add, Options } from '../report.ts';

const rowsOfTarget = 10_000_000;
const repeats = 20;
const hour = 3_600_000;

/** The query string of a list; `n` varies from one time to the next. */
type Query = (n: number) => string;

/** Every filter of the list alone, and the pairs of which few of many fit. */
function lists(now: number): Readonly<Record<string, Query>> {
  const ago = (millis: number): string => encodeURIComponent(new Date(now - millis).toISOString());
  return {
    'no filter': () => '',
    'status, common': () => 'status=SUCCEEDED',
    'status, rare': () => 'status=CORRUPTED',
    'several statuses': () => 'status=FAILED&status=CANCELLED&status=SLEEPING',
    'status of no execution': () => 'status=COMPENSATING',
    name: (n) => `name=saga-${String(n % 40)}`,
    'name and version': (n) => `name=saga-${String(n % 40)}&version=1`,
    version: () => 'version=1',
    'name of no execution': () => 'name=absent',
    'name and status': (n) => `name=saga-${String(n % 40)}&status=FAILED`,
    'name and status that never meet': () => 'name=saga-0&status=CORRUPTED',
    'label, common': () => 'label=region:eu',
    'label, rare': () => 'label=region:rare',
    'label of one customer': (n) => `label=customer:c-${String(n * 997)}`,
    'two labels': (n) => `label=region:eu&label=customer:c-${String(n * 400)}`,
    'label and rare status': () => 'label=region:us&status=CORRUPTED',
    'label and status that never meet': () => 'label=region:rare&status=CORRUPTED',
    reason: () => 'reason=status_4xx',
    'reason and name': (n) => `reason=timeout&name=saga-${String(n % 40)}`,
    'failed node': (n) => `failedNodeId=node-${String((n % 4) + 1)}`,
    'failed node of no execution': () => 'failedNodeId=node-9',
    standing: () => 'standing=true',
    'standing and rare status': () => 'standing=true&status=CORRUPTED',
    'not standing': () => 'standing=false',
    'started in the last hour': () => `startedAfter=${ago(hour)}`,
    'started long ago': () => `startedBefore=${ago(20 * 24 * hour)}`,
    'started within an hour': (n) =>
      `startedAfter=${ago((n + 2) * 24 * hour)}&startedBefore=${ago((n + 2) * 24 * hour - hour)}`,
    'completed in the last hour': () => `completedAfter=${ago(hour)}`,
    'completed within an hour': (n) =>
      `completedAfter=${ago((n + 2) * 24 * hour)}&completedBefore=${ago((n + 2) * 24 * hour - hour)}`,
    'started in the last minute': () => `startedAfter=${ago(60_000)}`,
    'completed in the future': () => `completedAfter=${ago(-hour)}`,
    'failed in the last hour': () => `status=FAILED&completedAfter=${ago(hour)}`,
    'of a name, failed in the last hour': (n) =>
      `name=saga-${String(n % 40)}&status=FAILED&completedAfter=${ago(hour)}`,
  };
}

async function timed(pool: Pool, path: string): Promise<{ readonly millis: number; readonly body: unknown }> {
  const at = performance.now();
  const response = await pool.request({ method: 'GET', path });
  const text = await response.body.text();
  const millis = performance.now() - at;
  if (response.statusCode !== 200) throw new Error(`${path}: ${String(response.statusCode)} ${text}`);
  return { millis, body: JSON.parse(text) };
}

/** Months as they would have been made by then. */
async function makePartitions(backend: Backend, now: number): Promise<void> {
  const store = new PostgresStore({ url: backend.env['DATABASE_URL'] ?? '' });
  await store.open();
  await store.tendPartitions({ now: now - monthMillis, lookaheadMonths: 2, completedBefore: 0 });
  await store.close();
}

/**
 * Ten million rows of history (`--count`; steps and calls of an eighth as many executions), a month of them: how long clients wait for
 * lists with every filter, on the first page, on one in the middle and with an offset, and for what they ask about one execution.
 *
 * The rows are written by SQL, past the engine (see `history-seed.ts`). Each query is asked twenty times with values that
 * vary, over HTTP; the first answer counts, too.
 */
export async function history(options: Options, add: Add): Promise<void> {
  const { backend: name, pods, workers } = options;
  const count = Math.ceil((options.count ?? rowsOfTarget) / rowsEach);
  const backend = await startBackend(name);
  const directory = dataDirectory();
  const start = { pods, workers, directory, env: { MAINTENANCE_ENABLED: 'false' } };
  let servers = await startPods(backend, start);
  try {
    await stopPods(servers);
    const now = Date.now();
    if (name !== 'embedded') await makePartitions(backend, now);
    await seedHistory({ backend, directory }, count, now);
    servers = await startPods(backend, start);
    const pool = new Pool(servers[0].url, { connections: 1 });
    add('executions', count, '');
    add('rows of history', count * rowsEach, '');
    const middle = encodeCursor('execution', [lowestIdAt(now - monthMillis / 2)]);
    const pages = { first: 'limit=50', middle: `limit=50&cursor=${middle}`, offset: 'limit=50&offset=1000' };
    const all: number[] = [];
    for (const [what, query] of Object.entries(lists(now))) {
      for (const [page, position] of Object.entries(pages)) {
        const millis: number[] = [];
        let found = 0;
        for (let n = 0; n < repeats; n++) {
          const answer = await timed(pool, `/workflows?${position}&${query(n)}`);
          found = (answer.body as readonly unknown[]).length;
          millis.push(answer.millis);
          // What takes seconds takes them every time.
          if (answer.millis > 2000) break;
        }
        all.push(...millis);
        add(`${what}, ${page} page (${String(found)})`, percentile(millis, 99), 'ms', '<= 50');
      }
    }
    await one(pool, add, all);
    add('all queries: p99', percentile(all, 99), 'ms', '<= 50');
    await pool.close();
  } finally {
    await stopPods(servers);
    await backend.close();
    directory.remove();
  }
}

/** What is asked about one execution, of many. */
async function one(pool: Pool, add: Add, all: number[]): Promise<void> {
  const { body } = await timed(pool, '/workflows?limit=200&status=FAILED&status=SUCCEEDED&label=region:eu');
  const ids = (body as readonly { readonly id: string }[]).map(({ id }) => id);
  for (const [what, rest] of Object.entries({ status: '', steps: '/steps', calls: '/steps/calls' })) {
    const millis: number[] = [];
    for (const id of ids.slice(0, 100)) millis.push((await timed(pool, `/workflows/${id}${rest}`)).millis);
    all.push(...millis);
    add(`one execution: ${what}`, percentile(millis, 99), 'ms', '<= 50');
  }
}
