import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTrama, trama, type Ended, type TramaProcess } from './trama-process.ts';

let directory: string;
const processes: TramaProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-e2e-'));
});

afterEach(async () => {
  for (const { child, ended } of processes.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await rm(directory, { recursive: true, force: true });
});

async function file(name: string, document: unknown): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, JSON.stringify(document));
  return path;
}

const noRetry = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

/** Reserve, then pay, then undo the former when the latter fails. */
const order = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 10 },
  steps: [
    {
      name: 'reserve',
      up: { url: '{{vars.BASE}}/stock/{{payload.id}}', verb: 'PUT', body: {} },
      down: { url: '{{vars.BASE}}/stock/{{payload.id}}', verb: 'DELETE' },
    },
    { name: 'pay', up: { url: '{{vars.BASE}}/payments', verb: 'POST', body: {}, timeoutMillis: 500 } },
  ],
};

/** The async request carries URL and token the way that the test wants. */
function asking(request: object): unknown {
  const callback = { timeoutMillis: 20_000, successWhen: { '==': [{ var: 'callback.body.ok' }, 1] } };
  const action = { mode: 'async', request: { url: '{{vars.BASE}}/ask', verb: 'POST', ...request }, callback };
  return {
    name: 'ask',
    version: '1',
    failureHandling: noRetry,
    entrypoint: 'ask',
    nodes: [{ kind: 'task', id: 'ask', action }],
  };
}

async function mock(path: string, args: readonly string[] = []): Promise<TramaProcess & { readonly url: string }> {
  const server = startTrama(['mock', path, '--port', '0', ...args]);
  processes.push(server);
  const [, url = ''] = await server.said(/ is mocked at (\S+)\n[\s\S]*Ctrl-C stops it/);
  return { ...server, url };
}

/** Runs the definition against the mock. */
function run(path: string, url: string): Promise<Ended> {
  return trama(['run', path, '--payload', '{"id":"a"}', '--json'], { TRAMA_VAR_BASE: url });
}

async function stop(server: TramaProcess): Promise<Ended> {
  server.child.kill('SIGTERM');
  return server.ended;
}

