/** Two things at once: what is asked for, runs out or fails while something else is under way. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { once, retries } from '../stage/definitions.ts';
import { attempts, openStage } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;
const never = new Promise(() => undefined);
const hour = 3_600_000;
const patient = { type: 'retry', maxAttempts: 1, delayMillis: hour };

describe('while it compensates', () => {
  it.concurrent('an execution can be terminated; what is left stands', async () => {
    const saga = stage.saga('terminated-late');
    downstream.script('/terminated-late/c', { status: 400 });
    downstream.script('/terminated-late/undo-b', { after: never });
    const id = await stage.run(saga.linear(['a', 'b', 'c']));
    await downstream.arrival('/terminated-late/undo-b');
    expect(await stage.control(id, 'terminate')).toBe(202);
    const document = await stage.untilEnd(id);
    expect(document).toMatchObject({ status: 'TERMINATED', standing: [{ nodeId: 'a' }, { nodeId: 'b' }] });
    expect(downstream.calls('/terminated-late/undo-a')).toEqual([]);
  });

  it.concurrent('a compensation that backs off can be settled, and the rest goes on', async () => {
    const saga = stage.saga('settled-late');
    downstream.script('/settled-late/c', { status: 400 });
    downstream.script('/settled-late/undo-b', { status: 500 });
    const id = await stage.run(saga.linear(['a', 'b', 'c'], { compensationHandling: patient }));
    const backingOff = (document: AnswerBody): boolean =>
      document.currentNodes[0]?.state === 'COMPENSATING' && document.currentNodes[0].until !== undefined;
    await stage.until(id, backingOff);
    const settle = { nodeId: 'b', phase: 'DOWN', outcome: 'succeeded', reason: 'undone by phone' };
    expect(await stage.control(id, 'resolve', { ...settle, nodeId: 'a' })).toBe(409);
    expect(await stage.control(id, 'resolve', settle)).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({
      status: 'FAILED',
      standing: [],
      compensations: [
        { nodeId: 'a', state: 'DONE' },
        { nodeId: 'b', state: 'RESOLVED' },
      ],
    });
  });

  it.concurrent('the time of the execution is over without harm', async () => {
    const saga = stage.saga('expired-late');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/expired-late/b', { status: 400 });
    downstream.script('/expired-late/undo-a', { after: gate.promise });
    const id = await stage.run(saga.linear(['a', 'b'], { timeoutMillis: 3000 }));
    await downstream.arrival('/expired-late/undo-a');
    const { startedAt } = await stage.show(id);
    await pause(Date.parse(startedAt) + 3100 - Date.now());
    gate.resolve(undefined);
    // Failed before, and for that reason.
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED', reason: 'status_4xx', failedNodeId: 'b' });
    expect(downstream.order('/expired-late/')).toEqual(['a', 'b', 'undo-a']);
  });

  it.concurrent('a second retry may fail again: CORRUPTED again, with the hook once more', async () => {
    const saga = stage.saga('corrupted-twice');
    downstream.script('/corrupted-twice/b', { status: 400 });
    downstream.script('/corrupted-twice/undo-a', { status: 500 });
    const { id } = await stage.finish(
      saga.linear(['a', 'b'], { onFailureCallback: saga.call('lost', { body: '{{failure.status}}' }) }),
    );
    expect(await stage.control(id, 'retry')).toBe(202);
    await downstream.arrival('/corrupted-twice/lost', 2);
    expect(await stage.untilStatus(id, 'CORRUPTED')).toMatchObject({
      round: 1,
      standing: [{ nodeId: 'a' }],
      compensations: [{ nodeId: 'a', state: 'FAILED' }],
    });
    downstream.script('/corrupted-twice/undo-a', {});
    expect(await stage.control(id, 'retry')).toBe(202);
    expect(await stage.untilStatus(id, 'FAILED')).toMatchObject({ standing: [] });
    expect(downstream.calls('/corrupted-twice/lost').map(({ body }) => body)).toEqual([
      'CORRUPTED',
      'CORRUPTED',
      'FAILED',
    ]);
    expect(downstream.calls('/corrupted-twice/lost').map(({ key }) => key)).toEqual(
      [1, 2, 3].map((visit) => `${id}:1:onFailureCallback:${visit}:HOOK`),
    );
    expect(new Set(downstream.calls('/corrupted-twice/undo-a').map(({ key }) => key)).size).toBe(1);
  });
});

describe('before an onFailure route', () => {
  it.concurrent('what compensateWhen selects is compensated: with attempted, a rejected node too', async () => {
    const saga = stage.saga('route-attempted');
    downstream.script('/route-attempted/a', { status: 409 });
    const node = saga.task('a', { onFailure: 'b', compensateWhen: 'attempted' });
    expect(await stage.finish(saga.graph([node, saga.task('b')]))).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.order('/route-attempted/')).toEqual(['a', 'undo-a', 'b']);
  });

  it.concurrent('a cancel lets its compensation end, and compensates the rest', async () => {
    const saga = stage.saga('route-cancelled');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/route-cancelled/b', { cut: true });
    downstream.script('/route-cancelled/undo-b', { after: gate.promise });
    const id = await stage.run(
      saga.graph([saga.task('a', { next: 'b' }), saga.task('b', { onFailure: 'c' }), saga.task('c')]),
    );
    await downstream.arrival('/route-cancelled/undo-b');
    expect(await stage.control(id, 'cancel')).toBe(202);
    gate.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'CANCELLED', standing: [] });
    expect(downstream.order('/route-cancelled/')).toEqual(['a', 'b', 'undo-b', 'undo-a']);
  });
});

describe('while it waits for a callback', () => {
  it.concurrent('the time of the execution may end: unknown, compensated', async () => {
    const saga = stage.saga('expired-waiting');
    const document = await stage.finish(saga.graph([saga.asyncTask('ask')], { timeoutMillis: 1000 }));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'execution_timeout', standing: [] });
    expect(downstream.order('/expired-waiting/')).toEqual(['ask', 'undo-ask']);
  });

  it.concurrent('a failed branch makes it unknown; its callback comes too late', async () => {
    const saga = stage.saga('branch-waiting');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/branch-waiting/x', { status: 400, after: gate.promise });
    const id = await stage.run(
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['x', 'ask'], join: 'merge' },
        saga.task('x'),
        saga.asyncTask('ask'),
        { kind: 'join', id: 'merge' },
      ]),
    );
    await stage.until(id, ({ currentNodes }) =>
      currentNodes.some(({ state }: AnswerBody) => state === 'WAITING_CALLBACK'),
    );
    gate.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED', failedNodeId: 'x', standing: [] });
    expect(downstream.calls('/branch-waiting/undo-ask')).toHaveLength(1);
    expect(await stage.callBack((await stage.callbackOf('/branch-waiting/ask')).to, {})).toBe(410);
  });

  it.concurrent('a request accepted once the execution has begun to fail is unknown', async () => {
    const saga = stage.saga('accepted-late');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/accepted-late/x', { status: 400, after: downstream.arrival('/accepted-late/ask') });
    downstream.script('/accepted-late/ask', { status: 202, after: gate.promise });
    const id = await stage.run(
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['x', 'ask'], join: 'merge' },
        saga.task('x'),
        saga.asyncTask('ask'),
        { kind: 'join', id: 'merge' },
      ]),
    );
    await stage.untilStatus(id, 'COMPENSATING');
    gate.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({
      status: 'FAILED',
      compensations: [{ nodeId: 'ask', state: 'DONE' }],
    });
  });

  it.concurrent('a callback that said failure is not repeated by default, and is rejected', async () => {
    const saga = stage.saga('refused');
    const node = saga.asyncTask('ask', { failureHandling: retries(3) }, { successWhen: { var: 'callback.body.ok' } });
    const id = await stage.run(saga.graph([node]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.callBack((await stage.callbackOf('/refused/ask')).to, { ok: false })).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED', reason: 'callback_failure', standing: [] });
    expect(downstream.order('/refused/')).toEqual(['ask']);
  });

  it.concurrent('a callback still counts while a timed out node backs off', async () => {
    const saga = stage.saga('backing-off');
    const node = saga.asyncTask('ask', { failureHandling: patient }, { timeoutMillis: 50 });
    const id = await stage.run(saga.graph([node]));
    await stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF');
    expect(await stage.callBack((await stage.callbackOf('/backing-off/ask')).to, { n: 1 })).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 } });
    expect(downstream.calls('/backing-off/ask')).toHaveLength(1);
  });

  it.concurrent('a wake ends the sleep of another branch alone', async () => {
    const saga = stage.saga('half-asleep');
    const id = await stage.run(
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['nap', 'ask'], join: 'merge' },
        { kind: 'sleep', id: 'nap', durationMillis: hour, next: 'x' },
        saga.task('x'),
        saga.asyncTask('ask'),
        { kind: 'join', id: 'merge' },
      ]),
    );
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.control(id, 'wake')).toBe(202);
    await downstream.arrival('/half-asleep/x');
    expect((await stage.untilStatus(id, 'WAITING_CALLBACK')).completedAt).toBeUndefined();
    expect(await stage.callBack((await stage.callbackOf('/half-asleep/ask')).to, {})).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a call in flight', () => {
  it.concurrent('is not repeated once the execution was cancelled', async () => {
    const saga = stage.saga('cancelled-failing');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/cancelled-failing/b', { status: 500, after: gate.promise });
    const nodes = [saga.task('a', { next: 'b' }), saga.task('b', { failureHandling: retries(3) })];
    const id = await stage.run(saga.graph(nodes));
    await downstream.arrival('/cancelled-failing/b');
    expect(await stage.control(id, 'cancel')).toBe(202);
    gate.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'CANCELLED', standing: [] });
    expect(downstream.order('/cancelled-failing/')).toEqual(['a', 'b', 'undo-a']);
  });

  it.concurrent('cannot be settled by hand', async () => {
    const saga = stage.saga('in-flight');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/in-flight/a', { after: gate.promise });
    const id = await stage.run(saga.linear(['a']));
    await downstream.arrival('/in-flight/a');
    expect(await stage.control(id, 'resolve', { nodeId: 'a', phase: 'UP', outcome: 'failed', reason: 'r' })).toBe(409);
    gate.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a split', () => {
  it.concurrent('in a loop forks anew each time, and is compensated visit by visit', async () => {
    const saga = stage.saga('forked-loop');
    downstream.script('/forked-loop/x', { body: { n: 1 } }, { body: { n: 2 } });
    const document = await stage.finish(
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['x', 'y'], join: 'merge' },
        saga.task('x'),
        saga.task('y'),
        { kind: 'join', id: 'merge', next: 'more' },
        {
          kind: 'switch',
          id: 'more',
          cases: [{ when: { '<': [{ var: 'nodes.x.response.body.n' }, 2] }, target: 'fork' }],
          default: 'stop',
        },
        { kind: 'fail', id: 'stop', reason: 'enough' },
      ]),
    );
    expect(document).toMatchObject({ status: 'FAILED', standing: [] });
    expect(downstream.calls('/forked-loop/undo-x').map(({ key }) => key)).toEqual(
      [2, 1].map((visit) => `${document.id}:1:x:${visit}:DOWN`),
    );
    expect(downstream.calls('/forked-loop/undo-y')).toHaveLength(2);
  });

  it.concurrent('in a branch that continues compensates within, and the outer goes on', async () => {
    const saga = stage.saga('nested');
    downstream.script('/nested/deep-bad', { status: 400, after: downstream.arrival('/nested/deep-good') });
    downstream.script('/nested/deep-good', { body: 1 });
    const document = await stage.finish(
      saga.graph([
        { kind: 'split', id: 'outer', branches: ['first', 'side'], join: 'outer-join' },
        saga.task('first', { next: 'inner' }),
        { kind: 'split', id: 'inner', branches: ['deep-good', 'deep-bad'], join: 'inner-join' },
        saga.task('deep-good'),
        saga.task('deep-bad', { failureHandling: once }),
        { kind: 'join', id: 'inner-join' },
        saga.task('side'),
        { kind: 'join', id: 'outer-join', onBranchFailure: 'continue', next: 'after' },
        saga.task('after', {}, { body: '{{nodes.outer-join.response.body.branches.first.status}}' }),
      ]),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(downstream.calls('/nested/after')[0]!.body).toBe('FAILED');
    const undone = downstream.order('/nested/').filter((path) => path.startsWith('undo-'));
    expect(undone).toEqual(['undo-deep-good', 'undo-first']);
  });

  it.concurrent('takes an onFailure route within a branch', async () => {
    const saga = stage.saga('routed-branch');
    downstream.script('/routed-branch/x', { status: 400 });
    downstream.script('/routed-branch/plan-b', { body: 'b' });
    const document = await stage.finish(
      saga.graph([
        { kind: 'split', id: 'fork', branches: ['x', 'y'], join: 'merge' },
        saga.task('x', { onFailure: 'plan-b' }),
        saga.task('plan-b', { next: 'nap' }),
        // A branch that ends by a sleep has the last response before it as its result.
        { kind: 'sleep', id: 'nap', durationMillis: 1 },
        saga.task('y'),
        { kind: 'join', id: 'merge', next: 'after' },
        saga.task('after', {}, { body: '{{nodes.merge.response.body}}' }),
      ]),
    );
    expect(document.status).toBe('SUCCEEDED');
    expect(JSON.parse(downstream.calls('/routed-branch/after')[0]!.body)).toEqual({
      allSucceeded: true,
      branches: { x: { status: 'SUCCEEDED', result: 'b' }, y: { status: 'SUCCEEDED', result: {} } },
    });
    const quiet = (await stage.steps(document.id)).filter(({ phase }) => ['SPLIT', 'JOIN', 'SLEEP'].includes(phase));
    expect(quiet.map(({ phase, outcome, success }) => [phase, outcome, success])).toEqual([
      ['SPLIT', 'succeeded', true],
      ['SLEEP', 'succeeded', true],
      ['JOIN', 'succeeded', true],
    ]);
  });
});

describe('a new round', () => {
  it.concurrent('asks alike under the old key though its callback address is another', async () => {
    const saga = stage.saga('same-question');
    const id = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.control(id, 'terminate')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ standing: [{ nodeId: 'ask', outcome: 'unknown' }] });
    expect(await stage.control(id, 'retry', { force: true })).toBe(202);
    const second = await stage.callbackOf('/same-question/ask', 2);
    const first = await stage.callbackOf('/same-question/ask');
    expect(second.token).not.toBe(first.token);
    expect(downstream.calls('/same-question/ask').map(({ key }) => key)).toEqual([
      `${id}:1:ask:1:UP`,
      `${id}:1:ask:1:UP`,
    ]);
    // The token of the earlier round is good for nothing now.
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect([409, 410]).toContain(await stage.callBack(first.to, {}));
    expect(await stage.callBack(second.to, {})).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', round: 2, standing: [] });
  });

  it.concurrent('that fails compensates what an earlier round left standing under that key', async () => {
    const saga = stage.saga('taken-over');
    downstream.script('/taken-over/b', { after: never }, { status: 400 });
    const id = await stage.run(saga.linear(['a', 'b']));
    await downstream.arrival('/taken-over/b');
    expect(await stage.control(id, 'terminate')).toBe(202);
    await stage.untilEnd(id);
    expect(await stage.control(id, 'retry', { force: true })).toBe(202);
    const document = await stage.untilStatus(id, 'FAILED');
    expect(attempts(await stage.calls(id)).slice(2)).toEqual([
      'a UP 1 succeeded',
      'b UP 1 rejected',
      'a DOWN 1 succeeded',
    ]);
    // `b` of round 1 is still unknown: nothing said that it did not happen.
    expect(document.standing).toEqual([{ nodeId: 'b', visit: 1, round: 1, outcome: 'unknown' }]);
    const [undo] = downstream.calls('/taken-over/undo-a');
    expect(undo!.headers['trama-compensates']).toBe(`${id}:1:a:1:UP`);
  });
});

describe('startAt', () => {
  it.concurrent('comes before the time of the execution begins to run', async () => {
    const saga = stage.saga('late-start');
    const startAt = new Date(Date.now() + 3100).toISOString();
    const document = await stage.finish(saga.linear(['a'], { timeoutMillis: 3000 }), { startAt });
    expect(document.status).toBe('SUCCEEDED');
  });
});
