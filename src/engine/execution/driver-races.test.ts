/** Races of a driver; the simulator found each of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { type Queue, QueueUnavailable } from '../../ports/queue.ts';

const asyncAction = (timeoutMillis: number): JsonObject => ({ mode: 'async', callback: { timeoutMillis } });

describe('at the same time', () => {
  let fixture: RuntimeFixture;

  beforeEach(() => {
    fixture = new RuntimeFixture();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  it('a callback and a cancel: nothing new starts', async () => {
    const engine = await fixture.engine();
    const id = await fixture.submit(engine, graph([task('a', { action: asyncAction(60_000), next: 'b' }), task('b')]));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(5);
    await fixture.offer(undefined, id, await fixture.callbackOf(id, 'a'), 'h');
    await fixture.offer(engine, id, { type: 'cancelled', inboxId: 'c1' });
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    expect(fixture.http.paths()).toEqual(['a', 'undo-a']);
    expect((await fixture.store.readInbox(id)).inbox).toEqual([]);
  });

  it('a callback that would end it, and a cancel that was accepted: it is cancelled', async () => {
    const engine = await fixture.engine();
    const id = await fixture.submit(engine, graph([task('a', { action: asyncAction(60_000) })]));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(5);
    await fixture.offer(undefined, id, await fixture.callbackOf(id, 'a'), 'h');
    await fixture.offer(engine, id, { type: 'cancelled', inboxId: 'c1' });
    expect((await fixture.until(id)).status).toBe('CANCELLED');
  });

  it('the end of the time for a callback, and the callback: it decides', async () => {
    const engine = await fixture.engine();
    const failureHandling = { type: 'retry', maxAttempts: 1, delayMillis: 0 };
    const id = await fixture.submit(engine, graph([task('a', { action: asyncAction(5_000), failureHandling })]));
    await fixture.until(id, 'WAITING_CALLBACK');
    const callback = await fixture.callbackOf(id, 'a');
    let write = (): void => undefined;
    const gate = new Promise<void>((resolve) => (write = resolve));
    fixture.store.fault = (operation) => (operation === 'checkpoint' ? gate : undefined);
    const before = fixture.store.count('checkpoint');
    await fixture.clock.runUntilIdle(10_000, () => fixture.store.count('checkpoint') > before);
    expect(await fixture.offer(undefined, id, callback, 'h')).toBe('accepted');
    fixture.store.fault = () => undefined;
    write();
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a']);
  });

  it('a branch that fails and one that begins: its call does not go out', async () => {
    const engine = await fixture.engine();
    const id = await fixture.submit(
      engine,
      graph([
        { kind: 'split', id: 's', branches: ['a', 'bad'], join: 'j' },
        task('a'),
        { kind: 'fail', id: 'bad', reason: 'No.' },
        { kind: 'join', id: 'j' },
      ]),
    );
    expect((await fixture.until(id)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual([]);
    expect(await fixture.rows(id)).toEqual(['SPLIT:s:succeeded', 'FAIL:bad:rejected']);
  });

  it('a read for a call of a new round and a cancel: the call does not go out', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : {});
    const id = await fixture.submit(engine, graph([task('a', { next: 'b' }), task('b')]));
    expect((await fixture.until(id)).status).toBe('FAILED');
    fixture.store.fault = (operation, [, nodeId]) => {
      if (operation !== 'findStanding' || nodeId !== 'a') return undefined;
      return new Promise((resolve) => {
        fixture.clock.after(100, resolve);
      });
    };
    const before = fixture.http.calls.length;
    await fixture.retry(engine, id);
    await fixture.clock.advance(50);
    await fixture.offer(engine, id, { type: 'cancelled', inboxId: 'c1' });
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    expect(fixture.http.calls.length).toBe(before);
    expect((await fixture.rows(id)).at(-1)).toBe('UP:a:unsent');
  });

  it('a quarantine and a callback: the retry goes on with it', async () => {
    const engine = await fixture.engine();
    const id = await fixture.submit(engine, graph([task('a', { action: asyncAction(60_000) })]));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(5);
    await fixture.offer(undefined, id, await fixture.callbackOf(id, 'a'), 'h');
    for (let i = 0; i < 5; i++) await fixture.store.takeOver([{ id, claim: `dead-${i}` }], fixture.clock.now());
    expect(await fixture.until(id)).toMatchObject({ status: 'CORRUPTED', reason: 'engine' });
    expect((await fixture.store.readInbox(id)).inbox).toHaveLength(1);
    await fixture.retry(engine, id);
    expect((await fixture.until(id, 'SUCCEEDED', 10_000)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a']);
  });

  it('a read for a compensation that outlasts the lease: the next owner makes the call', async () => {
    const engine = await fixture.engine({ leaseMillis: 3_000 }, true, (queue) =>
      leasesOnlyAfter(queue, () => fixture.clock.monotonic() > 5_500),
    );
    const compensation = { url: 'http://mock/undo-a', verb: 'POST', body: { of: '{{nodes.a.response.body}}' } };
    const definition = graph([
      { ...task('a', { compensation: false, next: 'b' }), compensation },
      task('b', { compensation: false }),
    ]);
    let isSlow = true;
    fixture.store.fault = (operation) => {
      if (operation !== 'readOutputs' || !isSlow) return undefined;
      isSlow = false;
      return new Promise((resolve) => {
        fixture.clock.after(5_000, resolve);
      });
    };
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : {});
    const id = await fixture.submit(engine, definition);
    expect((await fixture.until(id)).status).toBe('FAILED');
    const undone = fixture.http.calls.filter(({ request }) => request.url.endsWith('undo-a'));
    expect(undone.map(({ request }) => request.headers['trama-attempt'])).toEqual(['2']);
  });

  it('a termination and a compensation in flight: the next round does not count on the effect', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : path === 'undo-a' ? 'hold' : {});
    const id = await fixture.submit(engine, graph([task('a', { next: 'b' }), task('b')]));
    await fixture.clock.advance(10);
    await fixture.offer(engine, id, { type: 'terminated', inboxId: 't1' });
    expect((await fixture.until(id)).status).toBe('TERMINATED');
    expect((await fixture.store.listEffects(id, 9)).map(({ undo }) => undo)).toEqual(['failed']);
    fixture.http.reply = () => ({});
    await fixture.retry(engine, id, true);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.keys().slice(-2)).toEqual([`${id}:2:a:1:UP`, `${id}:2:b:1:UP`]);
  });
});

/** A queue that renews and claims nothing before that instant. */
function leasesOnlyAfter(queue: Queue, isBack: () => boolean): Queue {
  const unless = <T>(action: () => Promise<T>): Promise<T> =>
    isBack() ? action() : Promise.reject(new QueueUnavailable('Away.'));
  return {
    process: queue.process,
    owned: queue.owned,
    trouble: [],
    oldestDueAt: undefined,
    wantsRenewal: false,
    start: (listener) => queue.start(listener),
    leave: () => queue.leave(),
    stop: () => queue.stop(),
    owns: (slot) => queue.owns(slot),
    toRefill: () => queue.toRefill(),
    enqueue: (items) => queue.enqueue(items),
    claim: (max, leaseMillis) => unless(() => queue.claim(max, leaseMillis)),
    claimDirect: (items, leaseMillis) => queue.claimDirect(items, leaseMillis),
    renew: (held, leaseMillis) => unless(() => queue.renew(held, leaseMillis)),
    ack: (done) => queue.ack(done),
    release: (held) => queue.release(held),
    reconcile: (items) => queue.reconcile(items),
    size: () => queue.size(),
  };
}
