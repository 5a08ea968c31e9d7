/** What families do over the API of a real server, whatever its store is. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import type { Stage } from './stage.ts';

/** A node that starts the latest definition of this name. */
const starting = (id: string, name: string, changes: object = {}): object => ({
  kind: 'workflow',
  id,
  definition: { name, version: 'latest' },
  ...changes,
});

/** Tests that play on a stage that is open. */
export function familyPlays(stage: Stage): void {
  const { downstream } = stage;

  async function stored(definition: object): Promise<void> {
    const { status, text } = await stage.ask('POST', '/workflows/definitions', definition);
    if (status !== 200) throw new Error(text);
  }

  const childrenOf = async (id: string): Promise<AnswerBody[]> =>
    (await stage.ask('GET', `/workflows/${id}/children?limit=200`)).body;

  it('shows which run started another one, and uses the results of children', async () => {
    await stored(stage.saga('deep-box').linear(['pack']));
    const ship = stage.saga('deep-ship');
    await stored(ship.graph([ship.task('label', { next: 'box' }), starting('box', 'deep-box')]));
    downstream.script('/deep-box/pack', { body: { parcel: 'p-1' } });
    const saga = stage.saga('deep-order');
    const use = saga.task('use', {}, { body: '{{nodes.ship.response.body.parcel}} {{nodes.ship.child.status}}' });
    const order = saga.graph([
      saga.task('reserve', { next: 'ship' }),
      starting('ship', 'deep-ship', { next: 'use', payload: { of: '{{payload.order}}' }, labels: { tier: 'gold' } }),
      use,
    ]);
    const document = await stage.finish(order, { payload: { order: 'o-1' }, labels: { tenant: 'acme' } });
    expect(document).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(downstream.calls('/deep-order/use')[0]?.body).toBe('p-1 SUCCEEDED');
    const { children, id } = document;
    expect(children).toMatchObject({ count: 1, running: 0, corrupted: 0 });
    expect(await childrenOf(id)).toEqual(children.first);
    const shipping = await stage.show(children.first[0].id);
    expect(shipping).toMatchObject({
      name: 'deep-ship',
      parent: { id, round: 1, nodeId: 'ship', visit: 1 },
      root: id,
      payload: { of: 'o-1' },
      labels: { tenant: 'acme', tier: 'gold' },
    });
    const box = await stage.show(shipping.children.first[0].id);
    expect(box).toMatchObject({ name: 'deep-box', parent: { id: shipping.id }, root: id });
    const found = (await stage.ask('GET', `/workflows?parent=${id}`)).body;
    expect(found.map((row: AnswerBody) => row.id)).toEqual([shipping.id]);
    const roots = (await stage.ask('GET', '/workflows?root=true&limit=200')).body;
    expect(roots.map((row: AnswerBody) => row.id)).toContain(id);
    expect(roots.map((row: AnswerBody) => row.id)).not.toContain(box.id);
  });

  it('takes children back, and lists what stands of them where that fails', async () => {
    await stored(stage.saga('back-pay').linear(['charge']));
    const saga = stage.saga('back');
    const definition = saga.graph([starting('pay', 'back-pay', { next: 'ship' }), saga.task('ship')]);
    downstream.script('/back/ship', { status: 422 });
    const undone = await stage.finish(definition);
    expect(undone).toMatchObject({ status: 'FAILED', failedNodeId: 'ship', standing: [] });
    expect(await childrenOf(undone.id)).toMatchObject([{ status: 'CANCELLED' }]);
    downstream.script('/back-pay/undo-charge', { status: 400 });
    const corrupted = await stage.finish(definition);
    const [child] = await childrenOf(corrupted.id);
    expect(child).toMatchObject({ status: 'CORRUPTED' });
    expect(corrupted).toMatchObject({
      status: 'CORRUPTED',
      children: { corrupted: 1 },
      standing: [{ nodeId: 'pay', visit: 1, round: 1, child: child.id }],
    });
    const standing = (await stage.ask('GET', '/workflows?standing=true')).body;
    expect(standing.map((row: AnswerBody) => row.id)).toEqual(expect.arrayContaining([corrupted.id, child.id]));
    // Once the child is mended, a retry of the parent finds it so.
    downstream.script('/back-pay/undo-charge', {});
    expect(await stage.control(child.id, 'retry')).toBe(202);
    expect(await stage.untilEnd(child.id)).toMatchObject({ status: 'CANCELLED' });
    expect(await stage.control(corrupted.id, 'retry')).toBe(202);
    expect(await stage.untilStatus(corrupted.id, 'FAILED')).toMatchObject({ standing: [] });
  });

  it('terminates all children with their parent, also those that it does not await', async () => {
    const slow = stage.saga('end-slow');
    await stored(slow.graph([slow.asyncTask('ask')]));
    const saga = stage.saga('end');
    const alone = starting('alone', 'end-slow', { wait: false, next: 'slow' });
    const id = await stage.run(saga.graph([alone, starting('slow', 'end-slow')]));
    await stage.until(id, ({ children }) => children?.count === 2);
    for (const child of await childrenOf(id)) await stage.untilStatus(child.id, 'WAITING_CALLBACK');
    expect(await stage.control(id, 'terminate')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'TERMINATED' });
    for (const child of await childrenOf(id)) {
      expect(await stage.untilEnd(child.id)).toMatchObject({ status: 'TERMINATED', reason: 'terminated' });
    }
    expect((await stage.show(id)).children).toMatchObject({ count: 2, running: 0 });
  });

  it('terminates many children of a loop, and says for which item each was started', async () => {
    const slow = stage.saga('many-slow');
    await stored(slow.graph([{ kind: 'sleep', id: 'nap', durationMillis: 3_600_000 }]));
    const saga = stage.saga('many');
    const each = {
      kind: 'forEach',
      id: 'each',
      items: '{{payload.items}}',
      entry: 'one',
      maxConcurrency: 64,
      next: 'nap',
    };
    const nodes = [
      each,
      starting('one', 'many-slow', { wait: false }),
      { kind: 'sleep', id: 'nap', durationMillis: 3_600_000 },
    ];
    const items = Array.from({ length: 150 }, (_, i) => i);
    const id = await stage.run(saga.graph(nodes), { payload: { items } });
    const { children } = await stage.until(id, (document) => document.children?.count === items.length);
    expect(children.first[0]).toMatchObject({ nodeId: 'one', item: [expect.any(Number)] });
    const all = await childrenOf(id);
    expect(all.map(({ item }: AnswerBody) => item[0]).toSorted((a: number, b: number) => a - b)).toEqual(items);
    expect(await stage.control(id, 'terminate')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'TERMINATED' });
    await stage.until(id, (document) => document.children.running === 0);
    for (const { status } of await childrenOf(id)) expect(status).toBe('TERMINATED');
  });

  it('loses no end of a child, and starts none twice, whatever is killed', async () => {
    await stored(stage.saga('kill-a').linear(['one', 'two']));
    await stored(stage.saga('kill-b').linear(['three']));
    const saga = stage.saga('kill');
    const nodes = [
      starting('first', 'kill-a', { next: 'between' }),
      saga.task('between', { next: 'second' }),
      starting('second', 'kill-b', { next: 'last' }),
      saga.task('last'),
    ];
    for (const path of ['kill-a/one', 'kill-a/two', 'kill-b/three', 'kill/between', 'kill/last']) {
      downstream.answer(`/${path}`, () => ({ after: pause(Math.random() * 60) }));
    }
    const definition = saga.graph(nodes, { failureHandling: { type: 'retry', maxAttempts: 20, delayMillis: 20 } });
    const ids: string[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 8; i++) ids.push(await stage.run(definition));
      await pause(40 + 40 * round);
      await stage.kill();
      await stage.start();
    }
    for (const id of ids) {
      expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', children: { count: 2, running: 0 } });
    }
    // Every repetition of a call has the key of the first one.
    for (const [path, saves] of [
      ['/kill-a/one', ids.length],
      ['/kill-b/three', ids.length],
      ['/kill/last', ids.length],
    ] as const) {
      expect(new Set(downstream.calls(path).map(({ key }) => key)).size).toBe(saves);
    }
  });
}
