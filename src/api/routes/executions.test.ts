import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listSteps } from '../../app/queries/history.ts';
import { type AnswerBody, ApiFixture, response, secretValue } from '../../../test/api-fixture.ts';

const call = (name: string, changes: object = {}) => ({ url: `http://shop.example/${name}`, verb: 'POST', ...changes });
const step = (name: string, changes: object = {}) => ({
  name,
  up: call(name),
  down: call(`${name}-undo`, { body: { of: '{{nodes.reserve.response.body.id}}' } }),
  failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  ...changes,
});
const definition = {
  name: 'order',
  version: '1',
  compensationHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  steps: [step('reserve'), step('pay'), step('ship')],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const get = async (
  url: string,
): Promise<{ status: number; body: AnswerBody; headers: Record<string, string | undefined> }> => {
  const answer = await api.server.inject(url);
  return {
    status: answer.statusCode,
    body: answer.json(),
    headers: answer.headers as Record<string, string | undefined>,
  };
};

/** Runs the order. The named calls (`pay UP`) get these statuses, all others 200. */
async function runOrder(answers: Record<string, number> = {}, fields: object = {}): Promise<string> {
  const id = await api.run(definition, fields);
  await api.drive(id, ({ nodeId, phase }) => response(answers[`${nodeId} ${phase}`] ?? 200, { id: nodeId }));
  return id;
}

describe('GET /workflows/{id}', () => {
  it('shows a run that went well', async () => {
    const id = await runOrder({}, { payload: { a: 1 }, labels: { team: 'x' } });
    const { body } = await get(`/workflows/${id.toUpperCase()}`);
    expect(body).toEqual({
      id,
      why: { headline: 'It succeeded.', detail: '' },
      name: 'order',
      version: '1',
      definitionHash: expect.stringMatching(/^[\da-f]{64}$/),
      status: 'SUCCEEDED',
      round: 1,
      startedAt: '2030-01-01T00:00:00.000Z',
      updatedAt: '2030-01-01T00:00:00.000Z',
      completedAt: '2030-01-01T00:00:00.000Z',
      durationMillis: 0,
      retryable: false,
      currentNodes: [],
      compensations: [],
      standing: [],
      payload: { a: 1 },
      labels: { team: 'x' },
      result: { id: 'ship' },
    });
  });

  it('shows what was compensated', async () => {
    const id = await runOrder({ 'ship UP': 500 });
    const { body } = await get(`/workflows/${id}`);
    expect(body).toMatchObject({
      status: 'FAILED',
      reason: 'status_5xx',
      failedNodeId: 'ship',
      retryable: true,
      standing: [],
    });
    expect(body.compensations).toEqual([
      { nodeId: 'reserve', visit: 1, state: 'DONE', attempts: 1, statusCode: 200 },
      { nodeId: 'pay', visit: 1, state: 'DONE', attempts: 1, statusCode: 200 },
    ]);
  });

  it('shows what stands', async () => {
    const id = await runOrder({ 'ship UP': 500, 'pay DOWN': 500 });
    const { body } = await get(`/workflows/${id}`);
    expect(body.status).toBe('CORRUPTED');
    expect(body.compensations).toEqual([
      { nodeId: 'reserve', visit: 1, state: 'DONE', attempts: 1, statusCode: 200 },
      expect.objectContaining({
        nodeId: 'pay',
        state: 'FAILED',
        attempts: 1,
        statusCode: 500,
        error: expect.any(String),
      }),
    ]);
    expect(body.standing).toEqual([{ nodeId: 'pay', visit: 1, round: 1, outcome: 'succeeded' }]);
  });

  it('are cut where the configuration says, and marked', async () => {
    const id = await api.run(definition);
    await api.drive(id, () => response(200, 'ab😀d'));
    const history = await listSteps({ ...api.app, maxHistoryBody: 3 }, id, { page: { limit: 1, order: 'asc' } });
    expect(history).toMatchObject({
      ok: true,
      value: { items: [{ responseBody: 'ab', responseBodyTruncated: true }] },
    });
  });

  it('are masked before they are cut', async () => {
    const id = await api.run(definition);
    const half = secretValue.slice(0, 10);
    await api.drive(id, () => response(200, `${'x'.repeat(65_536 - half.length)}${secretValue}`));
    const { status, body } = await get(`/workflows/${id}/steps`);
    expect([status, JSON.stringify(body).includes('***')]).toEqual([200, true]);
    expect(JSON.stringify(body)).not.toContain(half);
  });

  it('masks secrets wherever they come from', async () => {
    const id = await api.run(definition, { payload: { echoed: secretValue }, labels: { k: secretValue } });
    await api.drive(id, () => response(200, { [secretValue]: `a ${secretValue} b` }));
    for (const path of ['', '/steps', '/steps/calls']) {
      const answer = await api.server.inject(`/workflows/${id}${path}`);
      expect(answer.statusCode).toBe(200);
      expect(answer.body).not.toContain(secretValue);
    }
    expect((await api.server.inject('/workflows')).body).not.toContain(secretValue);
  });

  it('knows no other', async () => {
    expect(await get('/workflows/00000000-0000-7000-8000-000000000000')).toMatchObject({
      status: 404,
      body: { code: 'unknown_execution' },
    });
  });
});

describe('GET /workflows', () => {
  it('pages through, newest first', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) ids.add(await api.run(definition));
    const seen: string[] = [];
    let url: string | undefined = '/workflows?limit=2';
    let pages = 0;
    while (url !== undefined) {
      const { body, headers } = await get(url);
      seen.push(...body.map(({ id }: { id: string }) => id));
      const cursor = headers['x-next-cursor'];
      url = cursor === undefined ? undefined : `/workflows?limit=2&cursor=${encodeURIComponent(cursor)}`;
      pages++;
    }
    expect(pages).toBe(3);
    expect(new Set(seen)).toEqual(ids);
    expect(seen).toEqual([...seen].sort().reverse());
  });

  it('filters', async () => {
    const good = await runOrder({}, { labels: { team: 'a', tier: 'x:y' } });
    const bad = await runOrder({ 'pay UP': 500, 'reserve DOWN': 500 });
    const ids = async (query: string): Promise<string[]> =>
      (await get(`/workflows?${query}`)).body.map(({ id }: { id: string }) => id);
    expect(await ids('status=SUCCEEDED')).toEqual([good]);
    expect(new Set(await ids('status=SUCCEEDED&status=CORRUPTED'))).toEqual(new Set([good, bad]));
    expect(await ids('label=team:a&label=tier:x:y')).toEqual([good]);
    const scoped = await runOrder({}, { labels: { 'app:tier': 'x:y', 'a\\': 'b:c', 'a\\:b': '\\' } });
    for (const label of ['app\\:tier:x:y', 'a\\:b:c', 'a\\\\:b:c', 'a\\\\\\:b:\\'])
      expect(await ids(`label=${encodeURIComponent(label)}`)).toEqual(label === 'a\\:b:c' ? [] : [scoped]);
    expect(await ids('label=app:tier:x:y')).toEqual([]);
    expect(await ids('label=team:a&label=tier:z')).toEqual([]);
    expect(await ids('label=tier:z&label=tier:x:y')).toEqual([]);
    expect(await ids('label=team:a&label=team:a')).toEqual(await ids('label=team:a'));
    expect(await ids('standing=true')).toEqual([bad]);
    expect(await ids('failedNodeId=pay')).toEqual([bad]);
    expect(await ids('startedAfter=2030-01-01T00:00:00%2B00:00&name=order&version=1&limit=1000')).toHaveLength(3);
    expect(await ids('startedBefore=2030-01-01T00:00:00Z')).toEqual([]);
    expect(await ids('limit=-4&offset=1')).toHaveLength(1);
    for (const label of ['team', ':a', 'app\\:tier']) {
      const { status, body } = await get(`/workflows?label=${encodeURIComponent(label)}`);
      expect([status, body.errors]).toEqual([
        400,
        ['label: Must be of the form name:value, where a colon within the name is written \\:.'],
      ]);
    }
  });

  it('shows no payload', async () => {
    await api.run(definition, { payload: { a: 1 }, labels: { k: 'v' } });
    const { body } = await get('/workflows');
    expect(body[0]).toMatchObject({ status: 'IN_PROGRESS', labels: { k: 'v' } });
    expect(body[0]).not.toHaveProperty('payload');
  });
});

