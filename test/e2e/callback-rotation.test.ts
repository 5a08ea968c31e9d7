/** Replacing the key that signs callback tokens on a real server, while executions wait for their callbacks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseMetrics } from '../metrics-text.ts';
import { type Downstream, startDownstream, startTrama, type TramaProcess } from './trama-process.ts';

const old = { kid: '2025', secret: 'the old secret of many characters' };
const fresh = { kid: '2026', secret: 'the new secret of many characters' };

const definitionOf = (url: string) => ({
  name: 'approval',
  version: '1',
  entrypoint: 'ask',
  nodes: [
    {
      kind: 'task',
      id: 'ask',
      action: {
        mode: 'async',
        request: {
          url: `${url}/ask?of={{sagaId}}`,
          verb: 'POST',
          body: { token: '{{runtime.callback.token}}' },
        },
        callback: { timeoutMillis: 600_000 },
      },
    },
  ],
});

/** Five starts and stops, on a machine that does other things too. */
const rollOutMillis = 240_000;

let directory: string;
let downstream: Downstream;
let server: (TramaProcess & { readonly url: string }) | undefined;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-rotation-'));
  downstream = await startDownstream((_request, response) => response.end('{}'));
});
afterAll(async () => {
  await stop();
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

async function stop(): Promise<void> {
  server?.child.kill('SIGTERM');
  await server?.ended;
  server = undefined;
}

/** The next roll-out: the server with these keys in the place of the one before. */
async function rollOut(...keys: readonly object[]): Promise<void> {
  await stop();
  const env = { RUNTIME_CALLBACK_KEYS: JSON.stringify(keys) };
  const started = startTrama(['serve', '--port', '0', '--data-dir', join(directory, 'data')], env);
  const [, url = ''] = await started.said(/"url":"([^"]+)".*"msg":"ready"/);
  server = { ...started, url };
}

interface Waiting {
  readonly id: string;
  readonly token: string;
}

async function start(): Promise<Waiting> {
  const response = await fetch(`${server?.url ?? ''}/workflows/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition: definitionOf(downstream.url) }),
  });
  const { id } = (await response.json()) as { id: string };
  const asked = () => downstream.received.find(({ path }) => path.endsWith(id));
  await expect.poll(asked, { timeout: 20_000 }).toBeDefined();
  return { id, token: (JSON.parse(asked()?.body ?? '{}') as { token: string }).token };
}

async function callBack({ id, token }: Waiting, how: 'header' | 'url'): Promise<number> {
  const path = `${server?.url ?? ''}/workflows/${id}/node/ask/callback`;
  const response =
    how === 'url'
      ? await fetch(`${path}/${token}`, { method: 'POST' })
      : await fetch(path, { method: 'POST', headers: { 'x-callback-token': token } });
  await response.body?.cancel();
  return response.status;
}

/** Executions that wait, by the key of their token; what is read may be some seconds old. */
async function waiting(expected: Readonly<Record<string, number>>): Promise<void> {
  const read = async (): Promise<Readonly<Record<string, number>>> => {
    const families = parseMetrics(await (await fetch(`${server?.url ?? ''}/metrics`)).text());
    const family = families.find(({ name }) => name === 'saga_callback_waiting');
    return Object.fromEntries((family?.samples ?? []).map(({ labels, value }) => [labels['kid'] ?? '', value]));
  };
  await expect.poll(read, { timeout: 20_000 }).toEqual(expected);
}

const kidOf = ({ token }: Waiting): string => Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();

it(
  'refuses no callback, as long as the old key stays until nothing waits for its tokens',
  async () => {
    await rollOut(old);
    const first = [await start(), await start(), await start()];
    await waiting({ 2025: 3 });
    await rollOut(old, fresh);
    const second = await start();
    expect(await callBack(first[0] as Waiting, 'header')).toBe(202);
    await rollOut(fresh, old);
    const third = await start();
    expect([...first, second, third].map(kidOf)).toEqual(['2025', '2025', '2025', '2025', '2026']);
    await waiting({ 2025: 3, 2026: 1 });
    expect(await callBack(first[1] as Waiting, 'url')).toBe(202);
    expect(await callBack(second, 'header')).toBe(202);
    await waiting({ 2025: 1, 2026: 1 });
    await rollOut(fresh);
    // Under a key that is gone.
    await waiting({ 2025: 1, 2026: 1 });
    expect(await callBack(third, 'url')).toBe(202);
    expect(await callBack(first[2] as Waiting, 'header')).toBe(401);
    await rollOut(fresh, old);
    expect(await callBack(first[2] as Waiting, 'header')).toBe(202);
    await waiting({ 2025: 0, 2026: 0 });
  },
  rollOutMillis,
);
