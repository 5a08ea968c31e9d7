/** Lists of what is long: every answer ends, whatever the list holds and however slowly it is read. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxPageBytes } from '../../src/ports/listing.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import type { Store } from '../../src/ports/store.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { Arena } from './arena.ts';
import { longId, show, writeDefinitions, writeLongHistory } from './long-histories.ts';

/** Answers of the execution, and their characters: read, parsed and printed they would be more than the heap of the server. */
const answers = 120;
const answerSize = 999_999;
const definitions = 40;
const definitionSize = 250_000;

async function fill(store: Store): Promise<void> {
  await store.open();
  await writeLongHistory(store, answers, answerSize);
  await writeDefinitions(store, definitions, definitionSize);
  await store.close();
}

let server: PostgresServer | undefined;
const stores: Readonly<Record<string, () => Promise<Arena>>> = {
  'the embedded store': () =>
    Promise.resolve(new Arena({}, (dataDir) => fill(new SqliteStore({ dataDir, showStep: show })))),
  Postgres: async () => {
    server = await PostgresServer.create();
    const url = server.url(await server.createDatabase());
    await fill(new PostgresStore({ url, showStep: show }));
    return new Arena({ DATABASE_URL: url });
  },
};

describe.each(Object.entries(stores))('long lists of %s', (_title, create) => {
  let arena: Arena;
  beforeAll(async () => {
    arena = await create();
    await arena.open();
  });
  afterAll(async () => {
    await arena.close();
    await server?.remove();
    server = undefined;
  });

  /** Every page of a list; each ends at its bytes. */
  async function walk(path: string): Promise<{ readonly rows: number; readonly pages: number }> {
    let [rows, pages] = [0, 0];
    let cursor: string | null = '';
    do {
      const answer: Response = await fetch(`${arena.url}${path}?cursor=${cursor}`);
      expect(answer.status).toBe(200);
      const text = await answer.text();
      expect(text.length).toBeLessThan(1.25 * maxPageBytes);
      rows += (JSON.parse(text) as unknown[]).length;
      pages++;
      cursor = answer.headers.get('x-next-cursor');
    } while (cursor !== null);
    return { rows, pages };
  }

  it('end, page by page', async () => {
    const read = await arena.survives(async () => ({
      steps: await walk(`/workflows/${longId}/steps`),
      calls: await walk(`/workflows/${longId}/steps/calls`),
      definitions: await walk('/workflows/definitions'),
    }));
    expect(read.steps.rows).toBe(answers);
    expect(read.calls.rows).toBe(answers);
    expect(read.definitions.rows).toBe(definitions);
    expect(Math.min(read.steps.pages, read.calls.pages, read.definitions.pages)).toBeGreaterThan(1);
  });

  it('end for many who ask at once', async () => {
    const paths = ['/steps', '/steps/calls', ''].map((end) => `/workflows/${longId}${end}`);
    const statuses = await arena.survives(() =>
      Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          const answer = await fetch(arena.url + (paths[i % 3] ?? ''));
          await answer.arrayBuffer();
          return answer.status;
        }),
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it('are streamed as events to their end', async () => {
    const text = await arena.survives(async () => (await fetch(`${arena.url}/workflows/${longId}/events`)).text());
    expect(text.split('event: step\n')).toHaveLength(answers + 1);
    expect(text).toContain('event: status');
  });

  it('end for readers that take nothing', async () => {
    const sockets: Socket[] = [];
    try {
      await arena.survives(async () => {
        const port = Number(new URL(arena.url).port);
        for (let i = 0; i < 60; i++) {
          const socket = connect(port, '127.0.0.1').on('error', () => undefined);
          socket.pause();
          const path = `/workflows/${longId}/${i % 2 === 0 ? 'events' : 'steps'}`;
          socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
          sockets.push(socket);
        }
        await pause(2_000);
      });
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    // What they held is free again.
    const answer = await fetch(`${arena.url}/workflows/${longId}/steps`);
    expect((await answer.json()) as unknown[]).not.toHaveLength(0);
  });
});

describe('places for requests that stay open', () => {
  const key = (name: string): string => `${name}-0123456789abcdef0123456789abcdef`;
  let arena: Arena;
  beforeAll(async () => {
    const { createHash } = await import('node:crypto');
    const apiKeys = ['one', 'other'].map((id) => ({
      id,
      sha256: createHash('sha256').update(key(id)).digest('hex'),
      roles: ['admin'],
    }));
    arena = new Arena({
      SECURITY_AUTH_ENABLED: 'true',
      SECURITY_AUTH_APIKEYS: JSON.stringify(apiKeys),
      SECURITY_LIMITS_MAXOPENREQUESTS: '20',
    });
    await arena.open();
  });
  afterAll(() => arena.close());

  it('are left for others whatever one caller opens', async () => {
    const definition = {
      name: 'n',
      version: '1',
      entrypoint: 's',
      nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
    };
    const asks = (name: string): RequestInit => ({ headers: { 'x-api-key': key(name) } });
    const run = await arena.send('POST', '/workflows/run', { definition }, { 'x-api-key': key('one') });
    expect(run.status).toBe(200);
    const { id } = run.body as { readonly id: string };
    const ending = new AbortController();
    try {
      const open = async (name: string): Promise<number> => {
        const answer = await fetch(`${arena.url}/workflows/${id}/events`, { ...asks(name), signal: ending.signal });
        return answer.status;
      };
      const mine = await Promise.all(Array.from({ length: 30 }, () => open('one')));
      expect(mine.filter((status) => status === 200)).toHaveLength(10);
      expect(mine.filter((status) => status === 429)).toHaveLength(20);
      expect(await open('other')).toBe(200);
    } finally {
      ending.abort();
    }
  });
});
