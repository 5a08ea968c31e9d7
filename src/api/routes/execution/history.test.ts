import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../../test/api-fixture.ts';

const retries = { type: 'retry', maxAttempts: 2, delayMillis: 1 };
const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };
const call = (path: string): object => ({ url: `http://shop.example/${path}`, verb: 'POST', body: { big: 'x' } });
const order = {
  name: 'order',
  version: '1',
  failureHandling: retries,
  compensationHandling: once,
  steps: [
    { name: 'reserve', up: call('reserve'), down: call('release') },
    { name: 'pay', up: call('pay'), failureHandling: once },
  ],
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

async function ask(url: string): Promise<{ status: number; body: AnswerBody; cursor: string | undefined }> {
  const answer = await api.server.inject({ url, headers: { host: 'localhost' } });
  return {
    status: answer.statusCode,
    body: answer.json(),
    cursor: answer.headers['x-next-cursor'] as string | undefined,
  };
}

/** Two rounds: `reserve` fails twice and succeeds at last, `pay` is refused, `reserve` is undone. */
async function twoRounds(): Promise<string> {
  const id = await api.run(order, { payload: { order: 'o-1' } });
  for (const round of [1, 2]) {
    if (round === 2) await api.server.inject({ method: 'POST', url: `/workflows/${id}/retry`, payload: {} });
    for (const status of [503, 504, 200]) {
      await api.drive(id, ({ nodeId, phase }) =>
        response(nodeId === 'pay' && phase === 'UP' ? 422 : status, { answer: 1 }),
      );
      api.now += 10;
    }
  }
  return id;
}

const told = (rows: AnswerBody): string[] =>
  rows.map((row: AnswerBody) => `${row.round} ${row.stepName} ${row.phase} ${row.attempt} ${row.outcome}`);

describe('the history', () => {
  it('is filtered by node, phase, outcome, visit and round', async () => {
    const id = await twoRounds();
    const steps = async (query: string): Promise<string[]> => told((await ask(`/workflows/${id}/steps?${query}`)).body);
    const calls = async (query: string): Promise<string[]> =>
      told((await ask(`/workflows/${id}/steps/calls?${query}`)).body);
    expect(await steps('nodeId=pay&round=2')).toEqual(['2 pay UP 1 rejected']);
    expect(await steps('phase=DOWN&phase=SWITCH')).toEqual([
      '1 reserve DOWN 1 succeeded',
      '2 reserve DOWN 1 succeeded',
    ]);
    expect(await steps('nodeId=nothing')).toEqual([]);
    expect(await steps('visit=2')).toEqual([]);
    expect(await calls('nodeId=reserve&phase=UP&round=1')).toEqual([
      '1 reserve UP 1 rejected',
      '1 reserve UP 2 unknown',
      '1 reserve UP 3 succeeded',
    ]);
    expect(await calls('outcome=unknown&outcome=rejected&round=2')).toEqual([
      '2 reserve UP 1 rejected',
      '2 reserve UP 2 unknown',
      '2 pay UP 1 rejected',
    ]);
    expect(await calls('nodeId=pay&nodeId=reserve&visit=1&outcome=succeeded&order=desc')).toEqual([
      '2 reserve DOWN 1 succeeded',
      '2 reserve UP 3 succeeded',
      '1 reserve DOWN 1 succeeded',
      '1 reserve UP 3 succeeded',
    ]);
  });

  it('pages through what matches, and refuses a cursor of another filter or order', async () => {
    const id = await twoRounds();
    for (const order of ['asc', 'desc']) {
      const whole = (await ask(`/workflows/${id}/steps/calls?nodeId=reserve&order=${order}`)).body;
      const seen: string[] = [];
      let cursor: string | undefined = '';
      while (cursor !== undefined) {
        const page = await ask(`/workflows/${id}/steps/calls?nodeId=reserve&order=${order}&limit=3&cursor=${cursor}`);
        expect(page.body.length).toBeLessThanOrEqual(3);
        seen.push(...page.body.map((row: AnswerBody) => row.id));
        // Bodies are no part of a cursor.
        const without = await ask(
          `/workflows/${id}/steps/calls?nodeId=reserve&order=${order}&limit=3&cursor=${cursor}&bodies=none`,
        );
        expect(without.body).toHaveLength(page.body.length);
        ({ cursor } = page);
      }
      expect(seen).toEqual(whole.map((row: AnswerBody) => row.id));
    }
    const { cursor } = await ask(`/workflows/${id}/steps/calls?nodeId=reserve&limit=1`);
    for (const query of ['', 'nodeId=pay&', 'nodeId=reserve&order=desc&', 'nodeId=reserve&visit=1&']) {
      const answer = await ask(`/workflows/${id}/steps/calls?${query}limit=1&cursor=${cursor ?? ''}`);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_cursor']);
    }
  });

  it('leaves bodies out where that is asked for, and keeps headers', async () => {
    const id = await twoRounds();
    const [row] = (await ask(`/workflows/${id}/steps?nodeId=reserve`)).body;
    expect(row).toHaveProperty('responseBody', { answer: 1 });
    const [bare] = (await ask(`/workflows/${id}/steps?nodeId=reserve&bodies=none`)).body;
    const { responseBody: _body, ...rest } = row;
    expect(bare).toEqual(rest);
    const [call1] = (await ask(`/workflows/${id}/steps/calls?bodies=none`)).body;
    expect(call1).not.toHaveProperty('responseBody');
    expect(call1.callId).toMatch(/^\d+$/);
    const refused = await ask(`/workflows/${id}/steps?bodies=all`);
    expect([refused.status, refused.body.errors[0]]).toEqual([400, expect.stringMatching(/^bodies: /)]);
  });

  it('says how large payload and result are in their place', async () => {
    const id = await api.run({ ...order, steps: [{ name: 'a', up: call('a') }] }, { payload: { order: 'ö' } });
    await api.drive(id, () => response(200, { done: true }));
    const { body } = await ask(`/workflows/${id}?bodies=none`);
    expect(body).toMatchObject({ payloadBytes: '{"order":"ö"}'.length + 1, resultBytes: 13 });
    expect(body).not.toHaveProperty('payload');
    expect(body).not.toHaveProperty('result');
    expect((await ask(`/workflows/${id}?bodies=some`)).status).toBe(400);
  });
});
