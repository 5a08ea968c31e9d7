/** How often a request that waits or follows reads the store. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';
import type { AppStore } from '../../app/context.ts';

const definition = {
  name: 'order',
  version: '1',
  steps: ['reserve', 'pay', 'ship'].map((name) => ({ name, up: { url: `http://shop.example/${name}`, verb: 'POST' } })),
};

let api: ApiFixture;
let reads: string[];
beforeEach(async () => {
  api = await new ApiFixture().open();
  reads = readsOf(api);
});
afterEach(() => api.close());

/** Lists what use cases read from the store from now on. */
function readsOf({ app, store }: ApiFixture): string[] {
  const seen: string[] = [];
  const watched = new Proxy<AppStore>(store, {
    get: (_, name: keyof AppStore) => {
      const method = store[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (/^(?:get|list|read)/.test(name)) seen.push(name);
        return method.apply(store, args);
      };
    },
  });
  Object.assign(app, { store: watched });
  return seen;
}

const atTheEnd = ['getExecution', 'readOutputs'];

/** Drives an execution a little later, so that its run waits by then. */
function driveLater(): void {
  api.onSubmitted = (id) => {
    setTimeout(() => void api.drive(id, () => response(200, { done: true })), 20);
    return Promise.resolve();
  };
}

const run = (millis: number, headers: Record<string, string> = {}) =>
  api.server.inject({
    method: 'POST',
    url: `/workflows/run?waitMillis=${String(millis)}`,
    payload: { definition },
    headers,
  });

describe('a run that waits', () => {
  it('reads the execution once, at the end', async () => {
    driveLater();
    expect((await run(10_000)).json()).toMatchObject({ status: 'SUCCEEDED', result: { done: true } });
    expect(reads).toEqual(atTheEnd);
  });

  it('hears of an end that comes before its own start is answered', async () => {
    api.onSubmitted = (id) => api.drive(id, () => response(200, { done: true }));
    expect((await run(10_000)).json()).toMatchObject({ status: 'SUCCEEDED', result: { done: true } });
    expect(reads).toEqual(atTheEnd);
  });

  it('reads the execution once for a caller that is limited to some definitions, too', async () => {
    await api.close();
    const authenticator = authenticatorOf({ shop: { roles: ['author'], definitions: ['order*'] } });
    api = await new ApiFixture({ authenticator }).open();
    reads = readsOf(api);
    driveLater();
    const answer = await run(10_000, { 'x-api-key': apiKeyOf('shop') });
    expect(answer.json()).toMatchObject({ status: 'SUCCEEDED', result: { done: true } });
    expect(reads).toEqual(atTheEnd);
  });

  it('looks into the store after a silence, since another process may run the execution', async () => {
    api.isElsewhere = true;
    driveLater();
    const began = performance.now();
    expect((await run(60_000)).json()).toMatchObject({ status: 'SUCCEEDED', result: { done: true } });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(reads).toEqual(['getProgress', 'getExecution', 'readOutputs']);
  });

  it('looks into the store after a silence, although this process began the execution', async () => {
    api.onSubmitted = (id) => {
      setTimeout(() => {
        let answered = 0;
        const answer = () => {
          // From here on, another process has the execution.
          api.isElsewhere = ++answered > 1;
          return response(200, { done: answered });
        };
        void api.drive(id, answer);
      }, 20);
      return Promise.resolve();
    };
    expect((await run(60_000)).json()).toMatchObject({ status: 'SUCCEEDED' });
    expect(reads).toEqual(['getProgress', 'getExecution', 'readOutputs']);
  });

  it('reads once when the time is up', async () => {
    expect((await run(20)).json()).toMatchObject({ status: 'IN_PROGRESS' });
    expect(reads).toEqual(['getExecution']);
  });

  it('does not wait for an earlier start that is over', async () => {
    driveLater();
    const key = { 'idempotency-key': 'k' };
    const first = await run(10_000, key);
    reads.length = 0;
    const second = await run(60_000, key);
    expect(second.json()).toEqual(first.json());
    expect(reads).toEqual(['getProgress', 'getExecution', 'readOutputs']);
  });

  it('waits for an earlier start that runs', async () => {
    const key = { 'idempotency-key': 'k' };
    const [id] = [(await run(0, key)).json().id];
    reads.length = 0;
    setTimeout(() => void api.drive(id, () => response(200, { done: true })), 20);
    expect((await run(10_000, key)).json()).toMatchObject({ id, status: 'SUCCEEDED' });
    expect(reads).toEqual(['getProgress', ...atTheEnd]);
  });
});

describe('an event stream', () => {
  const stream = (id: string) => api.server.inject(`/workflows/${id}/events`);
  const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis));

  it('reads the rows of each checkpoint, and the execution only where its status changes', async () => {
    const id = await api.run(definition);
    reads.length = 0;
    const streamed = stream(id);
    await pause(20);
    expect(reads).toEqual(['getProgress']);
    const steps = new Set<string>();
    await api.drive(id, ({ nodeId }) => {
      steps.add(nodeId);
      return response(200);
    });
    const { body } = await streamed;
    expect(body.match(/^event: step$/gm)).toHaveLength(steps.size);
    expect(body).toContain('"status":"SUCCEEDED"');
    // Checkpoints that follow one another at once are read together.
    expect(reads.filter((read) => read === 'getProgress')).toHaveLength(2);
    expect(reads.filter((read) => read === 'listSteps').length).toBeLessThanOrEqual(steps.size);
  });

  it('reads an execution that is over once', async () => {
    const id = await api.run(definition);
    await api.drive(id);
    reads.length = 0;
    await stream(id);
    expect(reads).toEqual(['getProgress', 'listSteps']);
  });

  it('follows what another process runs', async () => {
    const id = await api.run(definition);
    api.isElsewhere = true;
    const streamed = stream(id);
    await pause(20);
    await api.drive(id);
    const { body } = await streamed;
    expect(body.match(/^event: step$/gm)).toHaveLength(3);
    expect(body).toContain('"status":"SUCCEEDED"');
  });
});
