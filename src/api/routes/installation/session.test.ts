import { afterEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../../test/credentials.ts';
import { unknownInstallation } from '../../installation.ts';

const installation = {
  ...unknownInstallation,
  store: 'postgres',
  queue: 'redis',
  methods: ['apiKey'],
  environment: { name: 'test', color: 'orange' },
  traceUrl: 'https://traces.example/{traceId}',
  names: () => ({
    variables: ['BASE', 'AREA'],
    secrets: [{ name: 'pay' }, { name: 'bank', hosts: ['https://bank.example'] }],
    limits: { 'runtime.maxNodeVisits': 1000 },
  }),
} as const;

let api: ApiFixture | undefined;
afterEach(() => api?.close());

async function open(isProtected: boolean): Promise<ApiFixture> {
  const authenticator = authenticatorOf({
    author: ['author'],
    scoped: { roles: ['viewer'], definitions: ['order-*'], expiresAt: Date.UTC(2100, 0, 1) },
    expired: { roles: ['admin'], expiresAt: 1 },
    roleless: [],
  });
  api = new ApiFixture({ installation, ...(isProtected && { authenticator, guard: undefined }) });
  return api.open();
}

describe('GET /session', () => {
  it('tells what answers where no caller has to sign in', async () => {
    const { server } = await open(false);
    const answer = await server.inject({ url: '/session', headers: { host: 'localhost' } });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        authentication: 'none',
        methods: [],
        actor: 'anonymous',
        roles: ['admin'],
        server: {
          name: 'Trama',
          version: '1.2.3',
          environment: { name: 'test', color: 'orange' },
          store: 'postgres',
          queue: 'redis',
          now: '2030-01-01T00:00:00.000Z',
          traceUrl: 'https://traces.example/{traceId}',
        },
      },
    ]);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it.each([{}, { 'x-api-key': 'wrong' }, { authorization: 'Bearer a.b.c' }, { 'x-api-key': apiKeyOf('expired') }])(
    'tells callers without good credentials how to sign in, and no more: %j',
    async (headers) => {
      const { server } = await open(true);
      const answer = await server.inject({ url: '/session', headers: headers as Record<string, string> });
      expect([answer.statusCode, answer.json()]).toEqual([
        200,
        { authentication: 'required', methods: ['apiKey'], server: { name: 'Trama' } },
      ]);
    },
  );

  it('tells callers who they are, also without a role', async () => {
    const { server } = await open(true);
    const scoped = await server.inject({ url: '/session', headers: { 'x-api-key': apiKeyOf('scoped') } });
    expect(scoped.json()).toMatchObject({
      authentication: 'required',
      actor: 'key:scoped',
      roles: ['viewer'],
      definitions: ['order-*'],
      expiresAt: '2100-01-01T00:00:00.000Z',
      server: { version: '1.2.3' },
    });
    const roleless = await server.inject({ url: '/session', headers: { 'x-api-key': apiKeyOf('roleless') } });
    expect(roleless.json()).toMatchObject({ actor: 'key:roleless', roles: [] });
  });
});

describe('GET /names', () => {
  it('tells authors names and limits, sorted', async () => {
    const { server } = await open(true);
    const answer = await server.inject({ url: '/names', headers: { 'x-api-key': apiKeyOf('author') } });
    expect(answer.json()).toEqual({
      variables: ['AREA', 'BASE'],
      secrets: [{ name: 'bank', hosts: ['https://bank.example'] }, { name: 'pay' }],
      limits: { 'runtime.maxNodeVisits': 1000 },
    });
    const scoped = await server.inject({ url: '/names', headers: { 'x-api-key': apiKeyOf('scoped') } });
    expect(scoped.statusCode).toBe(403);
  });
});
