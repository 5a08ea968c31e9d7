/**
 * What stands between Trama and Postgres, and what a database must be: each either works, or stops the start with what to do.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startDownstream, startTrama, type Downstream, type TramaProcess } from '../e2e/trama-process.ts';
import { PgBouncer } from '../servers/pgbouncer.ts';
import { PostgresServer } from '../servers/postgres.ts';

const patience = { timeout: 60_000, interval: 50 };

let postgres: PostgresServer;
let downstream: Downstream;
const running: TramaProcess[] = [];
const poolers: PgBouncer[] = [];

beforeAll(async () => {
  [postgres, downstream] = await Promise.all([
    PostgresServer.create(),
    startDownstream((_request, response) => {
      response.end('{"text":"😀"}');
    }),
  ]);
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await Promise.all(poolers.map((pooler) => pooler.close()));
  await downstream.close();
  await postgres.remove();
});

function serve(url: string): TramaProcess {
  const server = startTrama(['serve', '--port', '0'], { DATABASE_URL: url, MAINTENANCE_ENABLED: 'false' });
  running.push(server);
  return server;
}

async function ready(server: TramaProcess): Promise<string> {
  const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
  return url;
}

/** Runs a saga of two calls to its end; answers its status. */
async function runOne(url: string): Promise<unknown> {
  const step = (name: string): object => ({ name, up: { url: `${downstream.url}/${name}`, verb: 'POST' } });
  const definition = { name: 'one', version: '1', steps: [step('a'), step('b')] };
  const started = await fetch(`${url}/workflows/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition, payload: { text: 'Ünïcode 😀' } }),
  });
  const { id } = (await started.json()) as { id: string };
  return vi.waitFor(async () => {
    const { status } = (await (await fetch(`${url}/workflows/${id}`)).json()) as { status: string };
    expect(['SUCCEEDED', 'FAILED', 'CORRUPTED']).toContain(status);
    return status;
  }, patience);
}

/** The sentence by which a start ends, and how. */
async function refusal(url: string): Promise<string> {
  const { code, out, notes } = await serve(url).ended;
  expect(code).toBe(1);
  return out + notes;
}

async function pooler(mode: 'session' | 'transaction' | 'statement', more: readonly string[] = []): Promise<PgBouncer> {
  const started = await PgBouncer.start(postgres, mode, more);
  poolers.push(started);
  return started;
}

describe('a pooler before Postgres', () => {
  it('that keeps sessions works with its defaults, also for the sole worker and what rings it', async () => {
    const { port } = await pooler('session');
    const url = postgres.url(await postgres.createDatabase(), port);
    const first = serve(url);
    const worker = await ready(first);
    const candidate = await ready(serve(url));
    expect(await runOne(worker)).toBe('SUCCEEDED');
    // The candidate accepts, and rings the worker.
    expect(await runOne(candidate)).toBe('SUCCEEDED');
    first.child.kill('SIGTERM');
    await first.ended;
    expect(await runOne(candidate)).toBe('SUCCEEDED');
  });

  it.each([
    ['transaction', [], 'pool_mode = session'],
    ['transaction', ['server_round_robin = 1'], 'pool_mode = session'],
    ['statement', [], 'pool_mode = session'],
  ] as const)('that parts transactions from sessions is refused with what to do: %s %j', async (mode, more, advice) => {
    const { port } = await pooler(mode, more);
    expect(await refusal(postgres.url(await postgres.createDatabase(), port))).toContain(advice);
  });
});

describe('a database', () => {
  it('with another encoding than UTF8 is refused with what to do', async () => {
    await postgres.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    expect(await refusal(postgres.url('latin'))).toMatch(/encoding LATIN1.*ENCODING 'UTF8'/);
  });

  it('is reached through a Unix socket', async () => {
    const database = await postgres.createDatabase();
    const socket = encodeURIComponent(postgres.socketFolder);
    const url = await ready(serve(`postgres://trama@/${database}?host=${socket}&port=${String(postgres.port)}`));
    expect(await runOne(url)).toBe('SUCCEEDED');
  });

  it('that does not exist, or does not let the user in, is said at once', async () => {
    expect(await refusal(postgres.url('nowhere'))).toContain('no such database');
    const database = await postgres.createDatabase();
    expect(await refusal(`postgres://stranger@127.0.0.1:${String(postgres.port)}/${database}`)).toContain(
      'does not let this user in',
    );
  });

  it('whose role may not create tables is refused with what to grant, and works once they are there', async () => {
    const database = await postgres.createDatabase();
    await postgres.query('CREATE ROLE guest LOGIN');
    await postgres.query('CREATE SCHEMA sagas', database);
    const base = `127.0.0.1:${String(postgres.port)}/${database}?schema=sagas`;
    expect(await refusal(`postgres://guest@${base}`)).toContain('no schema that the role "guest" may use');
    await postgres.query('GRANT USAGE ON SCHEMA sagas TO guest', database);
    expect(await refusal(`postgres://guest@${base}`)).toContain('GRANT USAGE, CREATE ON SCHEMA "sagas" TO "guest"');
    const owner = serve(`postgres://trama@${base}`);
    await ready(owner);
    owner.child.kill('SIGTERM');
    await owner.ended;
    await postgres.query(
      'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sagas TO guest; ' +
        'GRANT USAGE ON ALL SEQUENCES IN SCHEMA sagas TO guest',
      database,
    );
    expect(await runOne(await ready(serve(`postgres://guest@${base}`)))).toBe('SUCCEEDED');
  });

  it('whose schema does not exist is refused with what to do', async () => {
    const database = await postgres.createDatabase();
    expect(await refusal(`${postgres.url(database)}?schema=missing`)).toMatch(
      /search_path is "missing".*Create the schema/,
    );
  });

  it('that holds unfinished executions of existing Trama is used, with a warning', async () => {
    const database = await postgres.createDatabase();
    await postgres.query(
      "CREATE TABLE saga_execution (id text, status text); INSERT INTO saga_execution VALUES ('a', 'IN_PROGRESS'), ('b', 'COMPLETED')",
      database,
    );
    const server = serve(postgres.url(database));
    const url = await ready(server);
    expect(server.hasSaid('saga_execution of existing Trama, with 1 unfinished executions')).toBe(true);
    expect(await runOne(url)).toBe('SUCCEEDED');
  });

  it('holds two stores in two schemas, each with a worker of its own', async () => {
    const database = await postgres.createDatabase();
    await postgres.query('CREATE SCHEMA one; CREATE SCHEMA two', database);
    const servers = await Promise.all(
      ['one', 'two'].map((schema) => ready(serve(`${postgres.url(database)}?schema=${schema}`))),
    );
    expect(await Promise.all(servers.map((url) => runOne(url)))).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    const counts = await Promise.all(
      ['one', 'two'].map((schema) => postgres.query(`SELECT count(*)::int AS n FROM ${schema}.execution`, database)),
    );
    expect(counts.map(([row]) => row?.['n'])).toEqual([1, 1]);
  });
});