describe('the history', () => {
  it('has a row per visit and phase, and a row per attempt', async () => {
    const id = await runOrder({ 'ship UP': 500 });
    const steps = await get(`/workflows/${id}/steps`);
    expect(steps.body.map((row: AnswerBody) => [row.stepName, row.phase, row.outcome, row.success])).toEqual([
      ['reserve', 'UP', 'succeeded', true],
      ['pay', 'UP', 'succeeded', true],
      ['ship', 'UP', 'rejected', false],
      ['pay', 'DOWN', 'succeeded', true],
      ['reserve', 'DOWN', 'succeeded', true],
    ]);
    expect(steps.body[0]).toMatchObject({
      stepIndex: 0,
      visit: 1,
      round: 1,
      attempt: 1,
      responseBody: { id: 'reserve' },
    });
    const calls = await get(`/workflows/${id}/steps/calls?limit=2`);
    expect(calls.body).toHaveLength(2);
    expect(calls.body[0]).toMatchObject({
      requestUrl: 'http://shop.example/reserve/UP',
      requestVerb: 'POST',
      latencyMs: 3,
    });
    const next = await get(
      `/workflows/${id}/steps/calls?limit=2&cursor=${encodeURIComponent(String(calls.headers['x-next-cursor']))}`,
    );
    expect(next.body.map((row: AnswerBody) => row.stepName)).toEqual(['ship', 'pay']);
    const last = await get(`/workflows/${id}/steps?order=desc&limit=1`);
    expect(last.body[0].stepName).toBe('reserve');
  });

  it('is empty before anything happened, and 404 for an unknown execution', async () => {
    const id = await api.run(definition);
    expect((await get(`/workflows/${id}/steps`)).body).toEqual([]);
    expect((await get('/workflows/00000000-0000-7000-8000-000000000000/steps')).status).toBe(404);
  });

  it('gives the definition as it was submitted', async () => {
    const id = await api.run(definition);
    expect((await get(`/workflows/${id}/definition`)).body).toEqual(definition);
  });
});

