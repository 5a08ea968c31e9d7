/** Queries beyond their bounds: what is merely wrong is 400, at once, and what is allowed is answered as fast as ever. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PostgresServer } from '../servers/postgres.ts';
import { Arena } from './arena.ts';

let server: PostgresServer | undefined;
const stores: Readonly<Record<string, () => Promise<Arena>>> = {
  'the embedded store': () => Promise.resolve(new Arena()),
  Postgres: async () => {
    server = await PostgresServer.create();
    return new Arena({ DATABASE_URL: server.url(await server.createDatabase()) });
  },
};

const cursorOf = (...key: readonly unknown[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** Sentences of an answer. */
function errorsOf(body: unknown): readonly string[] {
  return (body as { readonly errors: readonly string[] }).errors;
}

describe.each(Object.entries(stores))('queries of %s', (_title, create) => {
  let arena: Arena;
  let id = '';
  const labels = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`l${String(i)}`, `v${String(i)}`]));
  const labelQuery = (count: number): string =>
    Array.from({ length: count }, (_, i) => `label=l${String(i)}:v${String(i)}`).join('&');

  beforeAll(async () => {
    arena = await create();
    await arena.open();
    const definition = {
      name: 'n',
      version: '1',
      entrypoint: 's',
      nodes: [{ kind: 'sleep', id: 's', duration: 'PT1H' }],
    };
    const runs = await Promise.all(
      Array.from({ length: 20 }, () => arena.send('POST', '/workflows/run', { definition, labels })),
    );
    id = (runs[0] as { readonly body: { readonly id: string } }).body.id;
    expect(id).not.toBe('');
    // They fall asleep after they were accepted.
    const isAsleep = async (): Promise<void> => {
      expect((await arena.send('GET', '/workflows?status=SLEEPING')).body).toHaveLength(20);
    };
    await vi.waitFor(isAsleep, { timeout: 10_000 });
  });
  afterAll(async () => {
    await arena.close();
    await server?.remove();
    server = undefined;
  });

  it.each([1, 2, 8])('find by %i labels', async (count) => {
    const answer = await arena.survives(() => arena.send('GET', `/workflows?${labelQuery(count)}&status=SLEEPING`));
    expect([answer.status, (answer.body as unknown[]).length]).toEqual([200, 20]);
  });

  it.each([9, 50, 999])('refuse %i labels', async (count) => {
    // As many as the line of a request holds.
    const query = labelQuery(count).slice(0, 12_000);
    const answer = await arena.survives(() => arena.send('GET', `/workflows?${query}`));
    expect([answer.status, errorsOf(answer.body)]).toEqual([400, ['label: Must have at most 8 entries.']]);
    const filter = { label: Array.from({ length: count }, (_, i) => `l${String(i)}:x`) };
    const bulk = await arena.send('POST', '/workflows/bulk', { action: 'wake', filter });
    expect([bulk.status, errorsOf(bulk.body)]).toEqual([400, ['filter.label: Must have at most 8 entries.']]);
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['offset beyond its bound', '/workflows?offset=10001'],
    ['offset beyond all numbers', '/workflows?offset=9007199254740993'],
    ['offset of definitions', '/workflows/definitions?offset=99999999'],
    ['limit that is none', '/workflows?limit=ten'],
    ['long name', `/workflows?name=${'n'.repeat(1025)}`],
    ['long version', `/workflows?version=${'n'.repeat(1025)}`],
    ['long reason', `/workflows?reason=${'n'.repeat(1025)}`],
    ['long node', `/workflows?failedNodeId=${'n'.repeat(1025)}`],
    ['long label', `/workflows?label=a:${'n'.repeat(2049)}`],
    ['many statuses', `/workflows?${'status=FAILED&'.repeat(40)}`],
    ['time that is none', '/workflows?startedAfter=yesterday'],
    ['long cursor', `/workflows?cursor=${'A'.repeat(1025)}`],
    ['cursor of nothing', '/workflows?cursor=AAAA'],
    ['cursor of another list', `/workflows?cursor=${cursorOf('step', 1)}`],
    ['cursor beyond all ids', `/workflows?cursor=${cursorOf('execution', 'zzz')}`],
    ['long actor', `/audit?actor=${'a'.repeat(1025)}`],
    ['cursor of the audit log', `/audit?cursor=${cursorOf('audit', 1)}`],
    ['cursor of definitions', `/workflows/definitions?cursor=${cursorOf('definition', 1e300, '')}`],
    ...[1e300, -1, 2 ** 31, 1.5, '1', null].flatMap((ord): [string, string][] => [
      [`ord ${String(ord)} of steps`, `/workflows/ID/steps?cursor=${cursorOf('step', ord)}`],
      [`ord ${String(ord)} of calls`, `/workflows/ID/steps/calls?cursor=${cursorOf('call', ord)}`],
    ]),
    ['cursor of another order', `/workflows/ID/steps?cursor=${cursorOf('step', 0)}&order=desc`],
    ['cursor of a preview', '/workflows/ID/cancel-preview?cursor=12345678901234567890'],
  ];

  it.each(wrong)('refuse a %s', async (_name, path) => {
    const answer = await arena.send('GET', path.replace('ID', id));
    expect(answer.status).toBe(400);
    expect(errorsOf(answer.body)).not.toEqual([]);
  });

  const odd: readonly string[] = [
    '/workflows?startedAfter=0001-01-01T00:00:00Z',
    '/workflows?startedBefore=9999-12-31T23:59:59Z&completedAfter=0001-01-01T00:00:00Z',
    '/workflows?offset=10000',
    `/workflows?name=${'%00'.repeat(100)}`,
    `/workflows?label=${'%F0%9F%98%80'.repeat(100)}:x`,
    `/workflows?cursor=${cursorOf('execution', '00000000-0000-0000-0000-000000000000')}`,
    `/workflows/definitions?cursor=${cursorOf('definition', Number.MAX_SAFE_INTEGER, '\u0000\ud800')}`,
    `/audit?cursor=${cursorOf('audit', '\u0000')}&actor=%00&id=%ED%A0%80`,
    `/workflows/ID/steps?cursor=${cursorOf('step', 2_147_483_647)}&limit=99999999`,
    '/workflows/ID/cancel-preview?cursor=999999',
    '/workflows?parent=00000000-0000-0000-0000-000000000000&root=true',
    `/workflows/ID/children?order=desc&limit=99999999&cursor=${cursorOf('execution', '00000000-0000-0000-0000-000000000000')}`,
  ];

  it.each(odd)('answer %s', async (path) => {
    expect((await arena.send('GET', path.replace('ID', id))).status).toBe(200);
  });

  it.each([100, 10_000, 70_000])('refuse %i unknown fields, and name a hundred', async (count) => {
    const fields = Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${String(i)}`, 0]));
    const asks: readonly (readonly [string, unknown])[] = [
      ['/workflows/run', { definition: {}, ...fields }],
      ['/workflows/bulk', { action: 'wake', filter: fields }],
      [`/workflows/${id}/resolve`, { nodeId: 's', phase: 'UP', outcome: 'succeeded', reason: 'r', ...fields }],
    ];
    for (const [path, body] of asks) {
      const answer = await arena.survives(() => arena.send('POST', path, body));
      expect([path, answer.status]).toEqual([path, 400]);
      const errors = errorsOf(answer.body);
      expect(errors.length).toBe(count === 100 ? 100 : 101);
      if (count > 100) expect(errors.at(-1)).toBe(`… and ${String(count - 100)} more.`);
    }
  });

  it.each([100, 1000, 17_000])('name a hundred of %i problems of a definition', async (count) => {
    const definition = {
      name: 'n',
      version: '1',
      steps: [{ name: 'a', up: { url: 'http://127.0.0.1:9/', verb: 'GET' } }],
      ...Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${String(i)}`, 0])),
    };
    const answer = await arena.survives(() => arena.send('POST', '/workflows/definitions/validate', definition));
    expect(answer.status).toBe(200);
    const { valid, errors } = answer.body as { readonly valid: boolean; readonly errors: readonly string[] };
    expect([valid, errors.length]).toEqual([false, count === 100 ? 100 : 101]);
    if (count > 100) expect(errors.at(-1)).toBe(`… and ${String(count - 100)} more.`);
    expect((await arena.send('POST', '/workflows/definitions', definition)).status).toBe(400);
  });
});
