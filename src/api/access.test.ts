import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../test/credentials.ts';
import { type Role, roles } from '../security/roles.ts';
import { UiFiles } from './http/ui-files.ts';

/**
 * The roles that may call each route, by their first two letters; `open` for routes that need no credentials. Repeats
 * the table, so that a slip in it shows.
 */
const expected: Readonly<Record<string, string>> = {
  'POST /workflows/run': 'au ad',
  'POST /workflows/definitions/:name/:version/run': 'ru au op ad',
  'GET /workflows': 'vi ru au op ad',
  'GET /workflows/top': 'vi ru au op ad',
  'GET /workflows/counts': 'vi ru au op ad',
  'GET /workflows/:id': 'vi ru au op ad',
  'GET /workflows/:id/definition': 'vi ru au op ad',
  'GET /workflows/:id/steps': 'vi ru au op ad',
  'GET /workflows/:id/steps/calls': 'vi ru au op ad',
  'GET /workflows/:id/steps/calls/:callId': 'vi ru au op ad',
  'GET /workflows/:id/timeline': 'vi ru au op ad',
  'GET /workflows/:id/events': 'vi ru au op ad',
  'GET /workflows/:id/cancel-preview': 'vi ru au op ad',
  'GET /workflows/:id/children': 'vi ru au op ad',
  'GET /workflows/:id/terminate-preview': 'vi ru au op ad',
  'GET /workflows/:id/retry-preview': 'vi ru au op ad',
  'GET /workflows/:id/undo-preview': 'vi ru au op ad',
  'GET /workflows/:id/audit': 'vi ru au op ad',
  'POST /workflows/:id/retry': 'op ad',
  'POST /workflows/:id/cancel': 'op ad',
  'POST /workflows/:id/terminate': 'op ad',
  'POST /workflows/:id/wake': 'op ad',
  'POST /workflows/:id/resolve': 'op ad',
  'POST /workflows/:id/undo': 'op ad',
  'POST /workflows/:id/hook/redeliver': 'op ad',
  'POST /workflows/:id/node/:nodeId/callback': 'open',
  'POST /workflows/:id/node/:nodeId/callback/:token': 'open',
  'GET /workflows/:id/node/:nodeId/callback/:token': 'open',
  'GET /': 'open',
  'GET /workflows/definitions': 'vi ru au op ad',
  'GET /workflows/definitions/names': 'vi ru au op ad',
  'GET /workflows/definitions/:id': 'vi ru au op ad',
  'GET /workflows/definitions/:name/:version': 'vi ru au op ad',
  'POST /workflows/definitions/validate': 'vi ru au op ad',
  'POST /workflows/definitions': 'au ad',
  'PUT /workflows/definitions/:id': 'au ad',
  'DELETE /workflows/definitions/:id': 'au ad',
  'GET /audit': 'ad',
  'GET /openapi.json': 'vi ru au op ad',
  'GET /schema/definition.json': 'vi ru au op ad',
  'GET /metrics': 'vi ru au op ad',
  'GET /ui': 'open',
  'GET /ui/*': 'open',
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  'POST /workflows/bulk': 'op ad',
  'GET /session': 'open',
  'GET /names': 'au ad',
  'GET /cluster': 'vi ru au op ad',
  'GET /holds': 'vi ru au op ad',
  'GET /holds/:id': 'vi ru au op ad',
  'PUT /holds/:id': 'op ad',
  'DELETE /holds/:id': 'op ad',
};

type Route = readonly [method: string, url: string];

/** Every route that a server registers, including the alias and HEAD. */
async function registeredRoutes(open: () => Promise<ApiFixture>): Promise<{ api: ApiFixture; routes: Route[] }> {
  const routes: Route[] = [];
  const watch = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', ({ method, url }: RouteOptions) => {
      for (const one of [method].flat()) routes.push([one, url]);
    });
  };
  subscribe('fastify.initialization', watch);
  try {
    return { api: await open(), routes };
  } finally {
    unsubscribe('fastify.initialization', watch);
  }
}

const entryOf = ([method, url]: Route): string =>
  `${method === 'HEAD' ? 'GET' : method} ${url.replace(/^\/sagas/, '/workflows')}`;

const callers = {
  ...Object.fromEntries(roles.map((role) => [role, [role]])),
  nobody: [],
  expired: { roles: ['admin'] as Role[], expiresAt: 1 },
  limited: { roles: ['admin'] as Role[], definitions: ['other-*'] },
};

let api: ApiFixture;
let routes: Route[];
let rejections: string[];
let uiFolder: string;
beforeAll(async () => {
  rejections = [];
  uiFolder = mkdtempSync(join(tmpdir(), 'trama-access-'));
  writeFileSync(join(uiFolder, 'index.html'), '<!doctype html><title>Trama</title>');
  ({ api, routes } = await registeredRoutes(() =>
    new ApiFixture({
      authenticator: authenticatorOf(callers),
      guard: undefined,
      ui: UiFiles.within(uiFolder),
      isMetricsPublic: false,
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
      onRejected: (reason) => void rejections.push(reason),
    }).open(),
  ));
});
afterAll(async () => {
  await api.close();
  rmSync(uiFolder, { recursive: true, force: true });
});

