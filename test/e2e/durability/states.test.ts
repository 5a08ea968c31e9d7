/**
 * The server is killed while executions are in every state that they can be in, started again on the same directory, and
 * must go on as if nothing had happened, but for the calls that were in flight: those come again, under their keys.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { attempts, rowNames, Stage } from '../stage/stage.ts';

const stage = new Stage();
const { downstream } = stage;
const never = new Promise(() => undefined);
const moment = 3000;

/** Ids by saga. */
const ids: Record<string, string> = {};
let tokens: { readonly waiting: string; readonly early: string };
let keyedAgain: AnswerBody;
let statusWhileDown: unknown;

async function start(name: string, definition: object, ready: (id: string) => Promise<unknown>): Promise<void> {
  const id = await stage.run(definition, { payload: { n: 1 } });
  ids[name] = id;
  await ready(id);
}

const keyed = { 'idempotency-key': 'the-key' };
const key = (name: string, node: string, phase = 'UP'): string => `${ids[name]}:1:${node}:1:${phase}`;
const keysOf = (path: string): string[] => downstream.calls(path).map((request) => request.key);

/** A row per visit and phase, and an attempt once. */
async function expectNoDuplicates(id: string): Promise<void> {
  const rows = (await stage.steps(id)).map(
    ({ round, stepName, visit, phase }) => `${round} ${stepName} ${visit} ${phase}`,
  );
  expect(rows).toEqual([...new Set(rows)]);
  const made = (await stage.calls(id)).map(
    (call) => `${call.round} ${call.stepName} ${call.visit} ${call.phase} ${call.attempt}`,
  );
  expect(made).toEqual([...new Set(made)]);
}

