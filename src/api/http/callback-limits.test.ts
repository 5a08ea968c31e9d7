import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../test/api-fixture.ts';
import { CallbackTokens } from '../../security/callback-token.ts';
import { CallbackLimits } from './callback-limits.ts';

const definition = {
  name: 'approval',
  version: '1',
  entrypoint: 'ask',
  nodes: [
    {
      kind: 'task',
      id: 'ask',
      action: {
        mode: 'async',
        request: { url: 'http://shop.example/ask', verb: 'POST', headers: { 'X-T': '{{runtime.callback.token}}' } },
        callback: { timeoutMillis: 60_000 },
      },
    },
  ],
};

let api: ApiFixture;
afterEach(() => api.close());

async function waiting(): Promise<{ readonly id: string; readonly token: string }> {
  const id = await api.run(definition);
  await api.drive(id);
  return { id, token: await api.tokenFor(id, 'ask') };
}

const send = (id: string, token: string, remoteAddress = '192.0.2.1', isSigned = false) =>
  api.server.inject({
    method: 'POST',
    url: `/workflows/${id}/node/ask/callback${isSigned ? `/${token}` : ''}`,
    headers: { host: 'trama.example', ...(isSigned ? {} : { 'x-callback-token': token }) },
    remoteAddress,
  });

describe.each([
  ['in a header', false],
  ['in the URL', true],
])('a token %s', (_where, isSigned) => {
  it('is good for a number of callbacks, however often it comes', async () => {
    api = await new ApiFixture({ limits: { callbacksPerExecution: 1 } }).open();
    const { id, token } = await waiting();
    const other = await waiting();
    const statuses = [];
    for (let n = 0; n < 11; n++) statuses.push((await send(id, token, '192.0.2.1', isSigned)).statusCode);
    expect(statuses).toEqual([202, ...Array<number>(9).fill(200), 429]);
    const answer = await send(id, token, '192.0.2.1', isSigned);
    expect([answer.json().code, answer.headers['retry-after']]).toEqual(['rate_limited', '1']);
    expect(api.rejected).toEqual(['rate_limited', 'rate_limited']);
    expect((await send(other.id, other.token, '192.0.2.1', isSigned)).statusCode).toBe(202);
  });

  it('that is forged costs the store nothing, and the execution none of its callbacks', async () => {
    api = await new ApiFixture({ limits: { callbacksPerExecution: 1 } }).open();
    const { id, token } = await waiting();
    const forged = new CallbackTokens([{ kid: 'default', secret: 'not the secret' }]).issue({
      executionId: id,
      round: 1,
      nodeId: 'ask',
      visit: 1,
      operation: 1,
      nonce: 'x',
    });
    const asked: string[] = [];
    const real = api.store.getExecution.bind(api.store);
    Object.assign(api.store, {
      getExecution: (wanted: string) => {
        asked.push(wanted);
        return real(wanted);
      },
    });
    const statuses = new Set<number>();
    for (let n = 0; n < 30; n++) statuses.add((await send(id, forged, '192.0.2.1', isSigned)).statusCode);
    expect([...statuses]).toEqual([401]);
    expect(asked).toEqual([]);
    expect((await send(id, token, '192.0.2.1', isSigned)).statusCode).toBe(202);
  });

  it('comes at a bounded rate from one address, whatever it is worth', async () => {
    api = await new ApiFixture({ limits: { callbacksPerAddress: 1 } }).open();
    const { id, token } = await waiting();
    for (let n = 0; n < 10; n++) await send(id, 'nonsense', '192.0.2.1', isSigned);
    const answer = await send(id, token, '192.0.2.1', isSigned);
    expect([answer.statusCode, answer.json().code]).toEqual([429, 'rate_limited']);
    expect(api.rejected.at(-1)).toBe('rate_limited');
    expect((await send(id, token, '192.0.2.2', isSigned)).statusCode).toBe(202);
  });
});

it('takes no body over the limit', async () => {
  api = await new ApiFixture({ limits: { maxRequestBytes: 2000 } }).open();
  const { id, token } = await waiting();
  const answer = await api.server.inject({
    method: 'POST',
    url: `/workflows/${id}/node/ask/callback`,
    headers: { 'x-callback-token': token, 'content-type': 'text/plain' },
    payload: 'x'.repeat(2001),
  });
  expect([answer.statusCode, answer.json().code]).toEqual([413, 'too_large']);
  expect((await send(id, token)).statusCode).toBe(202);
});

describe('keys of callback tokens', () => {
  const old = { kid: '2025', secret: 'an old secret that is long' };
  const fresh = { kid: '2026', secret: 'a new secret that is long' };
  /**
   * The keys after each roll-out. During a roll-out, processes with these keys run beside processes with the previous
   * ones.
   */
  const rollouts = [[old], [old, fresh], [fresh, old], [fresh]];
  beforeEach(async () => {
    api = await new ApiFixture().open();
  });

  it('are replaced without a callback being refused', () => {
    for (const [n, keys] of rollouts.slice(0, 3).entries()) {
      const next = rollouts[n + 1] ?? keys;
      const issued = new CallbackTokens(keys).issue({
        executionId: 'e',
        round: 1,
        nodeId: 'n',
        visit: 1,
        operation: 1,
        nonce: 'x',
      });
      // The last roll-out follows once no execution waits for a token of the old key.
      const isOldGone = !next.includes(old) && keys[0] === old;
      expect(isOldGone).toBe(false);
      for (const living of [keys, next]) expect(new CallbackTokens(living).verify(issued).ok).toBe(true);
    }
  });

  it('verify tokens over HTTP, and say nothing of keys that are gone', async () => {
    const claims = { executionId: '', round: 1, nodeId: 'ask', visit: 1, operation: 1, nonce: '' };
    const { id } = await waiting();
    const gone = new CallbackTokens([old]).issue({ ...claims, executionId: id });
    const forged = new CallbackTokens([{ kid: 'default', secret: 'other' }]).issue({ ...claims, executionId: id });
    const answers = [await send(id, gone), await send(id, forged)].map((answer) => {
      const { requestId: _id, ...said } = answer.json();
      return said;
    });
    expect(answers[0]).toEqual(answers[1]);
    expect(api.rejected).toEqual(['unknown_kid', 'signature']);
  });
});

it('forgets executions and addresses rather than growing', () => {
  const limits = new CallbackLimits({ perExecution: 1, perAddress: 1 }, () => 0);
  for (let n = 0; n < 30_000; n++) limits.takeExecution(`e${String(n)}`);
  for (let n = 0; n < 10; n++) limits.takeExecution('e29999');
  expect(limits.takeExecution('e29999')).toBe(false);
  expect(limits.takeExecution('e0')).toBe(true);
});
