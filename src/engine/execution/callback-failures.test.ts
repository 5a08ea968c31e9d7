import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';

/** A task whose callback decides; retries what `failureHandling` allows. */
function asking(callback: JsonObject, more: JsonObject = {}): JsonObject {
  return task('a', { action: { mode: 'async', callback: { timeoutMillis: 60_000, ...callback } }, ...more });
}

const saidNo = { failureWhen: { '==': [{ var: 'callback.body.state' }, 'no'] } };
const retryOnce = {
  failureHandling: {
    type: 'retry',
    maxAttempts: 1,
    delayMillis: 10,
    retryOn: { errors: ['callback_failure', 'timeout'] },
  },
};

describe('a callback that says failure', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine();
  });
  afterEach(() => fixture.close());

  async function callBack(id: string, body: JsonObject): Promise<void> {
    await fixture.until(id, 'WAITING_CALLBACK');
    expect(await fixture.offer(engine, id, await fixture.callbackOf(id, 'a', body), JSON.stringify(body))).toBe(
      'accepted',
    );
    await fixture.clock.advance(5);
  }

  const notes = async (id: string): Promise<(string | undefined)[]> =>
    (await fixture.store.listSteps(id, { limit: 100 })).items
      .filter(({ phase }) => phase === 'CALLBACK')
      .map(({ note }) => note);

  it('is in the history also when the node is called again, as another operation', async () => {
    const id = await fixture.submit(engine, graph([asking(saidNo, retryOnce)]));
    await callBack(id, { state: 'no' });
    await callBack(id, { state: 'yes' });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(await fixture.rows(id)).toEqual(['UP:a:succeeded', 'CALLBACK:a:rejected', 'CALLBACK:a:succeeded']);
    expect((await notes(id))[0]).toBe('The callback said failure.');
    expect(fixture.http.keys()).toEqual([`${id}:1:a:1:UP`, `${id}:1:a:1:UP.2`]);
  });

  it('makes the next call another operation also where the first one had the key of an earlier round', async () => {
    const nodes = [
      asking(saidNo, { ...retryOnce, compensation: false, next: 'b' }),
      task('b', { compensation: false }),
    ];
    fixture.http.reply = (path, _request, nth) => (path === 'b' && nth === 1 ? { status: 400 } : {});
    const id = await fixture.submit(engine, graph(nodes));
    await callBack(id, { state: 'yes' });
    expect((await fixture.until(id)).status).toBe('FAILED');
    await fixture.retry(engine, id);
    await callBack(id, { state: 'no' });
    await callBack(id, { state: 'yes' });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.keys()).toEqual([
      `${id}:1:a:1:UP`,
      `${id}:1:b:1:UP`,
      `${id}:1:a:1:UP`,
      `${id}:2:a:1:UP.2`,
      `${id}:2:b:1:UP`,
    ]);
  });

  it.each(['pendingWhen', 'failureWhen', 'successWhen'])('is one whose %s cannot be evaluated', async (name) => {
    const broken = { length: [{ var: 'callback.body.missing' }] };
    const id = await fixture.submit(engine, graph([asking({ [name]: broken })]));
    await callBack(id, {});
    expect((await fixture.until(id)).reason).toBe('callback_failure');
    expect(await notes(id)).toEqual([
      `The condition ${name} could not be evaluated: The operator "length" has nothing to measure.`,
    ]);
  });

  it('can be read where the failure is handled', async () => {
    const told = { url: 'http://mock/told', verb: 'POST', body: { why: '{{nodes.a.callback.body.why}}' } };
    const nodes = [
      asking(saidNo, { compensation: false, onFailure: 'tell' }),
      task('tell', { compensation: false, action: { request: told } }),
    ];
    const id = await fixture.submit(engine, graph(nodes));
    await callBack(id, { state: 'no', why: 'out of stock' });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls.at(-1)?.request.body).toBe('{"why":"out of stock"}');
  });
});

describe('the status of an execution that succeeded but for a branch', () => {
  it('is COMPENSATING while the compensation that failed is made again', async () => {
    const fixture = new RuntimeFixture();
    const engine = await fixture.engine();
    const definition = graph(
      [
        { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
        task('a', { next: 'bad' }),
        task('bad', { compensation: false }),
        task('b', { compensation: false }),
        { kind: 'join', id: 'j', onBranchFailure: 'continue' },
      ],
      { compensationHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 } },
    );
    fixture.http.reply = (path) => (path === 'bad' || path === 'undo-a' ? { status: 400 } : {});
    const id = await fixture.submit(engine, definition);
    expect((await fixture.until(id)).status).toBe('CORRUPTED');
    fixture.http.reply = () => 'hold';
    await fixture.retry(engine, id);
    await fixture.clock.advance(10);
    expect((await fixture.detail(id)).status).toBe('COMPENSATING');
    fixture.http.calls.at(-1)?.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    await fixture.close();
  });
});
