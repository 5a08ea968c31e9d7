/** Failure and compensation: what is undone, in which order, and what is left when it cannot be. */
import { describe, expect, it } from 'vitest';
import { once, retries } from '../stage/definitions.ts';
import { attempts, openStage, rowNames } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;

const fails = { kind: 'fail', id: 'stop', reason: 'No more than {{payload.limit}}.' };

describe('compensation', () => {
  it.concurrent('runs unknown ones first, latest started first, then completed ones backwards', async () => {
    const saga = stage.saga('order');
    downstream.script('/order/a', { status: 502 });
    downstream.script('/order/c', { cut: true });
    const document = await stage.finish(
      saga.graph([
        saga.task('a', { onFailure: 'b', compensateWhen: 'completed' }),
        saga.task('b', { next: 'c' }),
        saga.task('c', { onFailure: 'd', compensateWhen: 'completed' }),
        saga.task('d', { next: 'e' }),
        saga.task('e', { next: 'stop' }),
        fails,
      ]),
      { payload: { limit: 3 } },
    );
    expect(document).toMatchObject({
      status: 'FAILED',
      reason: 'fail_node',
      failedNodeId: 'stop',
      failureDescription: 'No more than 3.',
      standing: [
        { nodeId: 'a', visit: 1, round: 1, outcome: 'unknown' },
        { nodeId: 'c', visit: 1, round: 1, outcome: 'unknown' },
      ],
    });
    expect(downstream.order('/order/')).toEqual(['a', 'b', 'c', 'd', 'e', 'undo-e', 'undo-d', 'undo-b']);
  });

  it.concurrent('undoes across branches in reverse order of completion, unknown ones first', async () => {
    const saga = stage.saga('branches');
    const secondDone = downstream.arrival('/branches/y');
    downstream.script('/branches/x', { after: secondDone });
    // Rejected only once everything else is decided.
    const unknownSeen = downstream.arrival('/branches/u');
    downstream.script('/branches/u', { status: 502 });
    downstream.script('/branches/w', { status: 400, after: unknownSeen });
    const document = await stage.finish(
      saga.graph([
        saga.task('first', { next: 'fork' }),
        { kind: 'split', id: 'fork', branches: ['x', 'y', 'u', 'w'], join: 'merge' },
        saga.task('x'),
        saga.task('y'),
        saga.task('u'),
        saga.task('w'),
        { kind: 'join', id: 'merge' },
      ]),
    );
    expect(document.status).toBe('FAILED');
    const undone = downstream.order('/branches/').filter((path) => path.startsWith('undo-'));
    expect(undone[0]).toBe('undo-u');
    expect(undone.at(-1)).toBe('undo-first');
    expect(undone.slice(1, -1).sort()).toEqual(['undo-x', 'undo-y']);
    const rows = rowNames(await stage.steps(document.id));
    const completed = rows.filter((row) => row === 'x UP' || row === 'y UP').map((row) => row[0]);
    expect(undone.slice(1, -1)).toEqual(completed.toReversed().map((id) => `undo-${id}`));
  });

  it.concurrent('undoes each visit of a loop on its own, with what the visit saw', async () => {
    const saga = stage.saga('loop');
    downstream.script('/loop/pay', ...[1, 2, 3].map((n) => ({ body: { n, id: `p-${n}` } })));
    const pay = {
      ...saga.task('pay', { next: 'more' }),
      compensation: saga.call('undo-pay', {
        body: { id: '{{nodes.pay.response.body.id}}', visit: '{{nodes.pay.visit}}' },
      }),
    };
    const document = await stage.finish(
      saga.graph([
        pay,
        {
          kind: 'switch',
          id: 'more',
          cases: [{ when: { '<': [{ var: 'nodes.pay.response.body.n' }, 3] }, target: 'pay' }],
          default: 'stop',
        },
        fails,
      ]),
    );
    expect(document.compensations.map((one: { visit: number; state: string }) => `${one.visit} ${one.state}`)).toEqual([
      '1 DONE',
      '2 DONE',
      '3 DONE',
    ]);
    expect(downstream.calls('/loop/undo-pay').map(({ body }) => body)).toEqual([
      '{"id":"p-3","visit":3}',
      '{"id":"p-2","visit":2}',
      '{"id":"p-1","visit":1}',
    ]);
    expect(downstream.calls('/loop/undo-pay').map(({ key }) => key)).toEqual(
      [3, 2, 1].map((visit) => `${document.id}:1:pay:${visit}:DOWN`),
    );
  });

  it.concurrent.each([
    // What came of the attempts, compensateWhen, whether it is compensated.
    ['a 200', [{ status: 200 }], 'completed', true],
    ['a 200', [{ status: 200 }], 'unknown', true],
    ['a 200', [{ status: 200 }], 'attempted', true],
    ['a 502', [{ status: 502 }], 'completed', false],
    ['a 502', [{ status: 502 }], 'unknown', true],
    ['a 502', [{ status: 502 }], 'attempted', true],
    ['a 500', [{ status: 500 }], 'completed', false],
    ['a 500', [{ status: 500 }], 'unknown', false],
    ['a 500', [{ status: 500 }], 'attempted', true],
    ['a 502 and then a 400', [{ status: 502 }, { status: 400 }], 'unknown', true],
    ['a 502 and then a 400', [{ status: 502 }, { status: 400 }], 'completed', false],
  ] as const)('after %s (%j), compensateWhen %s: %s', async (_what, answers, compensateWhen, isUndone) => {
    const saga = stage.saga(`when-${compensateWhen}-${answers.map(({ status }) => status).join('-')}`);
    downstream.script(`/${saga.name}/a`, ...answers);
    const node = saga.task('a', { compensateWhen, next: 'stop', failureHandling: retries(answers.length - 1) });
    expect(await stage.finish(saga.graph([node, fails]))).toMatchObject({ status: 'FAILED' });
    expect(downstream.calls(`/${saga.name}/undo-a`)).toHaveLength(isUndone ? 1 : 0);
  });

  it.concurrent('never undoes what was not sent', async () => {
    const saga = stage.saga('hole');
    const document = await stage.finish(
      saga.graph([
        saga.task('a', { compensateWhen: 'attempted' }, { url: `${downstream.url}/hole/{{payload.missing}}/x` }),
      ]),
    );
    expect(document).toMatchObject({ status: 'FAILED', reason: 'unsent', standing: [], compensations: [] });
    expect(document.failureDescription).toContain('payload.missing');
    expect(downstream.order('/hole/')).toEqual([]);
  });

  it.concurrent.each([404, 410])(
    'takes %s for success where the outcome is unknown, and only there',
    async (status) => {
      const saga = stage.saga(`gone-${status}`);
      downstream.script(`/${saga.name}/a`, {});
      downstream.script(`/${saga.name}/b`, { cut: true });
      downstream.script(`/${saga.name}/undo-a`, { status });
      downstream.script(`/${saga.name}/undo-b`, { status });
      const document = await stage.finish(saga.linear(['a', 'b']));
      expect(document).toMatchObject({ status: 'CORRUPTED', standing: [{ nodeId: 'a', outcome: 'succeeded' }] });
      expect(document.compensations).toMatchObject([
        { nodeId: 'a', state: 'FAILED', attempts: 1, statusCode: status },
        { nodeId: 'b', state: 'DONE', attempts: 1, statusCode: status },
      ]);
    },
  );

  it.concurrent('sees nodes as they stood when the visit ended', async () => {
    const saga = stage.saga('seen');
    downstream.script('/seen/a', { body: { v: 1 } }, { body: { v: 2 } });
    const reads = { body: { a: '{{nodes.a.response.body.v}}', phase: '{{phase}}' } };
    await stage.finish(
      saga.graph([
        saga.task('a', { next: 'b' }),
        { ...saga.task('b', { next: 'turn' }), compensation: saga.call('undo-b', reads) },
        {
          kind: 'switch',
          id: 'turn',
          cases: [{ when: { '==': [{ var: 'nodes.a.response.body.v' }, 2] }, target: 'stop' }],
          default: 'a',
        },
        fails,
      ]),
    );
    expect(downstream.calls('/seen/undo-b').map(({ body }) => body)).toEqual([
      '{"a":2,"phase":"DOWN"}',
      '{"a":1,"phase":"DOWN"}',
    ]);
  });
});

