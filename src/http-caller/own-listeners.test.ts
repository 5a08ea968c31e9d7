/** The engine's own listeners, decided on addresses and over real sockets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { CallAnswer } from '../ports/http-caller.ts';
import { type Destination, Destinations } from './destination.ts';
import { createEgressPolicy, type EgressPolicy, type EgressRules } from './egress-policy.ts';
import { OwnListeners, type OwnRoutes } from './own-listeners.ts';
import { UndiciCaller } from './undici-caller.ts';

const callback = '/workflows/01a21519-0db2-75fd-baf0-9f8427323a0e/node/ask/callback';

function policyOf(own: OwnListeners, rules: EgressRules = {}): EgressPolicy {
  const made = createEgressPolicy({ ...rules, own });
  if (!made.ok) throw new Error(made.problems.join('\n'));
  return made.policy;
}

function listening(address: string, port: number, allowed: readonly OwnRoutes[] = [], base?: string): OwnListeners {
  const own = new OwnListeners(allowed, base);
  own.add(address, port);
  return own;
}

const machineAddress = Object.values(networkInterfaces())
  .flatMap((infos) => infos ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

describe('a listener', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['127.0.0.1', '0.0.0.0', true],
    ['127.0.0.1', '::', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1', '10.0.0.1', false],
    ['::1', '::1', true],
    ['0.0.0.0', '127.8.9.10', true],
    ['::', '127.0.0.1', true],
    ['::', '::1', true],
    ['0.0.0.0', machineAddress ?? '127.0.0.1', true],
    ['0.0.0.0', '203.0.113.7', false],
  ])('on %s is reached by %s: %s', (bound, address, isOwn) => {
    const policy = policyOf(listening(bound, 8080));
    expect(policy.decide({ host: 'some.example', address, port: 8080, fromData: false }).allowed).toBe(!isOwn);
    expect(policy.decide({ host: 'some.example', address, port: 8081, fromData: false }).allowed).toBe(true);
  });

  it('is no target whatever else allows it, and the refusal names the key', () => {
    const rules = { allow: ['127.0.0.1'], allowPrivateFromData: ['127.0.0.1'] };
    for (const fromData of [false, true]) {
      const target = { host: '127.0.0.1', address: '127.0.0.1', port: 8080, fromData };
      expect(policyOf(listening('127.0.0.1', 8080), rules).decide(target)).toEqual({
        allowed: false,
        reason: 'Egress refused: 127.0.0.1 port 8080 is this server itself; http.egress.allowOwn does not list all.',
      });
      expect(policyOf(listening('127.0.0.1', 8080, ['all']), rules).decide(target).allowed).toBe(true);
    }
  });

  it('is a target of callbacks where they are allowed, also from data, and never of what is denied', () => {
    const target = { host: 'h', address: '127.0.0.1', port: 8080, fromData: true, forCallbacks: true };
    expect(policyOf(listening('127.0.0.1', 8080, ['callbacks'])).decide(target).allowed).toBe(true);
    expect(policyOf(listening('127.0.0.1', 8080)).decide(target).allowed).toBe(false);
    expect(policyOf(listening('127.0.0.1', 8080, ['callbacks'])).decide({ ...target, port: 9 }).allowed).toBe(false);
    const denying = policyOf(listening('127.0.0.1', 8080, ['callbacks']), { deny: ['127.0.0.0/8'] });
    expect(denying.decide(target).allowed).toBe(false);
  });

  it('lets callbacks to the base URL pass where it is private', () => {
    const own = listening('127.0.0.1', 8080, ['callbacks'], 'https://trama.internal/base/');
    const target = { host: 'Trama.internal.', address: '10.1.2.3', port: 443, fromData: true, forCallbacks: true };
    expect(policyOf(own).decide(target).allowed).toBe(true);
    expect(policyOf(own).decide({ ...target, forCallbacks: false }).allowed).toBe(false);
    expect(policyOf(own).decide({ ...target, host: 'other.internal' }).allowed).toBe(false);
    expect(policyOf(own).decide({ ...target, port: 8443 }).allowed).toBe(false);
  });
});

describe('the URL of a callback', () => {
  const own = listening('127.0.0.1', 8080, ['callbacks'], 'https://trama.internal/base');
  it.each([
    [`http://localhost:8080${callback}`, true],
    [`http://localhost:8080${callback}/trc1.token`, true],
    [`http://localhost:8080${callback.replace('workflows', 'sagas')}`, true],
    [`https://trama.internal/base${callback}`, true],
    [`https://trama.internal${callback}`, false],
    [`http://localhost:8081${callback}`, false],
    [`http://localhost:8080${callback}/a/b`, false],
    [`http://localhost:8080/workflows?x=${callback}`, false],
    [`http://localhost:8080/workflows/a/node/b/c/callback`, false],
    [`http://localhost:8080${callback}/../../../../../workflows`, false],
    ['http://localhost:8080/audit', false],
  ])('%s: %s', (url, isOne) => {
    const destination = new Destinations().of(url) as Destination;
    expect(own.mayBeCallback(destination)).toBe(isOne);
    expect(new OwnListeners([]).mayBeCallback(destination)).toBe(false);
  });
});

describe('over sockets', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  async function server(host: string): Promise<{ readonly asked: string[]; readonly port: number }> {
    const asked: string[] = [];
    const http: Server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    });
    await new Promise<void>((resolve) => http.listen(0, host, resolve));
    closing.push(() => new Promise((resolve) => http.close(resolve)));
    return { asked, port: (http.address() as AddressInfo).port };
  }

  function caller(own: OwnListeners): (url: string, authorityFromData?: boolean) => Promise<CallAnswer> {
    const calls = new UndiciCaller({ policy: policyOf(own), own, userAgent: 'trama/test' });
    closing.unshift(() => calls.close());
    return (url, authorityFromData = false) =>
      new Promise((resolve) => {
        calls.start({ url, verb: 'GET', headers: {}, timeoutMillis: 5000, authorityFromData }, resolve);
      });
  }

  it.each(['127.0.0.1', '0.0.0.0'])('nothing reaches a listener on %s, however it is spelled', async (host) => {
    const { asked, port } = await server(host);
    const call = caller(listening(host, port));
    const names = ['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '0.0.0.0', 'a.localhost'];
    if (host === '0.0.0.0')
      names.push('127.1.2.3', hostname(), ...(machineAddress === undefined ? [] : [machineAddress]));
    for (const name of names) {
      const answer = await call(`http://${name}:${String(port)}/workflows`);
      expect(answer).toMatchObject({ kind: 'failed', sent: false });
    }
    expect(await call(`http://127.0.0.1:${String(port)}/x`)).toMatchObject({
      error: 'refused',
      message: expect.stringContaining('http.egress.allowOwn'),
    });
    expect(asked).toEqual([]);
  });

  it('a connection that carried a callback carries nothing else', async () => {
    const { asked, port } = await server('127.0.0.1');
    const call = caller(listening('127.0.0.1', port, ['callbacks']));
    const origin = `http://localhost:${String(port)}`;
    expect(await call(origin + callback)).toMatchObject({ kind: 'response' });
    expect(await call(origin + callback, true)).toMatchObject({ kind: 'response' });
    for (const fromData of [false, true]) {
      expect(await call(`${origin}/workflows`, fromData)).toMatchObject({ error: 'refused', sent: false });
    }
    expect(asked).toEqual([callback, callback]);
  });

  it('another port of this machine is a target as before', async () => {
    const { asked, port } = await server('127.0.0.1');
    const call = caller(listening('127.0.0.1', port + 1));
    expect(await call(`http://127.0.0.1:${String(port)}/x`)).toMatchObject({ kind: 'response' });
    expect(asked).toEqual(['/x']);
  });
});