beforeAll(async () => {
  await stage.open();
  const saga = (name: string) => stage.saga(name);
  const build = {
    call: saga('call').linear(['a', 'b', 'c']),
    backoff: saga('backoff').graph([
      saga('backoff').task('a', { next: 'b' }),
      saga('backoff').task('b', { failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: moment } }),
    ]),
    sleep: saga('sleep').graph([
      saga('sleep').task('a', { next: 'nap' }),
      { kind: 'sleep', id: 'nap', durationMillis: moment, next: 'b' },
      saga('sleep').task('b'),
    ]),
    waiting: saga('waiting').graph([saga('waiting').asyncTask('ask', { next: 'b' }), saga('waiting').task('b')]),
    early: saga('early').graph([saga('early').asyncTask('ask', { next: 'b' }), saga('early').task('b')]),
    expiring: saga('expiring').graph([saga('expiring').asyncTask('ask', {}, { timeoutMillis: moment })]),
    undoing: saga('undoing').linear(['a', 'b', 'c']),
    hook: saga('hook').linear(['a'], { onSuccessCallback: saga('hook').call('won') }),
    split: saga('split').graph([
      { kind: 'split', id: 'fork', branches: ['x', 'y', 'z'], join: 'merge' },
      saga('split').task('x'),
      saga('split').task('y'),
      saga('split').task('z'),
      { kind: 'join', id: 'merge', next: 'end' },
      saga('split').task('end'),
    ]),
    timed: saga('timed').linear(['a'], { timeoutMillis: moment }),
    scheduled: saga('scheduled').linear(['a']),
    cancelling: saga('cancelling').linear(['a', 'b', 'c']),
    terminating: saga('terminating').linear(['a', 'b']),
    waking: saga('waking').graph([{ kind: 'sleep', id: 'nap', duration: 'PT1H', next: 'a' }, saga('waking').task('a')]),
    retrying: saga('retrying').linear(['a']),
    resolving: saga('resolving').linear(['a', 'b']),
  };
  downstream.script('/call/b', { after: never }, {});
  downstream.script('/backoff/b', { status: 500 }, {});
  downstream.script('/undoing/c', { status: 400 });
  downstream.script('/undoing/undo-b', { after: never }, {});
  downstream.script('/hook/won', { after: never }, {});
  downstream.script('/split/x', { after: never }, {});
  downstream.script('/split/y', { after: never }, {});
  downstream.script('/timed/a', { after: never });
  downstream.script('/cancelling/b', { after: never });
  downstream.script('/terminating/b', { after: never });
  downstream.script('/retrying/a', { status: 400 }, {});
  downstream.script('/resolving/b', { status: 400 });
  downstream.script('/resolving/undo-a', { status: 500 });
  await Promise.all([
    start('call', build.call, () => downstream.arrival('/call/b')),
    start('backoff', build.backoff, (id) => stage.until(id, (x) => x.currentNodes[0]?.state === 'BACKOFF')),
    start('sleep', build.sleep, (id) => stage.untilStatus(id, 'SLEEPING')),
    start('waiting', build.waiting, (id) => stage.untilStatus(id, 'WAITING_CALLBACK')),
    start('early', build.early, (id) => stage.untilStatus(id, 'WAITING_CALLBACK')),
    start('expiring', build.expiring, (id) => stage.untilStatus(id, 'WAITING_CALLBACK')),
    start('undoing', build.undoing, () => downstream.arrival('/undoing/undo-b')),
    start('hook', build.hook, () => downstream.arrival('/hook/won')),
    start('split', build.split, (id) =>
      Promise.all([
        downstream.arrival('/split/x'),
        downstream.arrival('/split/y'),
        stage.until(id, (x) => x.currentNodes.every(({ nodeId }: AnswerBody) => nodeId !== 'z')),
      ]),
    ),
    start('timed', build.timed, () => downstream.arrival('/timed/a')),
    start('cancelling', build.cancelling, () => downstream.arrival('/cancelling/b')),
    start('terminating', build.terminating, () => downstream.arrival('/terminating/b')),
    start('waking', build.waking, (id) => stage.untilStatus(id, 'SLEEPING')),
    start('retrying', build.retrying, (id) => stage.untilStatus(id, 'FAILED')),
    start('resolving', build.resolving, (id) => stage.untilStatus(id, 'CORRUPTED')),
  ]);
  ids['scheduled'] = await stage.run(build.scheduled, { startAt: new Date(Date.now() + moment).toISOString() });
  tokens = {
    waiting: (await stage.callbackOf('/waiting/ask')).to,
    early: (await stage.callbackOf('/early/ask')).to,
  };

  // Answered a moment before the kill: accepted means durable.
  const run = { definition: saga('keyed').linear(['a']), payload: { n: 1 } };
  const [started, stored, called] = await Promise.all([
    stage.ask('POST', '/workflows/run', run, keyed),
    stage.ask('POST', '/workflows/definitions', saga('stored').linear(['a'])),
    stage.callBack(tokens.early, { n: 7 }),
  ]);
  const resolution = { nodeId: 'a', phase: 'DOWN', outcome: 'succeeded', reason: 'undone by hand' };
  const controlled = await Promise.all([
    stage.control(ids['cancelling']!, 'cancel', { reason: 'changed my mind' }),
    stage.control(ids['terminating']!, 'terminate'),
    stage.control(ids['waking']!, 'wake'),
    stage.control(ids['retrying']!, 'retry'),
    stage.control(ids['resolving']!, 'resolve', resolution),
  ]);
  await stage.kill();
  expect([started.status, stored.status, called]).toEqual([200, 200, 202]);
  expect(controlled).toEqual([202, 202, 202, 202, 202]);
  ids['keyed'] = started.body.id;
  ids['stored'] = stored.body.id;

  statusWhileDown = await stage.callBack(tokens.waiting, { n: 8 }).catch((error: unknown) => error);
  await stage.start();
  keyedAgain = (await stage.ask('POST', '/workflows/run', run, keyed)).body;
});
afterAll(() => stage.close());