describe('an onFailure route', () => {
  it.concurrent('is taken after retries, without compensation of a rejected node', async () => {
    const saga = stage.saga('route');
    downstream.script('/route/a', { status: 409 });
    const document = await stage.finish(
      saga.graph([saga.task('a', { onFailure: 'b', failureHandling: retries(1) }), saga.task('b')]),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.order('/route/')).toEqual(['a', 'a', 'b']);
  });

  it.concurrent('comes after the compensation of an unknown outcome', async () => {
    const saga = stage.saga('route-unknown');
    downstream.script('/route-unknown/a', { status: 504, body: { why: 'slow' } });
    const document = await stage.finish(
      saga.graph([
        saga.task('a', { onFailure: 'b' }),
        saga.task(
          'b',
          {},
          { body: '{{nodes.a.failure.outcome}} {{nodes.a.failure.statusCode}} {{nodes.a.failure.reason}}' },
        ),
      ]),
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(downstream.order('/route-unknown/')).toEqual(['a', 'undo-a', 'b']);
    expect(downstream.calls('/route-unknown/b')[0]!.body).toBe('unknown 504 status_5xx');
  });

  it.concurrent('leads to CORRUPTED when that compensation fails, and a retry settles it', async () => {
    const saga = stage.saga('route-corrupted');
    downstream.script('/route-corrupted/a', { cut: true });
    downstream.script('/route-corrupted/undo-a', { status: 500 });
    const document = await stage.finish(
      saga.graph([saga.task('a', { onFailure: 'b' }), saga.task('b')], {
        onSuccessCallback: saga.call('won'),
        onFailureCallback: saga.call('lost', { body: '{{failure.status}} {{failure.reason}}' }),
      }),
    );
    expect(document).toMatchObject({ status: 'CORRUPTED', reason: 'compensation', retryable: true });
    expect(downstream.order('/route-corrupted/')).toEqual(['a', 'undo-a', 'b', 'lost']);
    expect(downstream.calls('/route-corrupted/lost')[0]!.body).toBe('CORRUPTED compensation');
    // What succeeded is no unfinished compensation: the execution is to end as SUCCEEDED.
    expect(document.compensations).toMatchObject([{ nodeId: 'a', state: 'FAILED' }]);
    const preview = await stage.ask('GET', `/workflows/${document.id}/retry-preview`);
    expect(preview.body).toMatchObject([{ nodeId: 'a', url: `${downstream.url}/route-corrupted/undo-a` }]);
    const settled = { nodeId: 'b', phase: 'DOWN', outcome: 'succeeded', reason: 'looked at' };
    expect(await stage.control(document.id, 'resolve', settled)).toBe(409);
    downstream.script('/route-corrupted/undo-a', {});
    expect(await stage.control(document.id, 'retry')).toBe(202);
    expect(await stage.untilStatus(document.id, 'SUCCEEDED')).toMatchObject({ round: 1, standing: [] });
    expect(downstream.order('/route-corrupted/').slice(4)).toEqual(['undo-a', 'won']);
  });
});

describe('a compensation that cannot be completed', () => {
  const corrupted = async (name: string) => {
    const saga = stage.saga(name);
    downstream.script(`/${name}/d`, { status: 400 });
    downstream.script(`/${name}/undo-a`, { status: 500 });
    downstream.script(`/${name}/undo-c`, { status: 500 });
    const document = await stage.finish(saga.linear(['a', 'b', 'c', 'd'], { onFailureCallback: saga.call('lost') }));
    expect(document).toMatchObject({
      status: 'CORRUPTED',
      reason: 'compensation',
      failedNodeId: 'd',
      failureDescription:
        'The compensations of "c" and "a" could not be completed and must be settled by hand or retried. ' +
        'The execution was to end as FAILED at "d": The downstream answered 400.',
      standing: [
        { nodeId: 'a', visit: 1, round: 1, outcome: 'succeeded' },
        { nodeId: 'c', visit: 1, round: 1, outcome: 'succeeded' },
      ],
    });
    expect(downstream.order(`/${name}/`)).toEqual(['a', 'b', 'c', 'd', 'undo-c', 'undo-b', 'undo-a', 'lost']);
    return document.id as string;
  };

  it.concurrent('does not stop the others; a retry runs the unfinished ones again in the same round', async () => {
    const id = await corrupted('retry-corrupted');
    downstream.script('/retry-corrupted/undo-a', {});
    downstream.script('/retry-corrupted/undo-c', {});
    expect(await stage.control(id, 'retry')).toBe(202);
    expect(await stage.untilStatus(id, 'FAILED')).toMatchObject({ round: 1, reason: 'status_4xx', standing: [] });
    expect((await stage.show(id)).failureDescription).toBe('The downstream answered 400.');
    expect(downstream.order('/retry-corrupted/').slice(8)).toEqual(['undo-c', 'undo-a', 'lost']);
    // The same compensations, and the second occasion of the hook.
    expect(new Set(downstream.calls('/retry-corrupted/undo-a').map(({ key }) => key)).size).toBe(1);
    expect(downstream.calls('/retry-corrupted/lost').map(({ key }) => key)).toEqual(
      [1, 2].map((visit) => `${id}:1:onFailureCallback:${visit}:HOOK`),
    );
  });

  it.concurrent('is settled by an operator; the last one settled ends the execution', async () => {
    const id = await corrupted('resolve-corrupted');
    const resolve = (nodeId: string, outcome: string) =>
      stage.control(id, 'resolve', { nodeId, phase: 'DOWN', outcome, reason: 'looked at' });
    expect(await resolve('b', 'succeeded')).toBe(409);
    expect(await resolve('a', 'succeeded')).toBe(202);
    expect(await stage.show(id)).toMatchObject({
      status: 'CORRUPTED',
      failureDescription: expect.stringMatching(/^The compensation of "c" could not be completed/),
      standing: [{ nodeId: 'c' }],
    });
    expect(await resolve('a', 'succeeded')).toBe(409);
    expect(await resolve('c', 'failed')).toBe(202);
    // Accepted, not undone: it stands.
    expect(await stage.untilStatus(id, 'FAILED')).toMatchObject({
      standing: [{ nodeId: 'c', outcome: 'succeeded' }],
      compensations: [{ state: 'RESOLVED' }, { state: 'DONE' }, { state: 'RESOLVED' }],
    });
    expect(rowNames(await stage.steps(id)).filter((row) => row.endsWith('RESOLVE'))).toEqual([
      'a RESOLVE',
      'c RESOLVE',
    ]);
    const { body } = await stage.ask('GET', '/workflows?standing=true&name=resolve-corrupted');
    expect(body).toMatchObject([{ id, status: 'FAILED' }]);
  });
});

describe('an execution that ran out of time', () => {
  it.concurrent('gives up its call, which is unknown, and compensates without a bound', async () => {
    const saga = stage.saga('expired');
    downstream.script('/expired/b', { after: new Promise(() => undefined) });
    const document = await stage.finish(saga.linear(['a', 'b'], { timeoutMillis: 2000 }));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'execution_timeout', standing: [] });
    expect(attempts(await stage.calls(document.id))).toEqual([
      'a UP 1 succeeded',
      'b UP 1 unknown',
      'b DOWN 1 succeeded',
      'a DOWN 1 succeeded',
    ]);
  });

  it.concurrent.each([
    ['a sleep', { kind: 'sleep', id: 'w', durationMillis: 3_600_000 }],
    ['a backoff', undefined],
  ])('ends %s', async (what, node) => {
    const saga = stage.saga(`expired-${what.replaceAll(' ', '-')}`);
    downstream.script(`/${saga.name}/w`, { status: 500 });
    const patient = { type: 'retry', maxAttempts: 1, delayMillis: 3_600_000 };
    const document = await stage.finish(
      saga.graph([saga.task('a', { next: 'w' }), node ?? saga.task('w', { failureHandling: patient })], {
        timeoutMillis: 1000,
      }),
    );
    expect(document).toMatchObject({ status: 'FAILED', reason: 'execution_timeout' });
    expect(downstream.order(`/${saga.name}/`).at(-1)).toBe('undo-a');
  });
});

describe('a loop', () => {
  it.concurrent('is bounded by maxNodeVisits', async () => {
    const saga = stage.saga('bounded');
    const document = await stage.finish(
      saga.graph([saga.task('a', { next: 'a', failureHandling: once })], { maxNodeVisits: 3 }),
    );
    expect(document).toMatchObject({ status: 'FAILED', reason: 'visits', standing: [] });
    expect(downstream.order('/bounded/')).toEqual(['a', 'a', 'a', 'undo-a', 'undo-a', 'undo-a']);
  });
});
