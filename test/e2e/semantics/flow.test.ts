/** How tokens move: switches, splits and joins, loops, sleeps, and what branches see. */
import { describe, expect, it } from 'vitest';
import { openStage, rowNames } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;
const hour = 3_600_000;

const fork = (branches: readonly string[], next?: string, changes: object = {}): object[] => [
  { kind: 'split', id: 'fork', branches, join: 'merge' },
  { kind: 'join', id: 'merge', ...(next !== undefined && { next }), ...changes },
];

describe('a switch', () => {
  it.concurrent('takes the first case that holds; one that throws counts as false and is noted', async () => {
    const saga = stage.saga('switch');
    const document = await stage.finish(
      saga.graph([
        {
          kind: 'switch',
          id: 'choose',
          cases: [
            { when: { '+': [{ var: 'payload' }] }, target: 'a' },
            { name: 'big', when: { '>': [{ var: 'input.n' }, 5] }, target: 'b' },
            { when: true, target: 'a' },
          ],
          default: 'a',
        },
        saga.task('a'),
        saga.task('b'),
      ]),
      { payload: { n: 7 } },
    );
    expect(document.status).toBe('SUCCEEDED');
    expect(downstream.order('/switch/')).toEqual(['b']);
    expect((await stage.steps(document.id))[0]).toMatchObject({
      phase: 'SWITCH',
      outcome: 'succeeded',
      success: true,
      responseBody: { target: 'b', matchedCase: 'big', usedDefault: false },
    });
  });

  it.concurrent('says in its row where it led, also to the default and by a case without a name', async () => {
    const saga = stage.saga('led');
    const cases = [
      { name: 'default', when: { '==': [{ var: 'payload.n' }, 1] }, target: 'a' },
      { when: { '==': [{ var: 'payload.n' }, 2] }, target: 'b' },
    ];
    const definition = saga.graph([
      { kind: 'switch', id: 'choose', cases, default: 'a' },
      saga.task('a'),
      saga.task('b'),
    ]);
    const led: unknown[] = [];
    for (const n of [1, 2, 3]) {
      const { id } = await stage.finish(definition, { payload: { n } });
      led.push((await stage.steps(id))[0].responseBody);
    }
    expect(led).toEqual([
      { target: 'a', matchedCase: 'default', usedDefault: false },
      { target: 'b', matchedCase: 'case 2', usedDefault: false },
      { target: 'a', matchedCase: null, usedDefault: true },
    ]);
  });
});

