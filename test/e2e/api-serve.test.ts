/** The API over HTTP, with the real engine, store and downstreams behind it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../api-fixture.ts';
import { type Downstream, startDownstream, startServer, type TramaProcess } from './trama-process.ts';

let directory: string;
let server: TramaProcess & { readonly url: string };
let downstream: Downstream;
/** Statuses that the downstream answers with, by path; 200 for all others. */
const statuses = new Map<string, number>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-api-'));
  downstream = await startDownstream(({ path }, response) => {
    response.statusCode = statuses.get(path) ?? 200;
    response.end(`{"path":"${path}","amount":10.10}`);
  });
  server = await startServer(directory);
});

afterAll(async () => {
  server.child.kill('SIGTERM');
  const { code } = await server.ended;
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
  expect(code).toBe(0);
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: AnswerBody;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(new URL(path, server.url), {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
}

const call = (path: string, changes: object = {}): object => ({
  url: `${downstream.url}${path}`,
  verb: 'POST',
  ...changes,
});
const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const linear = (name: string, ...paths: string[]): object => ({
  name,
  version: '1',
  failureHandling: once,
  compensationHandling: once,
  steps: paths.map((path) => ({ name: path, up: call(`/${name}/${path}`), down: call(`/${name}/undo-${path}`) })),
});

/** Asks until the status document is as wanted. */
async function until(id: string, wanted: (document: AnswerBody) => boolean): Promise<AnswerBody> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { body } = await ask('GET', `/workflows/${id}`);
    if (wanted(body)) return body;
    if (Date.now() > deadline) throw new Error(JSON.stringify(body, undefined, 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const ended = ({ completedAt }: AnswerBody): boolean => completedAt !== undefined;

describe('runs', () => {
  it('wait for their end, and keep digits from payload and answers', async () => {
    const answer = await ask(
      'POST',
      '/workflows/run?waitMillis=10000',
      `{"definition":${JSON.stringify(linear('plain', 'a', 'b'))},"payload":{"n":9007199254740993}}`,
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'SUCCEEDED', retryable: false, currentNodes: [] });
    expect(answer.text).toContain('"payload":{"n":9007199254740993}');
    expect(answer.text).toContain('"result":{"path":"/plain/b","amount":10.10}');
    expect(answer.headers.get('location')).toBe(`/workflows/${answer.body.id}`);
  });

  it('are the same for the same Idempotency-Key, also from the stored definition', async () => {
    const stored = await ask('POST', '/workflows/definitions', linear('stored', 'a'));
    expect(stored.status).toBe(200);
    const key = { 'idempotency-key': 'order-7' };
    const run = (payload: object) => ask('POST', '/sagas/definitions/stored/latest/run', { payload }, key);
    const [first, second] = await Promise.all([run({ a: 1 }), run({ a: 1 })]);
    expect([first.status, second.status, second.body.id]).toEqual([200, 200, first.body.id]);
    expect((await run({ a: 2 })).status).toBe(422);
    await until(first.body.id, ended);
    expect(downstream.received.filter(({ path }) => path === '/stored/a')).toHaveLength(1);
  });
});

describe('a failed execution', () => {
  it('is compensated, found, followed and retried', async () => {
    statuses.set('/failing/c', 400);
    const { body: started } = await ask('POST', '/workflows/run', {
      definition: linear('failing', 'a', 'b', 'c'),
      labels: { test: 'failing' },
    });
    const { id } = started;
    const stream = await ask('GET', `/workflows/${id}/events`);
    expect(
      [...stream.text.matchAll(/"stepName":"(\w)","phase":"(\w+)"/g)].map(([, step, phase]) => `${step} ${phase}`),
    ).toEqual(['a UP', 'b UP', 'c UP', 'b DOWN', 'a DOWN']);
    expect(stream.text.trimEnd().split('\n\n').at(-1)).toContain('"status":"FAILED"');

    const document = await until(id, ended);
    expect(document).toMatchObject({
      status: 'FAILED',
      reason: 'status_4xx',
      failedNodeId: 'c',
      retryable: true,
      standing: [],
    });
    expect(document.compensations).toMatchObject([
      { nodeId: 'a', state: 'DONE', attempts: 1 },
      { nodeId: 'b', state: 'DONE', attempts: 1 },
    ]);
    const found = await ask('GET', '/workflows?status=FAILED&label=test:failing');
    expect(found.body.map((summary: AnswerBody) => summary.id)).toEqual([id]);

    statuses.delete('/failing/c');
    const retries = await Promise.all([ask('POST', `/workflows/${id}/retry`), ask('POST', `/workflows/${id}/retry`)]);
    expect(retries.map(({ status }) => status).sort((a, b) => a - b)).toEqual([202, 409]);
    expect(await until(id, ({ status }) => status === 'SUCCEEDED')).toMatchObject({ round: 2 });
    const calls = (await ask('GET', `/workflows/${id}/steps/calls`)).body;
    expect(calls).toHaveLength(8);
    expect(calls[0]).toMatchObject({ requestUrl: `${downstream.url}/failing/a`, requestVerb: 'POST', statusCode: 200 });
  });

  it('that is CORRUPTED is previewed and resolved', async () => {
    statuses.set('/stuck/b', 400).set('/stuck/undo-a', 500);
    const { body: started } = await ask('POST', '/workflows/run', { definition: linear('stuck', 'a', 'b') });
    const { id } = started;
    expect(await until(id, ended)).toMatchObject({
      status: 'CORRUPTED',
      standing: [{ nodeId: 'a', visit: 1, round: 1, outcome: 'succeeded' }],
    });
    const preview = await ask('GET', `/workflows/${id}/retry-preview`);
    expect(preview.body).toMatchObject([{ nodeId: 'a', verb: 'POST', url: `${downstream.url}/stuck/undo-a` }]);
    const resolution = { nodeId: 'a', phase: 'DOWN', outcome: 'succeeded', reason: 'undone by hand' };
    expect((await ask('POST', `/workflows/${id}/resolve`, resolution)).status).toBe(202);
    expect(await until(id, ({ status }) => status === 'FAILED')).toMatchObject({ standing: [] });
    expect((await ask('POST', `/workflows/${id}/resolve`, resolution)).status).toBe(409);
  });
});

describe('a callback', () => {
  const definition = (): object => ({
    name: 'approval',
    version: '1',
    entrypoint: 'ask',
    nodes: [
      {
        kind: 'task',
        id: 'ask',
        action: {
          mode: 'async',
          request: call('/approval/ask', {
            body: { to: '{{runtime.callback.signedUrl}}', token: '{{runtime.callback.token}}' },
          }),
          callback: {
            timeoutMillis: 60_000,
            failureWhen: { '!': { var: 'callback.body.yes' } },
            successWhen: { var: 'callback.body.yes' },
          },
        },
      },
    ],
  });

  it('finishes its node by the signed URL, is answered alike again, and its token shows nowhere', async () => {
    const { body: started } = await ask('POST', '/workflows/run', { definition: definition() });
    const { id } = started;
    await until(id, ({ status }) => status === 'WAITING_CALLBACK');
    const sent = JSON.parse(downstream.received.findLast(({ path }) => path === '/approval/ask')!.body);
    const post = (body: string) =>
      fetch(sent.to, { method: 'POST', body, headers: { 'content-type': 'application/json' } }).then(
        ({ status }) => status,
      );
    expect(await post('{"yes":true}')).toBe(202);
    expect(await until(id, ended)).toMatchObject({ status: 'SUCCEEDED', result: { yes: true } });
    expect([await post('{"yes":true}'), await post('{"yes":false}')]).toEqual([200, 409]);
    for (const path of ['', '/steps', '/steps/calls', '/events']) {
      expect((await ask('GET', `/workflows/${id}${path}`)).text).not.toContain(sent.token);
    }
  });

  it('is previewed and compensated when the node is cancelled while it waits', async () => {
    const waiting = definition() as { nodes: object[] };
    const { body: started } = await ask('POST', '/workflows/run', {
      definition: { ...waiting, name: 'withdrawn', nodes: [{ ...waiting.nodes[0], compensation: call('/withdraw') }] },
    });
    const { id } = started;
    await until(id, ({ status }) => status === 'WAITING_CALLBACK');
    expect((await ask('GET', `/workflows/${id}/cancel-preview`)).body).toMatchObject([
      { nodeId: 'ask', visit: 1, url: `${downstream.url}/withdraw` },
    ]);
    expect((await ask('POST', `/workflows/${id}/cancel`, { reason: 'withdrawn' })).status).toBe(202);
    expect(await until(id, ended)).toMatchObject({ status: 'CANCELLED', standing: [] });
    expect(downstream.received.filter(({ path }) => path === '/withdraw')).toHaveLength(1);
  });
});

describe('the server', () => {
  it('describes itself', async () => {
    expect((await ask('GET', '/healthz')).text).toBe('ok');
    expect((await ask('GET', '/readyz')).text).toBe('ready');
    expect((await ask('GET', '/openapi.json')).body.openapi).toBe('3.1.0');
    expect((await ask('GET', '/metrics')).text).toContain('saga_processed_total');
  });
});
