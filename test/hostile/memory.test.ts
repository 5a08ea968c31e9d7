/** Executions that are answered more than the process could hold: what nothing asks for leaves memory, and the rest is read when it is asked for. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresServer } from '../servers/postgres.ts';
import { Arena } from './arena.ts';

/** As much is answered to each call, in bytes: a little less than may be. */
const answerBytes = 1_000_000;
const nodes = 400;
const smallHeapMiB = 256;

let downstream: Server;
let base: string;
const received: { readonly path: string; readonly body: string }[] = [];

beforeAll(async () => {
  const text = 'x'.repeat(answerBytes);
  downstream = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const path = request.url ?? '';
      received.push({ path, body });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ path, text }));
    });
  });
  await new Promise<void>((resolve) => downstream.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(downstream.address() as AddressInfo).port}`;
});

afterAll(async () => {
  downstream.closeAllConnections();
  await new Promise((resolve) => downstream.close(resolve));
});

/** Nodes in a row, each of which is answered. `last` is what the last one sends. */
function row(length: number, last: unknown = null, changes: object = {}): object {
  const list = Array.from({ length }, (_, i) => ({
    kind: 'task',
    id: `n${String(i)}`,
    action: {
      mode: 'sync',
      request: {
        url: `${base}/n${String(i)}`,
        verb: 'POST',
        ...(i === length - 1 && last !== null ? { body: last } : {}),
      },
    },
    ...(i === length - 1 ? {} : { next: `n${String(i + 1)}` }),
    ...changes,
  }));
  return { name: `row-${String(length)}`, version: '1', entrypoint: 'n0', nodes: list };
}

interface Status {
  readonly status: string;
  readonly failureDescription?: string;
}

async function ended(arena: Arena, definition: object): Promise<Status> {
  const { body } = await arena.send('POST', '/workflows/run', { definition });
  expect(body).toMatchObject({ status: 'IN_PROGRESS' });
  const { id } = body as { readonly id: string };
  const isOver = async (): Promise<Status> => (await arena.send('GET', `/workflows/${id}`)).body as Status;
  await expect.poll(isOver, { timeout: 60_000, interval: 250 }).not.toMatchObject({ status: 'IN_PROGRESS' });
  return isOver();
}

describe('the embedded store', () => {
  const arena = new Arena({ RUNTIME_MAXOUTPUTBYTES: String(8 * 1024 * 1024) });
  beforeAll(() => arena.open());
  afterAll(() => arena.close());

  it.each([25, nodes])('runs %i nodes that answer a megabyte each', async (length) => {
    expect(await arena.survives(() => ended(arena, row(length)))).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('reads back what is asked for after it had to leave memory', async () => {
    // Each of them may be asked for until the end; they take more than may be kept, and less than may be read at once.
    const asked = [0, 1, 2, 3, 4, 5, 6, 7, 8, 15];
    const last = Object.fromEntries(asked.map((i) => [`n${String(i)}`, `{{nodes.n${String(i)}.response.body.path}}`]));
    const kept = {
      ...row(21, last),
      onSuccessCallback: { url: `${base}/done`, verb: 'POST', body: { first: '{{nodes.n0.response.body.path}}' } },
    };
    expect(await arena.survives(() => ended(arena, kept))).toMatchObject({ status: 'SUCCEEDED' });
    const sent = received.findLast(({ path }) => path === '/n20');
    expect(JSON.parse(sent?.body ?? '')).toEqual(
      Object.fromEntries(asked.map((i) => [`n${String(i)}`, `/n${String(i)}`])),
    );
    expect(received.findLast(({ path }) => path === '/done')?.body).toBe('{"first":"/n0"}');
  });

  it('fails what asks for more than may be read at once', async () => {
    const all = Array.from({ length: 20 }, (_, i) => `{{nodes.n${String(i)}.response.body.path}}`).join('');
    const { status, failureDescription } = await arena.survives(() => ended(arena, row(21, { all })));
    expect(status).toBe('FAILED');
    expect(failureDescription).toMatch(/The outputs of n0, n1, n2 and \d+ more .*\(runtime\.maxOutputBytes/);
  });
});

describe('Postgres', () => {
  let postgres: PostgresServer;
  let arena: Arena;
  beforeAll(async () => {
    postgres = await PostgresServer.create();
    const database = await postgres.createDatabase();
    arena = new Arena({
      DATABASE_URL: postgres.url(database),
      NODE_OPTIONS: `--max-old-space-size=${String(smallHeapMiB)}`,
    });
    await arena.open();
  });
  afterAll(async () => {
    await arena.close();
    await postgres.remove();
  });

  it('runs half as many in two thirds of the heap', async () => {
    expect(await arena.survives(() => ended(arena, row(nodes / 2)))).toMatchObject({ status: 'SUCCEEDED' });
  });
});
