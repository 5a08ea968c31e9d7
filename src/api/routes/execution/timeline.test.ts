import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../../test/credentials.ts';

const retries = { type: 'retry', maxAttempts: 2, delayMillis: 1000 };
const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const call = (path: string): object => ({ url: `http://shop.example/${path}`, verb: 'POST' });
const order = {
  name: 'order',
  version: '1',
  failureHandling: retries,
  compensationHandling: once,
  entrypoint: 'reserve',
  nodes: [
    {
      kind: 'task',
      id: 'reserve',
      action: { mode: 'sync', unknownStatusCodes: [418, 504], request: call('reserve') },
      compensation: call('release'),
      next: 'route',
    },
    { kind: 'switch', id: 'route', cases: [{ name: 'gift', when: true, target: 'nap' }], default: 'pay' },
    { kind: 'sleep', id: 'nap', duration: 'PT1H', next: 'pay' },
    { kind: 'task', id: 'pay', action: { mode: 'sync', request: call('pay') } },
  ],
};
const unknownId = '0190a5a0-0000-7000-8000-000000000000';

let api: ApiFixture;
beforeEach(async () => {
  const authenticator = authenticatorOf({
    ops: ['operator', 'author'],
    viewer: ['viewer'],
    admin: ['admin'],
    elsewhere: { roles: ['viewer'], definitions: ['other-*'] },
  });
  api = await new ApiFixture({ authenticator }).open();
});
afterEach(() => api.close());

async function ask(
  method: 'GET' | 'POST',
  url: string,
  payload?: object,
  caller = 'ops',
): Promise<{ status: number; body: AnswerBody; headers: Readonly<Record<string, unknown>> }> {
  api.now += 10;
  const { statusCode, body, headers } = await api.server.inject({
    method,
    url,
    headers: { 'x-api-key': apiKeyOf(caller) },
    ...(payload !== undefined && { payload }),
  });
  return { status: statusCode, body: body === '' ? undefined : JSON.parse(body), headers };
}

/** `reserve` gets 503, 418 and 200, then the run sleeps. */
async function asleep(): Promise<string> {
  const { id } = (await ask('POST', '/workflows/run', { definition: order })).body;
  for (const status of [503, 418, 200]) {
    await api.drive(id, () => response(status));
    api.now += 1000;
  }
  return id;
}

const told = (rows: AnswerBody): string[] =>
  rows.map((row: AnswerBody) =>
    [
      row.kind,
      row.action ?? row.nodeId,
      row.wait?.for,
      row.attempt,
      row.outcome,
      row.to === undefined ? 'open' : undefined,
    ]
      .filter((part) => part !== undefined)
      .join(' '),
  );