describe('previews', () => {
  it('renders what a cancel would compensate, in order', async () => {
    const id = await api.run({
      ...definition,
      steps: [
        step('reserve'),
        step('pay', { down: call('pay-undo', { headers: { Authorization: 'Bearer {{secrets.KEY}}' } }) }),
        step('ship'),
      ],
    });
    await api.drive(id, ({ nodeId }) =>
      nodeId === 'ship'
        ? { kind: 'response', response: { status: 429, headers: {}, body: null } }
        : response(200, { id: 7 }),
    );
    const running = await api.run({
      ...definition,
      steps: [
        step('reserve'),
        step('pay'),
        { name: 'wait', up: call('wait'), failureHandling: { type: 'retry', maxAttempts: 5, delayMillis: 60_000 } },
      ],
    });
    await api.drive(running, ({ nodeId }) => (nodeId === 'wait' ? response(500) : response(200, { id: 7 })));
    const { status, body } = await get(`/workflows/${running}/cancel-preview`);
    expect(status).toBe(200);
    expect(body).toEqual([
      expect.objectContaining({
        nodeId: 'pay',
        visit: 1,
        verb: 'POST',
        url: 'http://shop.example/pay-undo',
        body: '{"of":7}',
      }),
      expect.objectContaining({ nodeId: 'reserve', url: 'http://shop.example/reserve-undo', body: '{"of":7}' }),
    ]);
    expect(body[0].headers).toMatchObject({
      'trama-execution-id': running,
      'trama-compensates': expect.stringContaining(':pay:1:UP'),
    });
    // Nothing has changed.
    expect((await get(`/workflows/${running}`)).body.currentNodes).toMatchObject([
      { nodeId: 'wait', state: 'BACKOFF' },
    ]);
    expect((await get(`/workflows/${id}/cancel-preview`)).status).toBe(409);
  });

  it('redacts secrets and credentials', async () => {
    const undo = call('undo?key={{secrets.KEY}}', {
      headers: { Authorization: 'Bearer {{secrets.KEY}}', 'X-Token': '{{secrets.KEY}}' },
    });
    const id = await api.run({
      ...definition,
      steps: [
        step('reserve', { down: undo }),
        step('pay', { down: call('refund', { auth: { type: 'bearer', secret: 'KEY' } }) }),
        { name: 'wait', up: call('wait'), failureHandling: { type: 'retry', maxAttempts: 5, delayMillis: 60_000 } },
      ],
    });
    await api.drive(id, ({ nodeId }) => response(nodeId === 'wait' ? 500 : 200));
    const { body } = await get(`/workflows/${id}/cancel-preview`);
    expect(body[0].headers).toMatchObject({ authorization: '***' });
    expect(body[1].url).toBe('http://shop.example/undo?key=***');
    expect(body[1].headers).toMatchObject({ Authorization: '***', 'X-Token': '***' });
  });

  it('shows what a retry would find standing, or what it would compensate', async () => {
    const corrupted = await runOrder({ 'ship UP': 500, 'pay DOWN': 500 });
    expect((await get(`/workflows/${corrupted}/retry-preview`)).body).toEqual([
      expect.objectContaining({ nodeId: 'pay', url: 'http://shop.example/pay-undo' }),
    ]);
    const standing = await api.run({
      ...definition,
      steps: [{ name: 'log', up: call('log') }, step('ship', { down: call('recall') })],
    });
    await api.drive(standing, ({ nodeId }) => response(nodeId === 'ship' ? 500 : 200));
    expect((await get(`/workflows/${standing}/retry-preview`)).body).toEqual([
      {
        nodeId: 'log',
        visit: 1,
        verb: 'POST',
        url: 'http://shop.example/log/UP',
        headers: { 'idempotency-key': 'k' },
        body: '{}',
        stands: true,
      },
    ]);
    expect((await get(`/workflows/${await runOrder()}/retry-preview`)).status).toBe(409);
  });
});
