/** What people do to an execution, what stands after it, and the keys of a new round. */
import { describe, expect, it } from 'vitest';
import { retries } from '../stage/definitions.ts';
import { attempts, openStage } from '../stage/stage.ts';

const stage = openStage({ HOOKS_MAXMILLIS: '3000' });
const { downstream } = stage;

describe('cancel', () => {
  it.concurrent('lets the call in flight end, compensates, and is taken again meanwhile', async () => {
    const saga = stage.saga('cancelled');
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/cancelled/b', { after: answer.promise });
    const id = await stage.run(
      saga.linear(['a', 'b', 'c'], {
        onFailureCallback: saga.call('lost', { body: '{{failure.status}} {{failure.reason}}' }),
      }),
    );
    await downstream.arrival('/cancelled/b');
    expect(await stage.control(id, 'cancel', { reason: 'changed my mind' })).toBe(202);
    expect(await stage.control(id, 'cancel')).toBe(202);
    answer.resolve(undefined);
    const document = await stage.untilEnd(id);
    expect(document).toMatchObject({ status: 'CANCELLED', reason: 'cancelled', retryable: true, standing: [] });
    expect(document.failureDescription).toContain('changed my mind');
    expect(downstream.order('/cancelled/')).toEqual(['a', 'b', 'undo-b', 'undo-a', 'lost']);
    expect(downstream.calls('/cancelled/lost')[0]!.body).toBe('CANCELLED cancelled');
    expect(await stage.control(id, 'cancel')).toBe(409);
  });

  it.concurrent('is refused once the execution compensates', async () => {
    const saga = stage.saga('too-late');
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/too-late/b', { status: 400 });
    downstream.script('/too-late/undo-a', { after: answer.promise });
    const id = await stage.run(saga.linear(['a', 'b']));
    await downstream.arrival('/too-late/undo-a');
    const document = await stage.untilStatus(id, 'COMPENSATING');
    expect(document.currentNodes).toMatchObject([{ nodeId: 'a', state: 'COMPENSATING' }]);
    expect(await stage.control(id, 'cancel')).toBe(409);
    expect(await stage.control(id, 'retry')).toBe(409);
    expect((await stage.ask('GET', `/workflows/${id}/cancel-preview`)).status).toBe(409);
    answer.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED' });
  });

  it.concurrent('makes a node that waits for its callback unknown', async () => {
    const saga = stage.saga('withdrawn');
    const id = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect((await stage.ask('GET', `/workflows/${id}/cancel-preview`)).body).toMatchObject([
      { nodeId: 'ask', visit: 1, verb: 'POST', url: `${downstream.url}/withdrawn/undo-ask` },
    ]);
    expect(await stage.control(id, 'cancel')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({
      status: 'CANCELLED',
      compensations: [{ nodeId: 'ask', state: 'DONE' }],
    });
    expect(await stage.callBack((await stage.callbackOf('/withdrawn/ask')).to, {})).toBe(410);
  });

  it.concurrent('works before startAt, and in a backoff', async () => {
    const saga = stage.saga('idle');
    downstream.script('/idle/b', { status: 500 });
    const patient = { type: 'retry', maxAttempts: 1, delayMillis: 3_600_000 };
    const definition = saga.graph([saga.task('a', { next: 'b' }), saga.task('b', { failureHandling: patient })]);
    const scheduled = await stage.run(definition, { startAt: '2999-01-01T00:00:00Z' });
    const backingOff = await stage.run(definition);
    await stage.until(backingOff, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF');
    for (const id of [scheduled, backingOff]) {
      expect(await stage.control(id, 'cancel')).toBe(202);
      expect(await stage.untilEnd(id)).toMatchObject({ status: 'CANCELLED', standing: [] });
    }
    expect(downstream.order('/idle/')).toEqual(['a', 'b', 'undo-a']);
  });
});

describe('terminate', () => {
  it.concurrent('ends at once, compensates nothing and lists what stands', async () => {
    const saga = stage.saga('stopped');
    downstream.script('/stopped/b', { after: new Promise(() => undefined) });
    const id = await stage.run(saga.linear(['a', 'b', 'c'], { onFailureCallback: saga.call('lost') }));
    await downstream.arrival('/stopped/b');
    expect(await stage.control(id, 'terminate')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({
      status: 'TERMINATED',
      reason: 'terminated',
      retryable: false,
      standing: [
        { nodeId: 'a', visit: 1, round: 1, outcome: 'succeeded' },
        { nodeId: 'b', visit: 1, round: 1, outcome: 'unknown' },
      ],
    });
    expect(attempts(await stage.calls(id))).toEqual(['a UP 1 succeeded', 'b UP 1 unknown']);
    expect(await stage.control(id, 'terminate')).toBe(409);
    expect(await stage.control(id, 'retry')).toBe(409);
    expect((await stage.ask('GET', `/workflows/${id}/retry-preview`)).body).toMatchObject([
      { nodeId: 'a', verb: 'POST', url: `${downstream.url}/stopped/a`, stands: true },
      { nodeId: 'b', verb: 'POST', url: `${downstream.url}/stopped/b`, stands: true },
    ]);
    // Found by what stands, and not among those that were undone.
    expect((await stage.ask('GET', '/workflows?standing=true&name=stopped')).body).toMatchObject([{ id }]);
    expect((await stage.ask('GET', '/workflows?standing=false&name=stopped')).body).toEqual([]);

    downstream.script('/stopped/b', {});
    expect(await stage.control(id, 'retry', { force: true })).toBe(202);
    expect(await stage.untilStatus(id, 'SUCCEEDED')).toMatchObject({ round: 2, standing: [] });
    // What stood and is asked for alike is not done twice.
    expect(downstream.calls('/stopped/a').map(({ key }) => key)).toEqual([`${id}:1:a:1:UP`, `${id}:1:a:1:UP`]);
    expect(downstream.calls('/stopped/b').map(({ key }) => key)).toEqual([`${id}:1:b:1:UP`, `${id}:1:b:1:UP`]);
    expect(downstream.calls('/stopped/c').map(({ key }) => key)).toEqual([`${id}:2:c:1:UP`]);
  });
});

describe('a new round', () => {
  it.concurrent('takes new keys for what was undone, and for what is asked for differently', async () => {
    const saga = stage.saga('rounds');
    downstream.script('/rounds/seed', { body: { n: 1 } }, { body: { n: 2 } });
    downstream.script('/rounds/end', { status: 400 }, {});
    // GET changes nothing, so it never stands; `same` and `other` have no compensation, so they do.
    const { compensation: _same, ...same } = saga.task(
      'same',
      { next: 'other' },
      { body: '{{round}} {{attempt}}' },
    ) as { compensation: object };
    const { compensation: _other, ...other } = saga.task(
      'other',
      { next: 'undone' },
      { body: '{{nodes.seed.response.body.n}}' },
    ) as { compensation: object };
    const { compensation: _seed, ...seed } = saga.task('seed', { next: 'same' }, { verb: 'GET' }) as {
      compensation: object;
    };
    const document = await stage.finish(
      saga.graph([seed, same, other, saga.task('undone', { next: 'end' }), saga.task('end')]),
    );
    expect(document).toMatchObject({
      status: 'FAILED',
      standing: [{ nodeId: 'same' }, { nodeId: 'other' }],
    });
    const { id } = document;
    expect(await stage.control(id, 'retry')).toBe(202);
    expect(await stage.untilStatus(id, 'SUCCEEDED')).toMatchObject({ round: 2 });
    const keys = (node: string) => downstream.calls(`/rounds/${node}`).map(({ key }) => key);
    expect(keys('same')).toEqual([`${id}:1:same:1:UP`, `${id}:1:same:1:UP`]);
    expect(keys('other')).toEqual([`${id}:1:other:1:UP`, `${id}:2:other:1:UP`]);
    expect(keys('undone')).toEqual([`${id}:1:undone:1:UP`, `${id}:2:undone:1:UP`]);
    expect(keys('seed')).toEqual([`${id}:1:seed:1:UP`, `${id}:2:seed:1:UP`]);
    expect(new Set((await stage.steps(id)).map(({ round }) => round))).toEqual(new Set([1, 2]));
  });

  it.concurrent('is given to one of two retries at once, and to none of what runs or went well', async () => {
    const saga = stage.saga('race');
    downstream.script('/race/a', { status: 400 }, {});
    const { id } = await stage.finish(saga.linear(['a']));
    const answers = await Promise.all([stage.control(id, 'retry'), stage.control(id, 'retry')]);
    expect(answers.toSorted((a, b) => a - b)).toEqual([202, 409]);
    await stage.untilStatus(id, 'SUCCEEDED');
    for (const action of ['retry', 'cancel', 'terminate', 'wake']) {
      expect(await stage.control(id, action)).toBe(409);
    }
    expect(await stage.control(id, 'retry', { force: true })).toBe(409);
  });
});

describe('a hook', () => {
  it.concurrent('runs before the status shows, and is in the history', async () => {
    const saga = stage.saga('hooked');
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/hooked/won', { after: answer.promise });
    const id = await stage.run(
      saga.linear(['a'], { onSuccessCallback: saga.call('won', { body: '{{sagaId}} {{phase}}' }) }),
    );
    await downstream.arrival('/hooked/won');
    expect(await stage.show(id)).toMatchObject({
      status: 'IN_PROGRESS',
      currentNodes: [{ nodeId: 'onSuccessCallback', state: 'HOOK', visit: 1 }],
    });
    answer.resolve(undefined);
    const document = await stage.untilEnd(id);
    expect(document.status).toBe('SUCCEEDED');
    expect(document).not.toHaveProperty('callbackWarning');
    expect(attempts(await stage.calls(id))).toEqual(['a UP 1 succeeded', 'onSuccessCallback HOOK 1 succeeded']);
    expect(downstream.calls('/hooked/won')[0]!.key).toBe(`${id}:1:onSuccessCallback:1:HOOK`);
  });

  it.concurrent('is retried by policy; its failure changes nothing but a warning', async () => {
    const saga = stage.saga('hook-fails');
    downstream.script('/hook-fails/won', { status: 500 });
    const document = await stage.finish(
      saga.linear(['a'], { onSuccessCallback: saga.call('won'), failureHandling: retries(2) }),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(document.callbackWarning).toContain('onSuccessCallback');
    expect(downstream.calls('/hook-fails/won')).toHaveLength(3);
    expect(new Set(downstream.calls('/hook-fails/won').map(({ key }) => key)).size).toBe(1);
  });

  it.concurrent('is given up after hooks.maxMillis', async () => {
    const saga = stage.saga('hook-endless');
    downstream.script('/hook-endless/won', { status: 500 });
    const document = await stage.finish(
      saga.linear(['a'], {
        onSuccessCallback: saga.call('won'),
        failureHandling: retries(1_000_000, { delayMillis: 500 }),
      }),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', callbackWarning: expect.any(String) });
  });

  it.concurrent('of failure is told what failed', async () => {
    const saga = stage.saga('hook-failure');
    downstream.script('/hook-failure/a', { status: 409 });
    const told = saga.call('lost', {
      body: '{{failure.status}} {{failure.reason}} {{failure.nodeId}} {{failure.statusCode}}',
    });
    expect(await stage.finish(saga.linear(['a'], { onFailureCallback: told }))).toMatchObject({ status: 'FAILED' });
    expect(downstream.calls('/hook-failure/lost')[0]!.body).toBe('FAILED status_4xx a 409');
  });
});