describe('trama mock', () => {
  it('answers every call as the definition hopes, and says what came', async () => {
    const path = await file('order.json', order);
    const server = await mock(path);
    const { code, out } = await run(path, server.url);
    expect(JSON.parse(out)).toMatchObject({ status: 'SUCCEEDED' });
    expect(code).toBe(0);
    const unknown = await fetch(`${server.url}/nothing`);
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      { error: 'The definition makes no call GET /nothing.' },
    ]);
    const ended = await stop(server);
    expect([ended.code, ended.notes]).toEqual([0, '']);
    expect(ended.out).toContain(`Point it here: TRAMA_VAR_BASE=${server.url}`);
    expect(ended.out).toMatch(/PUT \/stock\/a -> 200 {2}\(reserve:UP\)\n.*POST \/payments -> 200 {2}\(pay:UP\)\n/);
  });

  it.each([
    ['a signed URL in the body', { body: { to: '{{runtime.callback.signedUrl}}' } }],
    [
      'URL and token in headers',
      { headers: { 'X-To': '{{runtime.callback.url}}', 'X-T': '{{runtime.callback.token}}' } },
    ],
    ['a signed URL in the query', { url: '{{vars.BASE}}/ask?to={{runtime.callback.signedUrl}}' }],
  ])('calls back, whose address it finds as %s', async (_, request) => {
    const path = await file('ask.json', asking(request));
    const server = await mock(path, ['--callback', '{"ok":1}', '--callback-delay', '10']);
    const { code, out } = await run(path, server.url);
    expect(JSON.parse(out)).toMatchObject({ status: 'SUCCEEDED', result: { ok: 1 } });
    expect(code).toBe(0);
    await server.said(/ask:UP: calls back \{"ok":1\} -> 202/);
    expect((await stop(server)).out).not.toContain('trc1.');
  });

  it('fails as often as it is told to, with the status that it is told', async () => {
    const path = await file('order.json', order);
    const server = await mock(path, ['--failures', '1', '--failure-status', '500']);
    const { code, out } = await run(path, server.url);
    expect([code, JSON.parse(out)]).toMatchObject([1, { status: 'FAILED', reason: 'status_5xx' }]);
    expect((await stop(server)).out).toMatch(
      /-> 500 {2}\(reserve:UP\)\n.*-> 500 {2}\(reserve:UP, attempt 2\)\n.*-> 500 {2}\(reserve:UP, attempt 3\)\n/,
    );
  });

  it('answers each execution as the scenario says: the last answer repeats', async () => {
    const requiredPayload = ['id'];
    const path = await file('order.json', {
      ...order,
      requiredPayload,
      failureHandling: { ...noRetry, maxAttempts: 1 },
    });
    // Without a payload: a mock starts nothing.
    const scenario = await file('scenario.json', {
      nodes: { reserve: [{ status: 503 }, { status: 200 }], pay: [{ error: 'body' }, { error: 'timeout' }] },
    });
    const server = await mock(path, ['--scenario', scenario]);
    for (const name of ['one', 'another']) {
      const { code, out } = await run(path, server.url);
      expect([name, code, JSON.parse(out)]).toMatchObject([
        name,
        1,
        { status: 'FAILED', reason: 'timeout', failedNodeId: 'pay', standing: [{ nodeId: 'pay', outcome: 'unknown' }] },
      ]);
    }
    const { out } = await stop(server);
    const lines = out.split('\n').flatMap((line) => / -> (.*)$/.exec(line)?.[1] ?? []);
    const once = [
      '503  (reserve:UP)',
      '200  (reserve:UP, attempt 2)',
      'broken off within the answer  (pay:UP)',
      '200  (reserve:DOWN)',
    ];
    // Said when the caller has hung up: it may have made its next call by then, on another connection.
    const unanswered = 'no answer  (pay:UP, attempt 2)';
    expect(lines.filter((line) => line !== unanswered)).toEqual([...once, ...once]);
    expect(lines.filter((line) => line === unanswered)).toHaveLength(2);
  });

  it('takes time', async () => {
    const path = await file('order.json', order);
    // Longer than the payment may take.
    const server = await mock(path, ['--latency', '600-700', '--quiet']);
    const { out } = await run(path, server.url);
    expect(JSON.parse(out)).toMatchObject({ status: 'FAILED', failedNodeId: 'pay', reason: 'timeout' });
    expect((await stop(server)).out).not.toContain(' -> ');
  });

  it('listens where the definition already looks', async () => {
    const free = await mock(await file('order.json', order));
    const port = new URL(free.url).port;
    await stop(free);
    const there = JSON.parse(JSON.stringify(order).replaceAll('{{vars.BASE}}', `http://localhost:${port}`)) as object;
    const path = await file('there.json', there);
    const server = startTrama(['mock', path]);
    processes.push(server);
    await server.said(new RegExp(`is mocked at http://127\\.0\\.0\\.1:${port}\n[^]*Ctrl-C`));
    expect((await run(path, '')).code).toBe(0);
    const taken = await trama(['mock', path]);
    expect([taken.code, taken.notes]).toEqual([2, expect.stringContaining('Choose another port with --port.')]);
    expect((await stop(server)).out).not.toContain('Not mocked');
    const elsewhere = await mock(path);
    expect((await stop(elsewhere)).out).toContain(`Not mocked while the definition names it: http://localhost:${port}`);
  });

  it('refuses what it cannot serve', async () => {
    const path = await file('order.json', order);
    const bad = await trama(['mock', await file('bad.json', { name: 'a' })]);
    expect([bad.code, bad.notes]).toEqual([1, expect.stringContaining('bad.json is no valid definition:\n  - ')]);
    const scenario = await file('scenario.json', { nodes: { absent: [] } });
    const unread = await trama(['mock', path, '--scenario', scenario]);
    expect([unread.code, unread.notes]).toEqual([
      1,
      expect.stringContaining('scenario.json is no valid scenario:\n  - '),
    ]);
    const both = await trama(['mock', path, '--scenario', scenario, '--callback', '{}']);
    expect([both.code, both.notes]).toEqual([2, expect.stringContaining('not both')]);
    const wrong = await trama(['mock', path, '--latency', '80-20']);
    expect([wrong.code, wrong.notes]).toEqual([2, expect.stringContaining('It must be milliseconds, as 20 or 20-80.')]);
  });

  it('serves the calls of the sagas that a saga starts, which run together without a server', async () => {
    const example = join(import.meta.dirname, '../../examples/order-of-sagas');
    const path = join(example, 'definition.json');
    const others = ['payment', 'shipping'].flatMap((name) => ['--with', join(example, `with/${name}.json`)]);
    const scenario = await file('scenario.json', {
      nodes: { 'pay/capture': { body: { receipt: 'r-1' } }, 'ship/hand-over': { status: 409 } },
    });
    const server = await mock(path, [...others, '--scenario', scenario]);
    const payload = ['--payload', `@${join(example, 'payload.json')}`, '--json'];
    const { code, out } = await trama(['run', path, ...others, ...payload], { TRAMA_VAR_BASE: server.url });
    expect([code, JSON.parse(out)]).toMatchObject([1, { status: 'FAILED', failedNodeId: 'ship', standing: [] }]);
    const { out: served } = await stop(server);
    expect([...served.matchAll(/\((\S+:(?:UP|DOWN))\)/g)].map(([, name]) => name)).toEqual([
      'register:UP',
      'pay/authorise:UP',
      'pay/capture:UP',
      'ship/reserve-line:UP',
      'ship/reserve-line:UP',
      'ship/hand-over:UP',
      'ship/reserve-line:DOWN',
      'ship/reserve-line:DOWN',
      'pay/capture:DOWN',
      'pay/authorise:DOWN',
      'register:DOWN',
    ]);
  });

  it('serves the call that compensates a saga instead of its own undo', async () => {
    const call = (verb: string) => ({ url: '{{vars.BASE}}/parcel', verb });
    const inner = await file('inner.json', { name: 'inner', version: '1', steps: [{ name: 'send', up: call('PUT') }] });
    const outer = await file('outer.json', {
      name: 'outer',
      version: '1',
      entrypoint: 'ship',
      nodes: [
        {
          kind: 'workflow',
          id: 'ship',
          definition: { name: 'inner', version: '1' },
          compensation: call('DELETE'),
          next: 'no',
        },
        { kind: 'fail', id: 'no', reason: 'No.' },
      ],
    });
    const scenario = await file('scenario.json', { nodes: { 'ship:DOWN': { status: 204 } } });
    const server = await mock(outer, ['--with', inner, '--scenario', scenario]);
    const ran = await trama(['run', outer, '--with', inner, '--json'], { TRAMA_VAR_BASE: server.url });
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'FAILED', standing: [] });
    expect((await stop(server)).out).toMatch(
      /PUT \/parcel -> 200 {2}\(ship\/send:UP\)\n.*DELETE \/parcel -> 204 {2}\(ship:DOWN\)/,
    );
  });

  it('takes other definitions only where it can use them', async () => {
    const path = await file('order.json', order);
    const stored = await trama(['run', path, '--with', path, '--url', 'http://127.0.0.1:9']);
    expect([stored.code, stored.notes]).toEqual([2, expect.stringContaining('--with only works without a server')]);
    const twice = await trama(['mock', path, '--with', path, '--with', path]);
    expect([twice.code, twice.notes]).toEqual([1, expect.stringMatching(/both define "order" with version "1"/)]);
    const starts = await file('starts.json', {
      name: 'starts',
      version: '1',
      entrypoint: 'a',
      nodes: [{ kind: 'workflow', id: 'a', definition: { name: 'other', version: 'latest' } }],
    });
    const empty = await file('empty.json', { nodes: {} });
    const alone = await trama(['simulate', starts, empty]);
    expect([alone.code, alone.out]).toEqual([
      1,
      expect.stringContaining('starts "other" with version "latest", which was not given: add --with and its file.'),
    ]);
    const run = await trama(['run', starts]);
    expect([run.code, run.notes]).toEqual([
      1,
      expect.stringContaining('which was not given: add --with and its file.'),
    ]);
    const partly = startTrama(['mock', starts, '--port', '0']);
    processes.push(partly);
    await partly.said(/Not mocked: The node "a" of "starts" starts "other" with version "latest", which was not given/);
    const back = await file('back.json', {
      name: 'other',
      version: '1',
      entrypoint: 'b',
      nodes: [{ kind: 'workflow', id: 'b', definition: { name: 'starts', version: 'latest' } }],
    });
    const validated = await trama(['validate', '--with', back, starts]);
    expect(validated.out).toContain('"starts" starts "other", which starts "starts"');
  });
});
