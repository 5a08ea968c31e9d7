import { expect, it } from 'vitest';
import { ApiFixture, response } from '../../../test/api-fixture.ts';

it('lists one row per visit and phase, also of a request that was accepted twice', async () => {
  const request = { url: 'http://shop.example/ask', verb: 'POST' };
  const definition = {
    name: 'approval',
    version: '1',
    failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 0 },
    entrypoint: 'ask',
    nodes: [{ kind: 'task', id: 'ask', action: { mode: 'async', request, callback: { timeoutMillis: 1000 } } }],
  };
  const api = await new ApiFixture().open();
  try {
    const id = await api.run(definition);
    for (let i = 0; i < 3; i++) {
      await api.drive(id, () => response(202));
      api.now += 1001;
    }
    const attempts = await api.server.inject(`/workflows/${id}/steps/calls`);
    expect(attempts.json()).toHaveLength(2);
    const phases = (await api.server.inject(`/workflows/${id}/steps`)).json<{ phase: string; outcome: string }[]>();
    expect(phases.map(({ phase, outcome }) => `${phase} ${outcome}`)).toEqual(['UP succeeded', 'CALLBACK unknown']);
    const { body } = await api.server.inject(`/workflows/${id}/events`);
    expect(body.match(/"phase":"UP"/g)).toHaveLength(1);
  } finally {
    await api.close();
  }
});