describe('after a kill', () => {
  it('a call in flight comes again under its key, and nothing else does', async () => {
    const document = await stage.untilEnd(ids['call']!);
    expect(document).toMatchObject({ status: 'SUCCEEDED', round: 1 });
    expect(downstream.order('/call/')).toEqual(['a', 'b', 'b', 'c']);
    expect(keysOf('/call/b')).toEqual([key('call', 'b'), key('call', 'b')]);
    expect(attempts(await stage.calls(document.id))).toEqual([
      'a UP 1 succeeded',
      'b UP 1 unknown',
      'b UP 2 succeeded',
      'c UP 1 succeeded',
    ]);
    expect(rowNames(await stage.steps(document.id))).toEqual(['a UP', 'b UP', 'c UP']);
  });

  it('a backoff goes on', async () => {
    const document = await stage.untilEnd(ids['backoff']!);
    expect(document.status).toBe('SUCCEEDED');
    expect(downstream.order('/backoff/')).toEqual(['a', 'b', 'b']);
    expect(keysOf('/backoff/b')).toEqual([key('backoff', 'b'), key('backoff', 'b')]);
  });

  it('a sleep and a start in the future go on', async () => {
    expect(await stage.untilEnd(ids['sleep']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.order('/sleep/')).toEqual(['a', 'b']);
    expect(await stage.untilEnd(ids['scheduled']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.order('/scheduled/')).toEqual(['a']);
  });

  it('a token from before is as good as ever; a callback that found no server may come again', async () => {
    expect(statusWhileDown).toBeInstanceOf(Error);
    expect(await stage.show(ids['waiting']!)).toMatchObject({ status: 'WAITING_CALLBACK' });
    expect(await stage.callBack(tokens.waiting, { n: 8 })).toBe(202);
    expect(await stage.untilEnd(ids['waiting']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stage.callBack(tokens.waiting, { n: 8 })).toBe(200);
    expect(downstream.order('/waiting/')).toEqual(['ask', 'b']);
  });

  it('a callback that was accepted counts, and is known', async () => {
    expect(await stage.untilEnd(ids['early']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stage.callBack(tokens.early, { n: 7 })).toBe(200);
    expect(await stage.callBack(tokens.early, { n: 9 })).toBe(409);
    // The next call may have been in flight already at the kill.
    expect(keysOf('/early/ask')).toHaveLength(1);
    expect(new Set(keysOf('/early/b'))).toEqual(new Set([key('early', 'b')]));
  });

  it('the time for a callback, and for the whole run, goes on', async () => {
    expect(await stage.untilEnd(ids['expiring']!)).toMatchObject({ status: 'FAILED', reason: 'callback_timeout' });
    expect(downstream.order('/expiring/')).toEqual(['ask', 'undo-ask']);
    expect(await stage.untilEnd(ids['timed']!)).toMatchObject({ status: 'FAILED', reason: 'execution_timeout' });
    expect(downstream.order('/timed/').at(-1)).toBe('undo-a');
    expect(new Set(keysOf('/timed/a'))).toEqual(new Set([key('timed', 'a')]));
  });

  it('a compensation in flight comes again under its key, in its order', async () => {
    const document = await stage.untilEnd(ids['undoing']!);
    expect(document).toMatchObject({ status: 'FAILED', failedNodeId: 'c', standing: [] });
    expect(downstream.order('/undoing/')).toEqual(['a', 'b', 'c', 'undo-b', 'undo-b', 'undo-a']);
    expect(keysOf('/undoing/undo-b')).toEqual([key('undoing', 'b', 'DOWN'), key('undoing', 'b', 'DOWN')]);
  });

  it('a hook in flight comes again under its key', async () => {
    const document = await stage.untilEnd(ids['hook']!);
    expect(document.status).toBe('SUCCEEDED');
    expect(document).not.toHaveProperty('callbackWarning');
    expect(keysOf('/hook/won')).toEqual([
      key('hook', 'onSuccessCallback', 'HOOK'),
      key('hook', 'onSuccessCallback', 'HOOK'),
    ]);
  });

  it('of three branches, only the two with calls in flight call again', async () => {
    expect(await stage.untilEnd(ids['split']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.order('/split/').toSorted()).toEqual(['end', 'x', 'x', 'y', 'y', 'z']);
    expect(new Set(keysOf('/split/x'))).toEqual(new Set([key('split', 'x')]));
  });

  it('what was answered a moment before is there: run, key and definition', async () => {
    expect(await stage.untilEnd(ids['keyed']!)).toMatchObject({ status: 'SUCCEEDED', payload: { n: 1 } });
    expect(keyedAgain.id).toBe(ids['keyed']);
    expect((await stage.ask('GET', `/workflows/definitions/${ids['stored']}`)).status).toBe(200);
  });

  it('what an operator asked for a moment before happens', async () => {
    const cancelled = await stage.untilEnd(ids['cancelling']!);
    expect(cancelled).toMatchObject({ status: 'CANCELLED', standing: [] });
    expect(cancelled.failureDescription).toContain('changed my mind');
    expect(downstream.order('/cancelling/')).toEqual(['a', 'b', 'undo-b', 'undo-a']);
    expect(await stage.untilEnd(ids['terminating']!)).toMatchObject({
      status: 'TERMINATED',
      standing: [{ nodeId: 'a' }, { nodeId: 'b', outcome: 'unknown' }],
    });
    expect(downstream.order('/terminating/')).toEqual(['a', 'b']);
    expect(await stage.untilEnd(ids['waking']!)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stage.untilStatus(ids['retrying']!, 'SUCCEEDED')).toMatchObject({ round: 2 });
    expect(await stage.untilStatus(ids['resolving']!, 'FAILED')).toMatchObject({
      standing: [],
      compensations: [{ nodeId: 'a', state: 'RESOLVED' }],
    });
  });

  it('no row of the history is there twice', async () => {
    for (const [name, id] of Object.entries(ids)) if (name !== 'stored') await expectNoDuplicates(id);
  });
});
