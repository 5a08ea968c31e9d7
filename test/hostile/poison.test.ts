/** Executions that kill whichever process works on them, at every place: each ends after five processes, and harms no other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Downstream, startDownstream, startTrama, type TramaProcess } from '../e2e/trama-process.ts';

const places = ['load', 'read', 'render', 'apply', 'checkpoint'] as const;
type Place = (typeof places)[number];
/** As many harmless ones are in hand beside them, with a call that is never answered while processes are killed. */
const harmless = 4;
const killers = `--import ${new URL('killers.mjs', import.meta.url).href}`;

let directory: string;
let downstream: Downstream;
/** Whether calls of the second node are answered. */
let isAnswering = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-poison-'));
  downstream = await startDownstream(({ path }, response) => {
    if (path === '/first' || isAnswering) response.end('{"text":"answered"}');
  });
});

afterAll(async () => {
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

const serve = (env: Readonly<Record<string, string>> = {}): TramaProcess =>
  startTrama(['serve', '--port', '0', '--data-dir', directory], env);

async function withServer<T>(env: Readonly<Record<string, string>>, work: (url: string) => Promise<T>): Promise<T> {
  const server = serve(env);
  try {
    const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
    return await work(url);
  } finally {
    server.child.kill('SIGKILL');
    await server.ended;
  }
}

/** The second node reads what the first one answered, so that its outputs are read when it is loaded. */
async function run(url: string): Promise<string> {
  const call = (path: string, changes: object = {}): object => ({
    url: `${downstream.url}/${path}`,
    verb: 'POST',
    ...changes,
  });
  const task = (id: string, changes?: object): object => ({
    kind: 'task',
    id,
    action: { mode: 'sync', request: call(id, changes) },
  });
  const second = task('second', { body: { text: '{{nodes.first.response.body.text}}' }, timeoutMillis: 120_000 });
  const definition = {
    name: 'poisoned',
    version: '1',
    entrypoint: 'first',
    nodes: [{ ...task('first'), next: 'second' }, second],
  };
  const response = await fetch(`${url}/workflows/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition, payload: { n: 1 } }),
  });
  const body = (await response.json()) as { id: string };
  expect({ status: response.status, body }).toMatchObject({ status: 200 });
  return body.id;
}

async function statusOf(url: string, id: string): Promise<{ status: string; reason?: string; round: number }> {
  return (await (await fetch(`${url}/workflows/${id}`)).json()) as { status: string; reason?: string; round: number };
}

/** Starts executions, and kills the server once the second call of each has gone out. */
async function inFlight(count: number): Promise<readonly string[]> {
  const before = downstream.received.length;
  return withServer({}, async (url) => {
    const ids = await Promise.all(Array.from({ length: count }, () => run(url)));
    await expect.poll(() => downstream.received.length - before, { timeout: 20_000 }).toBe(2 * count);
    return ids;
  });
}

const ended = (id: string, status: string): RegExp => new RegExp(`"sagaId":"${id}"[^\\n]*"status":"${status}"`);

it('ends each of them after five processes, CORRUPTED, and nothing else', async () => {
  const ids = await inFlight(places.length + harmless);
  const poison = Object.fromEntries(places.map((place, i) => [place, ids[i]])) as Record<Place, string>;
  const open = new Set<Place>(places);
  for (let starts = 0; open.size > 0; starts++) {
    expect(starts).toBeLessThanOrEqual(5 * places.length);
    const server = serve({ NODE_OPTIONS: killers, KILLERS: JSON.stringify(poison) });
    const all = Promise.all([...open].map((place) => server.said(ended(poison[place], 'CORRUPTED'))));
    const outcome = await all.then(
      () => 'quiet' as const,
      () => 'fell' as const,
    );
    if (outcome === 'quiet') server.child.kill('SIGKILL');
    const { out } = await server.ended;
    for (const place of open) if (ended(poison[place], 'CORRUPTED').test(out)) open.delete(place);
  }
  isAnswering = true;
  await withServer({}, async (url) => {
    for (const place of places) {
      expect({ place, ...(await statusOf(url, poison[place])) }).toMatchObject({
        status: 'CORRUPTED',
        reason: 'engine',
      });
    }
    for (const id of ids.slice(places.length)) {
      await expect.poll(() => statusOf(url, id), { timeout: 20_000 }).toMatchObject({ status: 'SUCCEEDED', round: 1 });
    }
  });
}, 300_000);

it('ends one that was terminated before it renders or reads anything of it', async () => {
  isAnswering = false;
  const [byRender, byRead] = (await inFlight(2)) as [string, string];
  await withServer({ RUNTIME_ENABLED: 'false' }, async (url) => {
    for (const id of [byRender, byRead]) {
      const response = await fetch(`${url}/workflows/${id}/terminate`, { method: 'POST' });
      expect(response.status).toBe(202);
    }
  });
  const server = serve({
    NODE_OPTIONS: killers,
    KILLERS: JSON.stringify({ render: byRender, read: byRead }),
  });
  await Promise.all([byRender, byRead].map((id) => server.said(ended(id, 'TERMINATED'))));
  server.child.kill('SIGKILL');
  await server.ended;
});
