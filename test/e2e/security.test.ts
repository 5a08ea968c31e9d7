/** Authentication of a real server: keys made by the command line, tokens of an issuer that comes and goes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../api-fixture.ts';
import { type Downstream, startDownstream, startTrama, trama, type TramaProcess } from './trama-process.ts';

interface MadeKey {
  readonly key: string;
  readonly entry: object;
}

async function makeKey(...args: readonly string[]): Promise<MadeKey> {
  return JSON.parse((await trama(['keys', 'create', '--json', ...args])).out) as MadeKey;
}

/** A token issuer: publishes keys as long as it is open. */
class Issuer {
  readonly name = 'https://id.example';
  published: JWK[] = [];
  #server: Server | undefined;
  #port = 0;

  get jwksUrl(): string {
    return `http://127.0.0.1:${this.#port}/keys`;
  }

  async open(): Promise<void> {
    this.#server = createServer((_request, response) => response.end(JSON.stringify({ keys: this.published })));
    await new Promise<void>((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  /** Publishes a new key beside the others; answers what signs with it. */
  async rotate(kid: string): Promise<(claims: object) => Promise<string>> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    this.published = [...this.published, { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }];
    return (claims) => this.#sign(privateKey, kid, claims);
  }

  #sign(key: CryptoKey, kid: string, claims: object): Promise<string> {
    return new SignJWT({ iss: this.name, aud: 'trama', sub: 'alice', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setExpirationTime('5 minutes')
      .sign(key);
  }
}

let directory: string;
let configFile: string;
let downstream: Downstream;
let admin: MadeKey;
let limited: MadeKey;
const issuer = new Issuer();
let sign: (claims: object) => Promise<string>;
let server: (TramaProcess & { readonly url: string }) | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-security-'));
  downstream = await startDownstream((_request, response) => response.end('{}'));
  await issuer.open();
  sign = await issuer.rotate('one');
  admin = await makeKey('--id', 'root', '--role', 'admin', '--expires', '1d');
  limited = await makeKey('--id', 'orders', '--role', 'operator', '--role', 'author', '--definitions', 'order-*');
  configFile = join(directory, 'trama.yaml');
  const { name, jwksUrl } = issuer;
  await writeFile(
    configFile,
    JSON.stringify({
      metrics: { public: false },
      security: {
        auth: {
          apiKeys: [admin.entry, limited.entry],
          jwt: { issuer: name, audience: 'trama', jwksUrl, rolesClaim: 'realm.roles' },
        },
      },
    }),
  );
});
async function stop(): Promise<void> {
  server?.child.kill('SIGTERM');
  await server?.ended;
  server = undefined;
}
afterAll(async () => {
  await issuer.close();
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

async function serve(...args: readonly string[]): Promise<string> {
  const dataDir = join(directory, 'data');
  const started = startTrama(['serve', '--config', configFile, '--port', '0', '--data-dir', dataDir, ...args]);
  const [, url = ''] = await started.said(/"url":"([^"]+)".*"msg":"ready"/);
  server = { ...started, url };
  return url;
}

interface Asked {
  readonly status: number;
  readonly body: AnswerBody;
  readonly headers: Headers;
}

async function ask(path: string, credential?: string, body?: object): Promise<Asked> {
  const response = await fetch(`${server?.url ?? ''}${path}`, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
    },
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

const definitionOf = (name: string) => ({
  name,
  version: '1',
  steps: [{ name: 'pay', up: { url: `${downstream.url}/pay`, verb: 'POST' } }],
});

describe('a server with authentication', () => {
  beforeAll(() => serve());
  afterAll(stop);

  it('answers health routes to every caller and everything else to callers that it knows', async () => {
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/readyz?scope=api')).status).toBe(200);
    const refused = await ask('/workflows');
    expect([refused.status, refused.body.code, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'unauthenticated',
      'Bearer realm="trama"',
    ]);
    expect((await ask('/metrics')).status).toBe(401);
    expect((await ask('/workflows', admin.key)).status).toBe(200);
    expect((await ask('/workflows', await sign({ realm: { roles: ['viewer'] } }))).status).toBe(200);
    expect((await ask('/workflows/run', await sign({ realm: { roles: ['viewer'] } }), {})).status).toBe(403);
    expect((await ask('/workflows', await sign({ aud: 'other', realm: { roles: ['viewer'] } }))).status).toBe(401);
    const metrics = await ask('/metrics', admin.key);
    expect(metrics.body).toContain('saga_auth_rejected_total{reason="missing"} 2');
    expect(metrics.body).toContain('saga_auth_rejected_total{reason="forbidden"} 1');
    expect(metrics.body).toContain('saga_auth_rejected_total{reason="invalid"} 1');
  });

  it('is used by the command line with a key, and limits it to its definitions', async () => {
    const url = server?.url ?? '';
    const file = join(directory, 'order.json');
    const other = join(directory, 'other.json');
    await writeFile(file, JSON.stringify(definitionOf('order-eu')));
    await writeFile(other, JSON.stringify(definitionOf('invoice')));
    const without = await trama(['push', file, '--url', url]);
    expect([without.code, without.notes]).toEqual([1, expect.stringContaining('needs valid credentials')]);
    expect((await trama(['push', file, '--url', url, '--api-key', limited.key])).code).toBe(0);
    const run = await trama(['run', file, '--url', url, '--wait'], { TRAMA_API_KEY: limited.key });
    expect([run.code, run.out]).toEqual([0, expect.stringContaining('SUCCEEDED')]);
    const refused = await trama(['push', other, '--url', url], { TRAMA_API_KEY: limited.key });
    expect([refused.code, refused.notes]).toEqual([1, expect.stringContaining('limited to definitions named order-*')]);
    expect((await trama(['push', other, '--url', url], { TRAMA_API_KEY: admin.key })).code).toBe(0);
    const listed = await ask('/workflows/definitions', limited.key);
    expect(listed.body.map(({ name }: { name: string }) => name)).toEqual(['order-eu']);
    expect((await ask('/workflows/definitions/invoice/1', limited.key)).status).toBe(404);
  });

  it('takes callbacks with nothing but their token', async () => {
    const definition = {
      name: 'order-approval',
      version: '1',
      entrypoint: 'ask',
      nodes: [
        {
          kind: 'task',
          id: 'ask',
          action: {
            mode: 'async',
            request: { url: `${downstream.url}/ask`, verb: 'POST', body: { to: '{{runtime.callback.signedUrl}}' } },
            callback: { timeoutMillis: 60_000 },
          },
        },
      ],
    };
    const { id } = (await ask('/workflows/run', limited.key, { definition })).body;
    await expect.poll(() => downstream.received.some(({ path }) => path === '/ask')).toBe(true);
    const { to } = JSON.parse(downstream.received.find(({ path }) => path === '/ask')?.body ?? '{}');
    expect((await fetch(to, { method: 'POST' })).status).toBe(202);
    await expect.poll(async () => (await ask(`/workflows/${id}`, limited.key)).body.status).toBe('SUCCEEDED');
  });

  it('keeps an audit log over restarts', async () => {
    const { id } = (
      await ask('/workflows/run', admin.key, { definition: definitionOf('invoice'), startAt: '2999-01-01T00:00:00Z' })
    ).body;
    const operator = await sign({ realm: { roles: ['operator'] } });
    expect((await ask(`/workflows/${id}/cancel`, operator, { reason: 'wrong customer' })).status).toBe(202);
    expect((await ask(`/workflows/${id}/cancel`, limited.key, {})).status).toBe(404);
    server?.child.kill('SIGKILL');
    await server?.ended;
    await serve();
    expect((await ask('/audit', operator)).status).toBe(403);
    expect((await ask('/audit', limited.key)).status).toBe(403);
    const { body } = await ask(`/audit?id=${id}&order=asc`, admin.key);
    expect(body).toMatchObject([
      { actor: 'jwt:alice', action: 'execution.cancel', outcome: 'done', details: { reason: 'wrong customer' } },
      { actor: 'key:orders', action: 'execution.cancel', outcome: 'unknown_execution' },
    ]);
    expect(body[0].address).toBe('127.0.0.1');
    expect((await ask('/audit?action=access.configured', admin.key)).body).toMatchObject([
      { actor: 'system', details: { enabled: true, added: ['key:root', 'key:orders', `issuer:${issuer.name}`] } },
    ]);
  });

  it('goes on with the keys that it has while the issuer is away, and takes new ones when it is back', async () => {
    const token = await sign({ realm: { roles: ['viewer'] } });
    expect((await ask('/workflows', token)).status).toBe(200);
    await issuer.close();
    expect((await ask('/workflows', token)).status).toBe(200);
    expect((await ask('/workflows', admin.key)).status).toBe(200);
    await issuer.open();
  });
});

describe('a server of its own', () => {
  afterEach(stop);

  it('answers 503 to tokens while it never had the keys, and API keys go on', async () => {
    await issuer.close();
    await serve();
    const token = await sign({ realm: { roles: ['viewer'] } });
    const answer = await ask('/workflows', token);
    expect([answer.status, answer.body.code]).toEqual([503, 'auth_unavailable']);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect((await ask('/workflows', admin.key)).status).toBe(200);
    await issuer.open();
    const rotated = await issuer.rotate('two');
    const fresh = await rotated({ realm: { roles: ['viewer'] } });
    await expect.poll(async () => (await ask('/workflows', fresh)).status, { timeout: 20_000 }).toBe(200);
    expect((await ask('/workflows', token)).status).toBe(200);
  });

  it('limits guesses, and locks no right key out, whether it was seen before or not', async () => {
    await serve('--set', 'security.limits.failedAuthPerMinute=3');
    expect((await ask('/workflows', admin.key)).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await ask('/workflows', `guess-${n}`)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await ask('/workflows', admin.key)).status).toBe(200);
    expect((await ask('/workflows', limited.key)).status).toBe(200);
    expect((await ask('/workflows', await sign({ realm: { roles: ['viewer'] } }))).status).toBe(429);
    expect((await ask('/metrics', admin.key)).body).toContain('saga_auth_rejected_total{reason="limited"} 3');
  });

  it('refuses tokens under a published key that cannot be used, and says so once per key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const before = issuer.published;
    issuer.published = [...before, { ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'short', alg: 'RS256' }];
    await serve();
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: issuer.name, aud: 'trama', sub: 'eve', exp: 4e9, realm: { roles: ['admin'] } };
    for (let n = 0; n < 3; n++) {
      const signed = `${part({ alg: 'RS256', kid: 'short' })}.${part({ ...claims, n })}`;
      const signature = createSign('sha256').update(signed).sign(privateKey, 'base64url');
      const answer = await ask('/workflows', `${signed}.${signature}`);
      expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
    }
    expect((await ask('/workflows', await sign({ realm: { roles: ['viewer'] } }))).status).toBe(200);
    expect((await ask('/metrics', admin.key)).body).toContain('saga_auth_rejected_total{reason="invalid"} 3');
    const { ended } = server!;
    await stop();
    const { out } = await ended;
    expect(out.match(/a key of the token issuer, or a token under it, cannot be used/g)).toHaveLength(1);
    expect(out).toContain('"kid":"short"');
    issuer.published = before;
  });

  it('counts guesses by the address that a proxy names, without its port, and made-up ones as the proxy', async () => {
    await serve('--set', 'server.trustedProxies=127.0.0.1', '--set', 'security.limits.failedAuthPerMinute=3');
    const guess = async (forwardedFor: string): Promise<number> => {
      const headers = { 'x-api-key': 'guess', 'x-forwarded-for': forwardedFor };
      return (await fetch(`${server?.url ?? ''}/workflows`, { headers })).status;
    };
    for (const from of [
      (n: number) => `203.0.113.9:${n}`,
      (n: number) => `[2001:db8::1]:${n}`,
      (n: number) => `x${n}`,
    ]) {
      const statuses = [];
      for (let n = 1; n <= 5; n++) statuses.push(await guess(from(n)));
      expect(statuses).toEqual([401, 401, 401, 429, 429]);
    }
    expect(await guess('203.0.113.10')).toBe(401);
  });

  it('says where a request behind a proxy comes from', async () => {
    await serve('--set', 'server.trustedProxies=127.0.0.1');
    const { id } = (
      await ask('/workflows/run', admin.key, { definition: definitionOf('invoice'), startAt: '2999-01-01T00:00:00Z' })
    ).body;
    const answer = await fetch(`${server?.url ?? ''}/workflows/${id}/terminate`, {
      method: 'POST',
      headers: { 'x-api-key': admin.key, 'x-forwarded-for': '203.0.113.9' },
    });
    expect(answer.status).toBe(202);
    expect((await ask(`/audit?id=${id}`, admin.key)).body).toMatchObject([{ address: '203.0.113.9' }]);
  });
});

it('the server that a run starts for itself asks for no credentials', async () => {
  const file = join(directory, 'order.json');
  await writeFile(file, JSON.stringify(definitionOf('order-eu')));
  const run = await trama(['run', file], { TRAMA_CONFIG: configFile });
  expect([run.notes, run.code]).toEqual(['', 0]);
});