describe('the timeline', () => {
  it('tells attempts, waits and what goes on, in the order of the history', async () => {
    const id = await asleep();
    const { body, headers } = await ask('GET', `/workflows/${id}/timeline`, undefined, 'viewer');
    expect(told(body.rows)).toEqual([
      'control start',
      'attempt reserve 1 rejected',
      'wait reserve backoff 2',
      'attempt reserve 2 unknown',
      'wait reserve backoff 3',
      'attempt reserve 3 succeeded',
      'switch route succeeded',
      'sleep nap open',
    ]);
    const [, first, wait, second] = body.rows;
    expect(first).toMatchObject({ statusCode: 503, phase: 'UP', visit: 1, round: 1, callId: String(first.seq) });
    expect(wait).toMatchObject({ from: first.to, to: second.from, seq: second.seq });
    expect(body.rows[6]).toMatchObject({ target: 'nap', note: 'Took gift to nap.' });
    expect(body.rows[7]).toMatchObject({ deadline: expect.any(String) });
    expect(JSON.stringify(body)).not.toContain('responseBody');
    expect(headers['x-event-position']).toBe(body.position);
    expect(body.position.length).toBeLessThanOrEqual(64);
    expect(body.nodes).toEqual([
      {
        nodeId: 'reserve',
        kind: 'task',
        visits: 1,
        attempts: 3,
        outcome: 'succeeded',
        undo: { order: 1, state: 'PLANNED' },
      },
      { nodeId: 'route', kind: 'switch', visits: 1, attempts: 0, outcome: 'succeeded' },
      { nodeId: 'nap', kind: 'sleep', visits: 1, attempts: 0, state: 'SLEEPING' },
    ]);
  });

  it('has the ETag of the status document, and answers 304', async () => {
    const id = await asleep();
    const { etag } = (await ask('GET', `/workflows/${id}`)).headers as { etag: string };
    const whole = await ask('GET', `/workflows/${id}/timeline`);
    expect(whole.headers['etag']).toBe(etag);
    const answer = await api.server.inject({
      url: `/workflows/${id}/timeline`,
      headers: { 'x-api-key': apiKeyOf('ops'), 'if-none-match': etag },
    });
    expect([answer.statusCode, answer.body, answer.headers['x-event-position']]).toEqual([
      304,
      '',
      whole.body.position,
    ]);
  });

  it('tells who changed the run, rounds, and what is undone', async () => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/cancel`, { reason: 'wrong tenant' });
    await api.drive(id, () => response(422));
    const { body } = await ask('GET', `/workflows/${id}/timeline`);
    expect(told(body.rows.slice(-3))).toEqual([
      'switch route succeeded',
      'control cancel',
      'compensation reserve 1 rejected',
    ]);
    expect(body.rows.find((row: AnswerBody) => row.action === 'cancel')).toMatchObject({
      actor: 'key:ops',
      reason: 'wrong tenant',
      round: 1,
    });
    expect(body.nodes[0]).toMatchObject({ undo: { order: 1, state: 'FAILED' } });
    const resolution = { nodeId: 'reserve', phase: 'DOWN', outcome: 'succeeded', reason: 'by phone' };
    await ask('POST', `/workflows/${id}/resolve`, resolution, 'admin');
    await ask('POST', `/workflows/${id}/retry`, { reason: 'again' });
    await api.drive(id, () => response(200));
    const after = (await ask('GET', `/workflows/${id}/timeline`)).body;
    const controls = after.rows.filter(({ kind }: AnswerBody) => kind === 'control');
    expect(controls.map(({ action, actor, reason }: AnswerBody) => [action, actor, reason])).toEqual([
      ['start', undefined, undefined],
      ['cancel', 'key:ops', 'wrong tenant'],
      ['resolve', 'key:admin', 'by phone'],
      ['retry', 'key:ops', 'again'],
    ]);
    expect(after.rows.at(-1)).toMatchObject({ kind: 'sleep', round: 2 });
    expect(after.nodes[0]).toMatchObject({ visits: 2, attempts: 4, outcome: 'succeeded' });
  });

  it.each(['asc', 'desc'])('is the same in pages, %s', async (way) => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/cancel`, { reason: 'no' });
    await api.drive(id, () => response(422));
    await ask('POST', `/workflows/${id}/retry`);
    await api.drive(id, () => response(503));
    const whole = (await ask('GET', `/workflows/${id}/timeline?order=${way}`)).body;
    for (const limit of [1, 2, 3, 5]) {
      const rows: AnswerBody[] = [];
      let cursor: string | undefined = '';
      for (let pages = 0; cursor !== undefined; pages++) {
        const page = await ask('GET', `/workflows/${id}/timeline?order=${way}&limit=${String(limit)}&cursor=${cursor}`);
        expect(Object.hasOwn(page.body, 'nodes')).toBe(pages === 0);
        if (pages === 0) expect(page.body.nodes).toEqual(whole.nodes);
        rows.push(...page.body.rows);
        cursor = page.headers['x-next-cursor'] as string | undefined;
        expect(pages).toBeLessThan(30);
      }
      expect(rows).toEqual(whole.rows);
    }
    const other = way === 'asc' ? 'desc' : 'asc';
    const { headers } = await ask('GET', `/workflows/${id}/timeline?order=${way}&limit=1`);
    const wrong = await ask(
      'GET',
      `/workflows/${id}/timeline?order=${other}&cursor=${String(headers['x-next-cursor'])}`,
    );
    expect([wrong.status, wrong.body.code]).toEqual([400, 'invalid_cursor']);
  });

  it('tells of waits under way what they wait for', async () => {
    const { id } = (await ask('POST', '/workflows/run', { definition: order })).body;
    await api.drive(id, () => response(503));
    const { body } = await ask('GET', `/workflows/${id}/timeline`);
    expect(body.rows.at(-1)).toMatchObject({
      kind: 'wait',
      nodeId: 'reserve',
      phase: 'UP',
      wait: { for: 'backoff', host: 'shop.example:80', retriesLeft: 1 },
      deadline: expect.any(String),
    });
    expect(body.rows.at(-1)).not.toHaveProperty('to');
  });

  it('is not there for an unknown run, or one of others', async () => {
    const id = await asleep();
    expect((await ask('GET', `/workflows/${unknownId}/timeline`)).status).toBe(404);
    expect((await ask('GET', `/workflows/${id}/timeline`, undefined, 'elsewhere')).status).toBe(404);
  });
});

describe('one attempt', () => {
  it('is told whole, with the rule that judged it', async () => {
    const id = await asleep();
    const { rows } = (await ask('GET', `/workflows/${id}/timeline`)).body;
    const calls = rows.filter(({ callId }: AnswerBody) => callId !== undefined);
    const details: AnswerBody[] = [];
    for (const { callId } of calls) {
      const answer = await ask('GET', `/workflows/${id}/steps/calls/${String(callId)}`, undefined, 'viewer');
      expect(answer.status).toBe(200);
      details.push(answer.body);
    }
    const listed = (await ask('GET', `/workflows/${id}/steps/calls`)).body;
    expect(details.map(({ rule: _rule, ...rest }) => rest)).toEqual(listed);
    expect(details.map(({ rule }) => rule)).toEqual([
      {
        code: 'rejected_status',
        text: '503 is neither among the codes of success nor among those of unknown outcome, so it had no effect. It was repeated.',
        source: 'default',
      },
      {
        code: 'unknown_listed',
        text: '418 is among the codes of unknown outcome. It was repeated.',
        list: [418, 504],
        source: 'action',
      },
      { code: 'success_2xx', text: '200 is between 200 and 299.', source: 'default' },
    ]);
  });

  it.each(['0', '999', 'abc', '-1', '1e3'])('is not there: %s', async (callId) => {
    const id = await asleep();
    const answer = await ask('GET', `/workflows/${id}/steps/calls/${callId}`);
    expect([answer.status, answer.body.code]).toEqual([404, 'unknown_call']);
  });
});

describe('the audit log of one run', () => {
  it('shows addresses to administrators alone', async () => {
    const id = await asleep();
    await ask('POST', `/workflows/${id}/wake`);
    const asViewer = (await ask('GET', `/workflows/${id}/audit`, undefined, 'viewer')).body;
    const asAdmin = (await ask('GET', `/workflows/${id}/audit`, undefined, 'admin')).body;
    expect(asViewer).toMatchObject([{ action: 'execution.wake', actor: 'key:ops' }]);
    expect(asViewer[0]).not.toHaveProperty('address');
    expect(asAdmin[0]).toMatchObject({ ...asViewer[0], address: '127.0.0.1' });
  });
});