function ask([method, url]: Route, headers: Record<string, string> = {}) {
  const path = url
    .replace(':id', randomUUID())
    .replace(':name', 'nothing')
    .replace(':version', '1')
    .replace(':nodeId', 'a')
    .replace(':token', 'trc1.a.b.c');
  return api.server.inject({
    method: method as 'GET',
    url: path,
    headers,
    ...(method === 'POST' || method === 'PUT' ? { payload: {} } : {}),
  });
}

const with_ = (caller: string): Record<string, string> => ({ 'x-api-key': apiKeyOf(caller) });

it('knows every route that there is, and no other', () => {
  const known = Object.keys(expected).sort();
  expect([...new Set(routes.map(entryOf))].sort()).toEqual(known);
  expect(routes.filter(([, url]) => url.startsWith('/sagas')).length).toBeGreaterThan(20);
});

it('does not build a server with a route that has no entry', async () => {
  const bare = new ApiFixture({});
  expect(() => bare.server.get('/forgotten', () => '')).toThrow(/GET \/forgotten has no entry/);
  await bare.close();
});

describe('every route', () => {
  it('asks for credentials, unless it needs none', async () => {
    for (const route of routes) {
      const isOpen = expected[entryOf(route)] === 'open';
      const tries: Record<string, string>[] = [
        {},
        { 'x-api-key': 'wrong' },
        { authorization: 'Bearer a.b.c' },
        with_('expired'),
      ];
      for (const headers of tries) {
        const answer = await ask(route, headers);
        if (isOpen) {
          expect([route, answer.headers['www-authenticate']]).toEqual([route, undefined]);
          continue;
        }
        expect([route, answer.statusCode]).toEqual([route, 401]);
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="trama"');
        if (route[0] !== 'HEAD') {
          expect(answer.json()).toMatchObject({
            code: 'unauthenticated',
            errors: ['The request needs valid credentials.'],
          });
        }
      }
    }
  });

  it('lets in exactly the roles that may', async () => {
    for (const route of routes) {
      const words = expected[entryOf(route)] ?? '';
      if (words === 'open') continue;
      for (const role of [...roles, 'nobody']) {
        const { statusCode } = await ask(route, with_(role));
        const isLetIn = statusCode !== 401 && statusCode !== 403;
        expect([route, role, isLetIn]).toEqual([route, role, words.split(' ').includes(role.slice(0, 2))]);
      }
    }
  });

  it('says of a role that is missing which one it is', async () => {
    const answer = await ask(['POST', '/workflows/:id/cancel'], with_('author'));
    expect(answer.json()).toMatchObject({ code: 'forbidden', errors: ['This needs the role operator.'] });
  });

  it('is closed to limited callers where it shows more than their definitions', async () => {
    for (const route of [
      ['GET', '/audit'],
      ['GET', '/metrics'],
      ['GET', '/cluster'],
      ['GET', '/holds'],
    ] as const) {
      expect((await ask(route, with_('limited'))).statusCode).toBe(403);
      expect((await ask(route, with_('admin'))).statusCode).toBe(200);
    }
  });
});

describe('what is no route', () => {
  it('needs credentials, too', async () => {
    expect((await api.server.inject('/nothing')).statusCode).toBe(401);
    expect((await api.server.inject({ url: '/nothing', headers: with_('viewer') })).statusCode).toBe(404);
  });
});

it('tells why requests were not let in', async () => {
  rejections = [];
  uiFolder = mkdtempSync(join(tmpdir(), 'trama-access-'));
  writeFileSync(join(uiFolder, 'index.html'), '<!doctype html><title>Trama</title>');
  await ask(['GET', '/workflows']);
  await ask(['GET', '/workflows'], with_('expired'));
  await ask(['GET', '/audit'], with_('viewer'));
  await ask(['GET', '/workflows'], with_('viewer'));
  expect(rejections).toEqual(['missing', 'invalid', 'forbidden']);
});

it('does not read a body before it knows who sends it', async () => {
  const answer = await api.server.inject({
    method: 'POST',
    url: '/workflows/run',
    headers: { 'content-type': 'application/json' },
    payload: `{${'x'.repeat(2_000_000)}`,
  });
  expect(answer.statusCode).toBe(401);
});

it('leaves metrics open while they are public', async () => {
  const open = await new ApiFixture({
    authenticator: authenticatorOf(callers),
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'm' }),
  }).open();
  expect((await open.server.inject('/metrics')).body).toBe('m');
  await open.close();
});

it('answers 429 after too many wrong credentials, and lets every right key pass', async () => {
  const strict = await new ApiFixture({ authenticator: authenticatorOf(callers, { failuresPerMinute: 2 }) }).open();
  const get = (headers: Record<string, string>) => strict.server.inject({ url: '/workflows', headers });
  expect((await get(with_('viewer'))).statusCode).toBe(200);
  const statuses = [];
  for (let n = 0; n < 3; n++) statuses.push((await get({ 'x-api-key': `guess ${String(n)}` })).statusCode);
  expect(statuses).toEqual([401, 401, 429]);
  const limited = await get({ 'x-api-key': 'guess' });
  expect([limited.statusCode, limited.json().code, limited.headers['retry-after']]).toEqual([
    429,
    'rate_limited',
    '30',
  ]);
  for (const caller of ['viewer', 'admin']) expect((await get(with_(caller))).statusCode).toBe(200);
  expect((await strict.server.inject('/healthz')).statusCode).toBe(200);
  await strict.close();
});
