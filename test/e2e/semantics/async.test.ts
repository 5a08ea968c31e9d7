/** Async nodes: parking, callbacks in every order and kind, timeouts and operations. */
import { describe, expect, it } from 'vitest';
import { retries } from '../stage/definitions.ts';
import { attempts, openStage, rowNames } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;
const body = (name: string): object => ({ var: `callback.body.${name}` });

describe('an async node', () => {
  it.concurrent('parks, shows since when, and its callback is the response', async () => {
    const saga = stage.saga('parked');
    downstream.script('/parked/ask', { status: 202, body: { ticket: 7 } });
    const id = await stage.run(
      saga.graph([
        saga.asyncTask('ask', { next: 'use' }),
        saga.task(
          'use',
          {},
          { body: { ticket: '{{nodes.ask.accepted.body.ticket}}', said: '{{nodes.ask.response.body.n}}' } },
        ),
      ]),
    );
    const waiting = await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(waiting.currentNodes).toMatchObject([
      {
        nodeId: 'ask',
        visit: 1,
        state: 'WAITING_CALLBACK',
        attempt: 1,
        since: expect.any(String),
        until: expect.any(String),
      },
    ]);
    const { to } = await stage.callbackOf('/parked/ask');
    expect(await stage.ask('POST', to, '{"n":10.10}')).toMatchObject({ status: 202 });
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.calls('/parked/use')[0]!.body).toBe('{"ticket":7,"said":10.10}');
    expect(rowNames(await stage.steps(id))).toEqual(['ask UP', 'ask CALLBACK', 'use UP']);
  });

  it.concurrent('keeps a callback that comes before its request was answered', async () => {
    const saga = stage.saga('early');
    let status = 0;
    downstream.script('/early/ask', {
      meanwhile: async (request) => {
        status = await stage.callBack(JSON.parse(request.body).to, { n: 1 });
      },
    });
    expect(await stage.finish(saga.graph([saga.asyncTask('ask')]))).toMatchObject({
      status: 'SUCCEEDED',
      result: { n: 1 },
    });
    expect(status).toBe(202);
  });

  it.concurrent('ignores, and records, an early callback of a request that is rejected for good', async () => {
    const saga = stage.saga('early-rejected');
    downstream.script('/early-rejected/ask', {
      status: 400,
      meanwhile: (request) => stage.callBack(JSON.parse(request.body).to, { n: 1 }),
    });
    const document = await stage.finish(saga.graph([saga.asyncTask('ask')]));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'status_4xx', failedNodeId: 'ask' });
    const steps = await stage.steps(document.id);
    expect(rowNames(steps)).toContain('ask CALLBACK');
    expect(downstream.calls('/early-rejected/undo-ask')).toEqual([]);
  });

  it.concurrent('counts an early callback once a retry of the request was accepted', async () => {
    const saga = stage.saga('early-retried');
    downstream.script(
      '/early-retried/ask',
      { status: 500, meanwhile: (request) => stage.callBack(JSON.parse(request.body).to, { n: 1 }) },
      {},
    );
    const node = saga.asyncTask('ask', { failureHandling: retries(1) });
    expect(await stage.finish(saga.graph([node]))).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 } });
    const [first, second] = downstream.calls('/early-retried/ask');
    expect([second!.key, second!.body]).toEqual([first!.key, first!.body]);
  });

  it.concurrent('goes on waiting while a body is pending, which binds nothing', async () => {
    const saga = stage.saga('pending');
    const id = await stage.run(
      saga.graph([saga.asyncTask('ask', {}, { pendingWhen: { '==': [body('state'), 'busy'] } })]),
    );
    const before = await stage.untilStatus(id, 'WAITING_CALLBACK');
    const { to } = await stage.callbackOf('/pending/ask');
    const answers: number[] = [];
    for (const said of [{ state: 'busy' }, { state: 'busy' }, { state: 'busy', more: 1 }]) {
      answers.push(await stage.callBack(to, said));
    }
    expect(answers).toEqual([202, 202, 202]);
    const after = await stage.show(id);
    expect(after.status).toBe('WAITING_CALLBACK');
    expect(after.currentNodes[0].until).toBe(before.currentNodes[0].until);
    expect(await stage.callBack(to, { state: 'done' })).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', result: { state: 'done' } });
    expect(await stage.callBack(to, { state: 'done' })).toBe(200);
    expect(await stage.callBack(to, { state: 'busy' })).toBe(409);
    const rows = (await stage.steps(id)).filter(({ phase }) => phase === 'CALLBACK');
    expect(rows.map(({ outcome }) => outcome)).toContain('pending');
    expect(rows.at(-1)).toMatchObject({ outcome: 'succeeded' });
  });

  it.concurrent.each([
    ['failureWhen', { failureWhen: body('no') }, { no: true }, false],
    ['failureWhen', { failureWhen: body('no') }, {}, true],
    ['successWhen', { successWhen: body('yes') }, {}, false],
    ['successWhen', { successWhen: body('yes') }, { yes: true }, true],
    ['failureWhen before successWhen', { failureWhen: body('no'), successWhen: body('yes') }, { yes: 1, no: 1 }, false],
    ['a failureWhen that throws', { failureWhen: { '+': [{ var: 'callback.body' }] } }, { x: 1 }, false],
    ['a successWhen that throws', { successWhen: { '+': [{ var: 'callback.body' }] } }, { x: 1 }, false],
    ['a pendingWhen that throws', { pendingWhen: { '+': [{ var: 'callback.body' }] } }, { x: 1 }, false],
  ])('is judged by %s (%j) for %j: success %s', async (what, conditions, said, isSuccess) => {
    const saga = stage.saga(`judged-${what.replaceAll(' ', '-')}-${JSON.stringify(said).length}`);
    const id = await stage.run(saga.graph([saga.asyncTask('ask', { compensateWhen: 'attempted' }, conditions)]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    const { to } = await stage.callbackOf(`/${saga.name}/ask`);
    expect(await stage.callBack(to, said)).toBe(202);
    const document = await stage.untilEnd(id);
    if (isSuccess) expect(document.status).toBe('SUCCEEDED');
    else {
      // A firm no: rejected, so that only `attempted` compensates it.
      expect(document).toMatchObject({ status: 'FAILED', reason: 'callback_failure', failedNodeId: 'ask' });
      expect(
        (await stage.steps(id)).find(({ phase, success }) => phase === 'CALLBACK' && success === false),
      ).toMatchObject({
        outcome: 'rejected',
      });
    }
  });

  it.concurrent('calls again under a new key and token after a callback that said failure', async () => {
    const saga = stage.saga('operations');
    const node = saga.asyncTask(
      'ask',
      { failureHandling: retries(1, { retryOn: { errors: ['callback_failure'] } }) },
      { failureWhen: body('no') },
    );
    const id = await stage.run(saga.graph([node]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    const first = await stage.callbackOf('/operations/ask');
    expect(await stage.callBack(first.to, { no: true })).toBe(202);
    const second = await stage.callbackOf('/operations/ask', 2);
    expect(second.token).not.toBe(first.token);
    expect(downstream.calls('/operations/ask').map(({ key }) => key)).toEqual([
      `${id}:1:ask:1:UP`,
      `${id}:1:ask:1:UP.2`,
    ]);
    // The same body under the first token is answered alike; another is of an earlier operation.
    expect(await stage.callBack(first.to, { no: true })).toBe(200);
    expect(await stage.callBack(first.to, { no: false })).toBe(409);
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.callBack(second.to, {})).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it.concurrent('names the key of its latest operation to its compensation', async () => {
    const saga = stage.saga('latest');
    const node = saga.asyncTask(
      'ask',
      { next: 'stop', failureHandling: retries(1, { retryOn: { errors: ['callback_failure'] } }) },
      { failureWhen: body('no') },
    );
    const id = await stage.run(saga.graph([node, { kind: 'fail', id: 'stop', reason: 'enough' }]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    await stage.callBack((await stage.callbackOf('/latest/ask')).to, { no: true });
    await stage.callBack((await stage.callbackOf('/latest/ask', 2)).to, {});
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED' });
    expect(downstream.calls('/latest/undo-ask').map(({ headers }) => headers['trama-compensates'])).toEqual([
      `${id}:1:ask:1:UP.2`,
    ]);
  });

  it.concurrent('repeats after a timeout under the same key and token, which stays good', async () => {
    const saga = stage.saga('late');
    const second = downstream.arrival('/late/ask', 2);
    downstream.script('/late/ask', {}, { after: second.then(() => new Promise(() => undefined)) });
    const node = saga.asyncTask('ask', { failureHandling: retries(1) }, { timeoutMillis: 100 });
    const id = await stage.run(saga.graph([node]));
    await second;
    const [one, two] = downstream.calls('/late/ask');
    expect([two!.key, two!.body]).toEqual([one!.key, one!.body]);
    // The callback of the first attempt decides, whatever becomes of the repeated request.
    expect(await stage.callBack(JSON.parse(one!.body).to, { n: 1 })).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 } });
    expect(attempts(await stage.calls(id))).toEqual(['ask UP 1 succeeded', 'ask UP 2 unknown']);
  });

  it.concurrent('is unknown when no callback comes, and is compensated; later ones are 410', async () => {
    const saga = stage.saga('silent');
    const document = await stage.finish(saga.graph([saga.asyncTask('ask', {}, { timeoutMillis: 50 })]));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'callback_timeout', standing: [] });
    expect(document.compensations).toMatchObject([{ nodeId: 'ask', state: 'DONE' }]);
    expect(await stage.callBack((await stage.callbackOf('/silent/ask')).to, {})).toBe(410);
  });

  it.concurrent('accepts only the codes it was told', async () => {
    const saga = stage.saga('accepting');
    downstream.script('/accepting/ask', { status: 200 });
    const document = await stage.finish(
      saga.graph([saga.asyncTask('ask', { action: { acceptedStatusCodes: [202] } })]),
    );
    // A 2xx outside of the accepted set: something happened.
    expect(document).toMatchObject({ status: 'FAILED', compensations: [{ nodeId: 'ask', state: 'DONE' }] });
    expect(attempts(await stage.calls(document.id))[0]).toBe('ask UP 1 unknown');
  });

  it.concurrent.each(['succeeded', 'failed'])('is settled as %s by an operator', async (outcome) => {
    const saga = stage.saga(`settled-${outcome}`);
    const told = saga.call('told', { body: { by: '{{nodes.ask.callback.body.by}}' } });
    const id = await stage.run(saga.graph([saga.asyncTask('ask')], { onFailureCallback: told }));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.control(id, 'resolve', { nodeId: 'other', phase: 'UP', outcome, reason: 'r' })).toBe(409);
    expect(await stage.control(id, 'resolve', { nodeId: 'ask', visit: 2, phase: 'UP', outcome, reason: 'r' })).toBe(
      409,
    );
    const resolution = { nodeId: 'ask', visit: 1, phase: 'UP', outcome, reason: 'phoned them', body: { by: 'phone' } };
    expect(await stage.control(id, 'resolve', resolution)).toBe(202);
    const document = await stage.untilEnd(id);
    expect(document).toMatchObject(
      outcome === 'succeeded' ? { status: 'SUCCEEDED', result: { by: 'phone' } } : { status: 'FAILED', standing: [] },
    );
    expect(rowNames(await stage.steps(id)).slice(0, 3)).toEqual(['ask UP', 'ask RESOLVE', 'ask CALLBACK']);
    const hooks = downstream.calls(`/${saga.name}/told`).map(({ body }) => body);
    expect(hooks).toEqual(outcome === 'failed' ? ['{"by":"phone"}'] : []);
    expect(await stage.callBack((await stage.callbackOf(`/${saga.name}/ask`)).to, {})).toBe(410);
  });
});
