import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../servers/free-ports.ts';
import {
  startDownstream,
  startServer,
  startTrama,
  trama,
  type Downstream,
  type Received,
  type TramaProcess,
} from './trama-process.ts';

let directory: string;
let downstream: Downstream;
let respond: (request: Received) => { readonly status?: number; readonly body?: unknown } | Promise<object>;
const processes: TramaProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-e2e-'));
  respond = () => ({});
  downstream = await startDownstream((request, response) => {
    void Promise.resolve(respond(request)).then((answer: { status?: number; body?: unknown }) => {
      response.statusCode = answer.status ?? 200;
      response.end(JSON.stringify(answer.body ?? {}));
    });
  });
});

afterEach(async () => {
  for (const { child, ended } of processes.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

/** A linear definition of POSTs to the downstream, in a file. */
async function definition(steps: readonly string[], rest: object = {}): Promise<string> {
  const path = join(directory, 'saga.json');
  const call = (name: string): object => ({
    url: `${downstream.url}/${name}`,
    verb: 'POST',
    body: { n: '{{payload.n}}' },
  });
  const document = {
    name: 'order',
    version: '1',
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    steps: steps.map((name) => ({ name, up: call(name), down: call(`undo-${name}`) })),
    ...rest,
  };
  await writeFile(path, JSON.stringify(document));
  return path;
}

async function serve(args: readonly string[] = []): Promise<TramaProcess & { readonly url: string }> {
  const server = await startServer(join(directory, 'data'), args);
  processes.push(server);
  return server;
}

async function statusOf(url: string): Promise<string> {
  const document = (await (await fetch(url)).json()) as { readonly status: string };
  return document.status;
}

describe('trama run without a server', () => {
  it('runs the saga, shows it, and leaves nothing behind', async () => {
    respond = ({ path }) => ({ body: { at: path } });
    const own = join(directory, 'tmp');
    await writeFile(join(directory, 'payload.yaml'), 'n: 10.10');
    await mkdir(own);
    const { code, out, notes } = await trama(
      ['run', await definition(['pay', 'ship']), '--payload', `@${join(directory, 'payload.yaml')}`, '--label', 'a=b'],
      { TMPDIR: own },
    );
    expect([code, notes]).toEqual([0, '']);
    expect(out).toMatch(
      /ms {2}UP +pay +succeeded \(200\) +POST http\S+\/pay\n.*ms {2}UP +ship +succeeded \(200\) +POST .*\norder 1 [\w-]{36}: SUCCEEDED/,
    );
    expect(out).toContain('result: {"at":"/ship"}');
    expect(downstream.received.map(({ path, body }) => `${path} ${body}`)).toEqual([
      '/pay {"n":10.10}',
      '/ship {"n":10.10}',
    ]);
    expect((await readdir(own)).filter((name) => name.startsWith('trama-'))).toEqual([]);
  });

  it('exits with 1 when the saga fails, and prints one JSON document', async () => {
    respond = ({ path }) => ({ status: path === '/ship' ? 409 : 200 });
    const { code, out } = await trama(['run', await definition(['pay', 'ship']), '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ status: 'FAILED', failedNodeId: 'ship', reason: 'status_4xx' });
    expect(downstream.received.map(({ path }) => path)).toEqual(['/pay', '/ship', '/undo-pay']);
  });

  it('can be called back', async () => {
    respond = async ({ headers, body }) => {
      const { url } = JSON.parse(body) as { url: string };
      const token = String(headers['x-token']);
      setTimeout(() => {
        void fetch(url, {
          method: 'POST',
          headers: { 'x-callback-token': token, 'content-type': 'application/json' },
          body: '{"ok":1}',
        });
      }, 50);
      return { status: 202 };
    };
    const path = join(directory, 'async.json');
    const request = {
      url: `${downstream.url}/ask`,
      verb: 'POST',
      headers: { 'X-Token': '{{runtime.callback.token}}' },
      body: { url: '{{runtime.callback.url}}' },
    };
    const node = { kind: 'task', id: 'ask', action: { mode: 'async', request, callback: { timeoutMillis: 20_000 } } };
    await writeFile(path, JSON.stringify({ name: 'a', version: '1', entrypoint: 'ask', nodes: [node] }));
    const { code, out } = await trama(['run', path, '--json']);
    expect(JSON.parse(out)).toMatchObject({ status: 'SUCCEEDED', result: { ok: 1 } });
    expect(code).toBe(0);
  });

  it('lists every problem of a bad definition', async () => {
    const path = join(directory, 'bad.json');
    await writeFile(path, JSON.stringify({ name: '', version: 'latest', steps: [] }));
    const { code, notes } = await trama(['run', path]);
    expect(code).toBe(1);
    expect(notes).toMatch(/^name: /m);
    expect(notes).toMatch(/^version: /m);
  });

  it('ends when it is told to', async () => {
    const hold = Promise.withResolvers<object>();
    const arrived = Promise.withResolvers<void>();
    respond = () => {
      arrived.resolve();
      return hold.promise;
    };
    const run = startTrama(['run', await definition(['pay'])]);
    processes.push(run);
    await arrived.promise;
    run.child.kill('SIGINT');
    const { code, out } = await run.ended;
    expect(code).toBe(1);
    expect(out).toContain('IN_PROGRESS');
    hold.resolve({});
  });
});

describe('trama serve', () => {
  it('stores, runs, and stops in order: the call in flight is awaited and recorded', async () => {
    const hold = Promise.withResolvers<object>();
    const arrived = Promise.withResolvers<void>();
    respond = ({ path }) => {
      if (path !== '/pay') return {};
      arrived.resolve();
      return hold.promise;
    };
    const server = await serve();
    const file = await definition(['pay', 'ship']);
    const pushed = await trama(['push', file, '--url', server.url]);
    expect([pushed.code, pushed.out]).toEqual([0, expect.stringContaining('order 1 is stored as ')]);
    expect((await trama(['push', file], { TRAMA_URL: server.url })).code).toBe(0);
    const other = await trama(['push', await definition(['pay']), '--url', server.url]);
    expect([other.code, other.notes]).toEqual([1, expect.stringContaining('Another definition is stored')]);

    const started = await trama(['run', file, '--url', server.url, '--json']);
    const { id } = JSON.parse(started.out) as { id: string };
    await arrived.promise;
    server.child.kill('SIGTERM');
    await server.said(/no more claims/);
    const ready = await fetch(`${server.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ reasons: ['shutting_down'] });
    hold.resolve({});
    expect((await server.ended).code).toBe(0);
    expect(downstream.received.map(({ path }) => path)).toEqual(['/pay']);

    // What was left goes on at the next start, and nothing is called twice.
    const again = await serve();
    await expect.poll(() => statusOf(`${again.url}/workflows/${id}`), { timeout: 20_000 }).toBe('SUCCEEDED');
    expect(downstream.received.map(({ path }) => path)).toEqual(['/pay']);
    again.child.kill('SIGINT');
    expect((await again.ended).code).toBe(0);
  });

  it('skips the waiting at the second signal, and calls again with the same key at the next start', async () => {
    const arrived = Promise.withResolvers<void>();
    let isFirst = true;
    respond = () => {
      if (!isFirst) return {};
      isFirst = false;
      arrived.resolve();
      return new Promise(() => undefined);
    };
    const server = await serve();
    await trama(['run', await definition(['pay']), '--url', server.url]);
    await arrived.promise;
    server.child.kill('SIGTERM');
    await server.said(/no more claims/);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
    const again = await serve();
    await again.said(/"status":"SUCCEEDED".*"msg":"saga finished"/);
    const keys = downstream.received.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(keys[1]).toBe(keys[0]);
  });

  it('refuses what cannot work, with one clear line and exit code 1', async () => {
    const server = await serve();
    const dataDir = join(directory, 'data');
    const port = new URL(server.url).port;
    const second = await trama(['serve', '--port', '0', '--data-dir', dataDir]);
    expect([second.code, second.notes]).toEqual([
      1,
      `Trama cannot start: The data directory ${dataDir} is in use by another Trama process.\n`,
    ]);
    expect(JSON.parse(second.out.split('\n')[0] ?? '')).toMatchObject({
      level: 'error',
      msg: 'the start failed',
      error: expect.stringContaining(`The data directory ${dataDir} is in use`),
    });
    // A file system that takes no folders.
    const nowhere = await trama(['serve', '--port', '0', '--data-dir', '/proc/nope/below']);
    expect([nowhere.code, nowhere.notes]).toEqual([1, expect.stringContaining('/proc/nope/below cannot be used')]);
    const taken = await trama(['serve', '--port', port, '--data-dir', join(directory, 'other')]);
    expect([taken.code, taken.notes]).toEqual([1, expect.stringContaining('Something listens there already')]);
    const open = await trama(['serve', '--host', '0.0.0.0']);
    expect([open.code, open.notes]).toEqual([1, expect.stringContaining('which is not a loopback address')]);
    const redis = await trama(['serve'], { REDIS_URL: 'redis://localhost:6379' });
    expect([redis.code, redis.notes]).toEqual([1, expect.stringContaining('needs no shared queue')]);
    expect((await trama(['migrate', '--check', '--data-dir', dataDir])).code).toBe(1);
  });

  it('says at once that its database is away, and until when it waits, and ends at the first signal', async () => {
    const [port] = await freePorts(1);
    const env = { DATABASE_URL: `postgres://trama:s3cret@127.0.0.1:${port}/trama` };
    const server = startTrama(['serve', '--port', '0'], env);
    const [line] = await server.said(/\{.*the store is away.*\}/);
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      store: `postgres://127.0.0.1:${port}/trama`,
      error: `Postgres cannot answer: connect ECONNREFUSED 127.0.0.1:${port}.`,
      until: expect.stringMatching(/Z$/),
    });
    server.child.kill('SIGTERM');
    const { code, out, notes } = await server.ended;
    expect([code, notes]).toEqual([0, '']);
    expect(out.match(/the store is away/g)).toHaveLength(1);
    expect(out).toContain('"msg":"closed"');
    expect(out).not.toContain('s3cret');
  });

  it('shows metrics with what happened', async () => {
    const server = await serve();
    await trama(['run', await definition(['pay']), '--url', server.url, '--wait']);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const labels = 'saga_name="order",saga_version="1"';
    expect(text).toContain(`saga_processed_total{${labels},phase="UP",outcome="SUCCEEDED"} 1`);
    expect(text).toContain(`saga_duration_seconds_count{${labels},final_status="SUCCEEDED"} 1`);
    expect(text).toContain(`saga_step_duration_success_seconds_count{${labels},step_name="pay"} 1`);
    expect(text).toContain('saga_executions{status="SLEEPING"} 0');
    expect(text).toMatch(
      /http_server_request_duration_seconds_count\{method="POST",route="\/workflows\/run",status="200"\} 1/,
    );
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });
});

describe('trama run on a server', () => {
  it('says the id at once, and what happens when it happens', async () => {
    const hold = Promise.withResolvers<object>();
    respond = ({ path }) => (path === '/ship' ? hold.promise : {});
    const server = await serve();
    const run = startTrama(['run', await definition(['pay', 'ship']), '--url', server.url, '--wait']);
    processes.push(run);
    const [, id = ''] = await run.said(/^([\w-]{36}) IN_PROGRESS\n/);
    await run.said(/UP +pay +succeeded \(200\)/);
    expect(await statusOf(`${server.url}/workflows/${id}`)).toBe('IN_PROGRESS');
    hold.resolve({});
    const { code, out } = await run.ended;
    expect(code).toBe(0);
    // Every call once.
    expect(out.match(/ UP +\w+ /g)).toHaveLength(2);
    expect(out).toMatch(new RegExp(`ship +succeeded \\(200\\).*\norder 1 ${id}: SUCCEEDED`));
  });

  it('starts what the server has stored', async () => {
    const server = await serve();
    const env = { TRAMA_URL: server.url };
    await trama(['push', await definition(['pay'], { version: '1' })], env);
    await trama(['push', await definition(['pay', 'ship'], { version: '2' })], env);
    const first = await trama(['run', 'order@1', '--payload', '{"n":7}', '--wait', '--json'], env);
    expect([first.code, first.notes]).toEqual([0, expect.stringMatching(/^The run is [\w-]{36}\.\n$/)]);
    expect(JSON.parse(first.out)).toMatchObject({ version: '1', payload: { n: 7 }, status: 'SUCCEEDED' });
    const latest = await trama(['run', 'order', '--wait', '--json'], env);
    expect(JSON.parse(latest.out)).toMatchObject({ version: '2', status: 'SUCCEEDED' });
    const unknown = await trama(['run', 'other@1'], env);
    expect([unknown.code, unknown.notes]).toEqual([1, expect.stringContaining('other')]);
    expect((await trama(['run', 'order@'], env)).code).toBe(2);
    const away = await trama(['run', 'order'], { TRAMA_URL: 'http://127.0.0.1:1' });
    expect([away.code, away.notes]).toEqual([2, expect.stringContaining('There is no file order')]);
  });

  it('has colours where the terminal has them, and none elsewhere or where they are not wanted', async () => {
    const server = await serve();
    await trama(['run', await definition(['pay']), '--url', server.url, '--wait']);
    const list = (env: Readonly<Record<string, string>>): Promise<string> =>
      trama(['ls', '--url', server.url], env).then(({ out }) => out);
    expect(await list({ FORCE_COLOR: '1' })).toContain('\u001b[32mSUCCEEDED\u001b[39m');
    const plain = await list({});
    expect(plain).toContain('SUCCEEDED');
    for (const text of [plain, await list({ NO_COLOR: '1' }), await list({ FORCE_COLOR: '0' })]) {
      expect(text).not.toContain('\u001b');
    }
    const json = await trama(['ls', '--url', server.url, '--json'], { FORCE_COLOR: '1' });
    expect(JSON.parse(json.out)).toMatchObject([{ status: 'SUCCEEDED' }]);
  });
});

describe('trama migrate', () => {
  it('makes a store and then finds it up to date', async () => {
    const dataDir = join(directory, 'data');
    const absent = await trama(['migrate', '--check', '--data-dir', dataDir]);
    expect([absent.code, absent.notes]).toEqual([1, `There is no store in ${dataDir} yet.\n`]);
    const made = await trama(['migrate', '--data-dir', dataDir]);
    expect([made.code, made.notes]).toEqual([
      0,
      expect.stringMatching(/^These migrations run now: 0001 initial schema, /),
    ]);
    const again = await trama(['migrate', '--data-dir', dataDir]);
    expect([again.code, again.notes]).toEqual([0, '']);
    expect((await trama(['migrate', '--check', '--data-dir', dataDir])).code).toBe(0);
  });

  it('tells a store that is behind from one of which it cannot know', async () => {
    const away = await trama(['migrate', '--check', '--set', 'database.url=postgres://stranger@127.0.0.1:1/none']);
    expect([away.code, away.notes]).toMatchObject([2, expect.stringContaining('ECONNREFUSED')]);
    const wrong = await trama(['migrate', '--check', '--set', 'database.pool.maxPoolSize=none']);
    expect([wrong.code, wrong.notes]).toMatchObject([2, expect.stringContaining('database.pool.maxPoolSize')]);
  });
});
