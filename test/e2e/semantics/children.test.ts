/** Executions that start others: what clients see of them, and what people do to them. */
import { describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { openStage, rowNames } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;

/** Stores a definition of this name, and answers a node that starts it. */
async function stored(name: string, nodes: (saga: ReturnType<typeof stage.saga>) => object[], node: object = {}) {
  const saga = stage.saga(name);
  const { status, text } = await stage.ask('POST', '/workflows/definitions', saga.graph(nodes(saga)));
  if (status !== 200) throw new Error(text);
  return { kind: 'workflow', id: 'sub', definition: { name, version: 'latest' }, ...node };
}

const childrenOf = async (id: string): Promise<AnswerBody[]> =>
  (await stage.ask('GET', `/workflows/${id}/children`)).body;

describe('a workflow node', () => {
  it.concurrent('starts an execution, waits for it, and has its result', async () => {
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/inner/pay', { after: answer.promise, body: { receipt: 12 } });
    const sub = await stored('inner', (saga) => [saga.task('pay', {}, { body: { of: '{{payload.order}}' } })], {
      payload: { order: '{{payload.id}}' },
      labels: { of: 'order-{{payload.id}}' },
      next: 'last',
    });
    const saga = stage.saga('outer');
    const body = { got: '{{nodes.sub.response.body.receipt}}', by: '{{nodes.sub.child.id}}' };
    const definition = saga.graph([sub, saga.task('last', {}, { body })]);
    const id = await stage.run(definition, { payload: { id: 7 }, labels: { tenant: 'a' } });
    await downstream.arrival('/inner/pay');
    const waiting = await stage.untilStatus(id, 'WAITING_CALLBACK');
    const [child] = await childrenOf(id);
    expect(waiting).toMatchObject({
      currentNodes: [{ nodeId: 'sub', visit: 1, state: 'WAITING_CHILD', detail: `${child!.id} is IN_PROGRESS.` }],
      children: { count: 1, running: 1, first: [{ id: child!.id, nodeId: 'sub', round: 1, visit: 1, name: 'inner' }] },
    });
    expect(
      await stage.ask('POST', `/workflows/${id}/resolve`, {
        nodeId: 'sub',
        phase: 'UP',
        outcome: 'succeeded',
        reason: 'x',
      }),
    ).toMatchObject({ status: 409, body: { errors: [expect.stringContaining(child!.id)] } });
    expect(await stage.ask('POST', `/workflows/${id}/wake`)).toMatchObject({
      status: 409,
      body: { errors: [expect.stringContaining(child!.id)] },
    });
    answer.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(JSON.parse(downstream.calls('/inner/pay')[0]!.body)).toEqual({ of: 7 });
    expect(JSON.parse(downstream.calls('/outer/last')[0]!.body)).toEqual({ got: 12, by: child!.id });
    const rows = await stage.steps(id);
    expect(rowNames(rows)).toEqual(['sub WORKFLOW', 'sub WORKFLOW', 'last UP']);
    expect(rows.slice(0, 2).map(({ responseBody }) => responseBody)).toEqual([{ id: child!.id }, { receipt: 12 }]);
    expect(await stage.show(child!.id)).toMatchObject({
      status: 'SUCCEEDED',
      parent: { id, round: 1, nodeId: 'sub', visit: 1 },
      root: id,
      labels: { tenant: 'a', of: 'order-7' },
      result: { receipt: 12 },
    });
  });

  it.concurrent('fails with the execution that it started, and says why', async () => {
    downstream.script('/bad/pay', { status: 409 });
    const sub = await stored('bad', (saga) => [saga.task('pay')]);
    const saga = stage.saga('over-bad');
    const document = await stage.finish(
      saga.graph([saga.task('first', { next: 'sub' }), sub], {
        onFailureCallback: saga.call('lost', { body: '{{nodes.sub.failure.reason}} {{nodes.sub.failure.statusCode}}' }),
      }),
    );
    expect(document).toMatchObject({ status: 'FAILED', reason: 'child', failedNodeId: 'sub' });
    expect(document.failureDescription).toMatch(/^The execution [\w-]+ ended FAILED\. .*409/);
    expect(downstream.order('/over-bad/')).toEqual(['first', 'undo-first', 'lost']);
    expect(downstream.calls('/over-bad/lost')[0]!.body).toBe('status_4xx 409');
  });

  it.concurrent('undoes an execution that has succeeded', async () => {
    downstream.script('/over-done/last', { status: 400 });
    const sub = await stored('done', (saga) => [saga.task('a', { next: 'b' }), saga.task('b')], { next: 'last' });
    const saga = stage.saga('over-done');
    const document = await stage.finish(saga.graph([sub, saga.task('last')]));
    expect(document).toMatchObject({
      status: 'FAILED',
      standing: [],
      compensations: [{ nodeId: 'sub', visit: 1, state: 'DONE' }],
    });
    expect(downstream.order('/done/')).toEqual(['a', 'b', 'undo-b', 'undo-a']);
    const [child] = await childrenOf(document.id);
    const shown = await stage.show(child!.id);
    expect(shown).toMatchObject({ status: 'CANCELLED', reason: 'undone', retryable: false });
    const notes = (await stage.steps(child!.id)).flatMap(({ note }) => note ?? []);
    expect(notes).toContain(`Taken back by the execution ${document.id}.`);
    expect(shown.changes).toBeUndefined();
  });

  it.concurrent('lists what stands of an execution that it does not undo', async () => {
    downstream.script('/over-kept/last', { status: 400 });
    const sub = await stored('kept', (saga) => [saga.task('a')], { next: 'last', compensation: 'none' });
    const saga = stage.saga('over-kept');
    const document = await stage.finish(saga.graph([sub, saga.task('last')]));
    const [child] = await childrenOf(document.id);
    expect(document).toMatchObject({
      status: 'FAILED',
      standing: [{ nodeId: 'sub', visit: 1, round: 1, outcome: 'succeeded', child: child!.id }],
    });
  });

  it.concurrent('ends what runs when its execution is cancelled, and shows that it waits', async () => {
    const answer = Promise.withResolvers<undefined>();
    downstream.script('/slow/b', { after: answer.promise });
    const sub = await stored('slow', (saga) => [saga.task('a', { next: 'b' }), saga.task('b')]);
    const id = await stage.run(stage.saga('over-slow').graph([sub]));
    await downstream.arrival('/slow/b');
    expect(await stage.control(id, 'cancel', { reason: 'no more' })).toBe(202);
    expect(await stage.untilStatus(id, 'COMPENSATING')).toMatchObject({
      currentNodes: expect.arrayContaining([expect.objectContaining({ nodeId: 'sub', state: 'WAITING_CHILD' })]),
    });
    expect(await stage.control(id, 'cancel')).toBe(409);
    answer.resolve(undefined);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'CANCELLED', standing: [] });
    const [child] = await childrenOf(id);
    expect(child).toMatchObject({ status: 'CANCELLED' });
    expect(downstream.order('/slow/')).toEqual(['a', 'b', 'undo-b', 'undo-a']);
    expect((await stage.show(child!.id)).failureDescription).toContain(id);
  });

  it.concurrent('terminates them all at once', async () => {
    downstream.script('/endless/b', { after: new Promise(() => undefined) });
    const inner = await stored('endless', (saga) => [saga.task('a', { next: 'b' }), saga.task('b')]);
    const sub = await stored('between', () => [inner]);
    const id = await stage.run(stage.saga('over-endless').graph([sub]));
    await downstream.arrival('/endless/b');
    expect(await stage.control(id, 'terminate')).toBe(202);
    const document = await stage.untilEnd(id);
    const [between] = await childrenOf(id);
    const [endless] = await childrenOf(between!.id);
    expect(document).toMatchObject({ status: 'TERMINATED', standing: [{ nodeId: 'sub', child: between!.id }] });
    expect(await stage.untilEnd(between!.id)).toMatchObject({ status: 'TERMINATED' });
    expect(await stage.untilEnd(endless!.id)).toMatchObject({ status: 'TERMINATED', root: id });
    expect(downstream.order('/endless/')).toEqual(['a', 'b']);
  });

  it.concurrent('does not wake what it started, but names it', async () => {
    const sub = await stored('asleep', () => [{ kind: 'sleep', id: 'nap', duration: 'PT1H' }]);
    const id = await stage.run(stage.saga('over-asleep').graph([sub]));
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    const [child] = await childrenOf(id);
    await stage.untilStatus(child!.id, 'SLEEPING');
    const { status, body } = await stage.ask('POST', `/workflows/${id}/wake`);
    expect([status, body.errors.at(-1)]).toEqual([409, `Children that sleep are woken by themselves: ${child!.id}.`]);
    expect(await stage.control(child!.id, 'wake')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it.concurrent('is warned of when it closes a circle of stored definitions', async () => {
    const circle = (name: string, other: string): object => ({
      name,
      version: '1',
      entrypoint: 'sub',
      nodes: [{ kind: 'workflow', id: 'sub', definition: { name: other, version: 'latest' } }],
    });
    const first = await stage.ask('POST', '/workflows/definitions', circle('round-a', 'round-b'));
    expect(first.body.warnings).toEqual([]);
    const second = await stage.ask('POST', '/workflows/definitions', circle('round-b', 'round-a'));
    expect(second.body.warnings).toEqual([
      'nodes: "round-b" starts "round-a", which starts "round-b": each run may start another one; a family is at most 10 deep.',
    ]);
    const own = await stage.ask('POST', '/workflows/definitions/validate', circle('round-c', 'round-c'));
    expect(own.body.warnings).toEqual([
      expect.stringContaining('nodes[0].definition.name: "round-c" is the definition itself'),
    ]);
  });
});