describe('a join', () => {
  it.concurrent('tells how every branch ended, and shows their nodes', async () => {
    const saga = stage.saga('join');
    downstream.script('/join/x', { body: { n: 1 } });
    downstream.script('/join/y', { body: { n: 2 } });
    const document = await stage.finish(
      saga.graph([
        ...fork(['x', 'y', 'z'], 'after'),
        saga.task('x'),
        saga.task('y', { next: 'merge' }),
        { kind: 'sleep', id: 'z', durationMillis: 1 },
        saga.task('after', {}, { body: { joined: '{{nodes.merge.response.body}}', x: '{{nodes.x.response.body.n}}' } }),
      ]),
    );
    expect(document.status).toBe('SUCCEEDED');
    expect(JSON.parse(downstream.calls('/join/after')[0]!.body)).toEqual({
      joined: {
        allSucceeded: true,
        branches: {
          x: { status: 'SUCCEEDED', result: { n: 1 } },
          y: { status: 'SUCCEEDED', result: { n: 2 } },
          z: { status: 'SUCCEEDED', result: null },
        },
      },
      x: 1,
    });
    const steps = await stage.steps(document.id);
    const rows = rowNames(steps);
    expect([rows[0], rows.at(-2), rows.at(-1)]).toEqual(['fork SPLIT', 'merge JOIN', 'after UP']);
    expect(steps.at(-2).responseBody).toEqual(JSON.parse(downstream.calls('/join/after')[0]!.body).joined);
  });

  it.concurrent('fails the execution by default with its first failed branch', async () => {
    const saga = stage.saga('join-fail');
    downstream.script('/join-fail/x', { status: 400, after: downstream.arrival('/join-fail/y') });
    downstream.script('/join-fail/y', { after: downstream.arrival('/join-fail/x') });
    const document = await stage.finish(
      saga.graph([
        ...fork(['x', 'y'], 'after'),
        saga.task('x'),
        saga.task('y', { next: 'y2' }),
        saga.task('y2'),
        saga.task('after'),
      ]),
    );
    expect(document).toMatchObject({ status: 'FAILED', failedNodeId: 'x', standing: [] });
    expect(downstream.calls('/join-fail/after')).toEqual([]);
  });

  it.concurrent('awaits what is in flight, starts nothing new and does not retry', async () => {
    const saga = stage.saga('drain');
    const failed = Promise.withResolvers<undefined>();
    downstream.script('/drain/x', { status: 400, after: downstream.arrival('/drain/y') });
    downstream.script('/drain/y', { status: 500, after: failed.promise });
    const retried = saga.task('y', { failureHandling: { type: 'retry', maxAttempts: 5, delayMillis: 1 } });
    const id = await stage.run(saga.graph([...fork(['x', 'y']), saga.task('x'), retried]));
    await stage.until(id, ({ status }) => status === 'COMPENSATING');
    failed.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED', failedNodeId: 'x' });
    expect(downstream.order('/drain/').toSorted()).toEqual(['x', 'y']);
  });

  it.concurrent('that continues compensates the failed branch alone', async () => {
    const saga = stage.saga('join-continue');
    downstream.script('/join-continue/y2', { status: 400 });
    downstream.script('/join-continue/x', { body: 5 });
    const document = await stage.finish(
      saga.graph([
        ...fork(['x', 'y1'], 'after', { onBranchFailure: 'continue' }),
        saga.task('x'),
        saga.task('y1', { next: 'y2' }),
        saga.task('y2'),
        saga.task('after', {}, { body: '{{nodes.merge.response.body}}' }),
      ]),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(downstream.order('/join-continue/').filter((path) => path.startsWith('undo'))).toEqual(['undo-y1']);
    expect(JSON.parse(downstream.calls('/join-continue/after')[0]!.body)).toEqual({
      allSucceeded: false,
      branches: { x: { status: 'SUCCEEDED', result: 5 }, y1: { status: 'FAILED', result: {} } },
    });
  });

  it.concurrent('that continues over a branch that could not be compensated ends CORRUPTED', async () => {
    const saga = stage.saga('join-corrupted');
    downstream.script('/join-corrupted/y', { cut: true });
    downstream.script('/join-corrupted/undo-y', { status: 500 }, {});
    const document = await stage.finish(
      saga.graph([
        ...fork(['x', 'y'], 'after', { onBranchFailure: 'continue' }),
        saga.task('x'),
        saga.task('y'),
        saga.task('after', {}, { body: '{{nodes.merge.response.body.branches.y.status}}' }),
      ]),
    );
    expect(document).toMatchObject({ status: 'CORRUPTED', reason: 'compensation' });
    expect(downstream.calls('/join-corrupted/after')[0]!.body).toBe('CORRUPTED');
    expect(
      await stage.control(document.id, 'resolve', { nodeId: 'y', phase: 'DOWN', outcome: 'succeeded', reason: 'r' }),
    ).toBe(202);
    expect(await stage.untilStatus(document.id, 'SUCCEEDED')).toMatchObject({ retryable: false });
    expect(downstream.order('/join-corrupted/').filter((path) => path.startsWith('undo'))).toEqual(['undo-y']);
  });

  it.concurrent('sees of a branch only what came before the split and its own', async () => {
    const saga = stage.saga('sight');
    downstream.script('/sight/before', { body: 'b' });
    downstream.script('/sight/x', { body: '"x"' });
    const seesX = downstream.arrival('/sight/x');
    const reads = { body: { before: '{{nodes.before.response.body}}', x: '{{nodes.x.response.body}}' } };
    downstream.script('/sight/y1', { after: seesX });
    const document = await stage.finish(
      saga.graph([
        saga.task('before', { next: 'fork' }),
        ...fork(['x', 'y1'], 'after'),
        saga.task('x'),
        saga.task('y1', { next: 'y2' }),
        saga.task('y2', {}, reads),
        saga.task('after', {}, reads),
      ]),
    );
    expect(document.status).toBe('SUCCEEDED');
    expect(JSON.parse(downstream.calls('/sight/y2')[0]!.body)).toEqual({ before: 'b', x: null });
    expect(JSON.parse(downstream.calls('/sight/after')[0]!.body)).toEqual({ before: 'b', x: 'x' });
  });
});

describe('a sleep', () => {
  it.concurrent('until a time that is past goes on at once, one that is no time fails', async () => {
    const saga = stage.saga('until');
    const definition = saga.graph([{ kind: 'sleep', id: 'zzz', until: '{{payload.at}}', next: 'a' }, saga.task('a')]);
    const [past, wrong] = await Promise.all([
      stage.finish(definition, { payload: { at: '2001-01-01T00:00:00+02:00' } }),
      stage.finish(definition, { payload: { at: 'tomorrow' } }),
    ]);
    expect(past.status).toBe('SUCCEEDED');
    expect(wrong).toMatchObject({ status: 'FAILED', failedNodeId: 'zzz', reason: 'fail_node' });
    expect(wrong.failureDescription).toContain('tomorrow');
  });

  it.concurrent('shows when it ends and is woken once, in all branches', async () => {
    const saga = stage.saga('woken');
    const id = await stage.run(
      saga.graph([
        ...fork(['x', 'y']),
        { kind: 'sleep', id: 'x', duration: 'PT100H' },
        { kind: 'sleep', id: 'y', durationMillis: hour },
      ]),
    );
    const asleep = await stage.untilStatus(id, 'SLEEPING');
    const sleepers = asleep.currentNodes.filter(({ state }: { state: string }) => state === 'SLEEPING');
    expect(sleepers).toMatchObject([{ nodeId: 'x' }, { nodeId: 'y' }]);
    expect(Date.parse(sleepers[0].until) - Date.parse(sleepers[0].since)).toBe(100 * hour);
    expect(await stage.control(id, 'wake')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stage.control(id, 'wake')).toBe(409);
  });

  it.concurrent('comes first where startAt says so; wake starts it early', async () => {
    const saga = stage.saga('later');
    const startAt = new Date(Date.now() + hour).toISOString();
    const id = await stage.run(saga.graph([saga.task('a')]), { startAt });
    expect(await stage.show(id)).toMatchObject({
      status: 'SLEEPING',
      currentNodes: [{ nodeId: 'a', state: 'SCHEDULED', until: startAt }],
    });
    expect(await stage.control(id, 'wake')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    const past = await stage.finish(saga.graph([saga.task('a')]), { startAt: '2001-01-01T00:00:00Z' });
    expect(past.status).toBe('SUCCEEDED');
  });

  it.concurrent('refuses a wake where no node sleeps', async () => {
    const saga = stage.saga('awake');
    const id = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    expect(await stage.control(id, 'wake')).toBe(409);
    expect(await stage.control(id, 'terminate')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'TERMINATED' });
  });
});
