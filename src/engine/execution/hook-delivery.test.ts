/** Hooks that could not be delivered before the end are delivered after it, even if the process ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import { hookStatus, type HookStatus } from '../../core/delivery.ts';
import type { Engine } from '../engine.ts';
import { defaultEngineSettings } from '../settings.ts';

let fixture: RuntimeFixture;

beforeEach(() => {
  fixture = new RuntimeFixture();
});

afterEach(() => fixture.close());

const hook = { url: 'http://hooks/done', verb: 'POST' };
const saga = graph([task('a')], { onSuccessCallback: hook });

const hookCalls = (): readonly string[] => fixture.http.keys().filter((key) => key.includes(':HOOK'));

async function statusOf(id: string): Promise<HookStatus | undefined> {
  return hookStatus((await fixture.detail(id)).state);
}

/** Lets time pass until the hook has this state. */
async function hookUntil(id: string, state: HookStatus['state']): Promise<HookStatus> {
  for (let second = 0; second < 200_000; second++) {
    const status = await statusOf(id);
    if (status?.state === state) return status;
    await fixture.clock.advance(1_000);
  }
  throw new Error(`The hook did not become ${state}.`);
}

/** A run that has ended and whose hook was not delivered. */
async function endedRun(
  engine: Engine,
  reply: { status: number } | { error: 'connect' } = { status: 503 },
): Promise<string> {
  fixture.http.reply = (path) => (path === 'done' ? reply : {});
  const id = await fixture.submit(engine, saga);
  const over = await fixture.until(id);
  expect([over.status, over.callbackWarning]).toEqual(['SUCCEEDED', expect.stringContaining('onSuccessCallback')]);
  return id;
}

describe('a hook after the end', () => {
  it('is delivered once its receiver is back, under its one key', async () => {
    const engine = await fixture.engine();
    const id = await endedRun(engine);
    const { completedAt } = await fixture.detail(id);
    expect(await statusOf(id)).toMatchObject({ state: 'PENDING', attempts: 1 });
    await fixture.clock.advance(20_000);
    fixture.http.reply = () => ({});
    const { attempts } = await hookUntil(id, 'DELIVERED');
    const over = await fixture.detail(id);
    expect([over.status, over.completedAt, over.callbackWarning]).toEqual(['SUCCEEDED', completedAt, undefined]);
    expect(hookCalls()).toHaveLength(attempts);
    expect(new Set(hookCalls())).toEqual(new Set([`${id}:1:onSuccessCallback:1:HOOK`]));
    expect(await fixture.rows(id)).toEqual([
      'UP:a:succeeded',
      'HOOK:onSuccessCallback:rejected',
      'HOOK:onSuccessCallback:succeeded',
    ]);
    // The hook is not called again.
    await fixture.clock.advance(3_600_000);
    expect(hookCalls()).toHaveLength(attempts);
    expect(fixture.logs.filter(({ message }) => message === 'saga finished')).toHaveLength(1);
  });

  it('is given up when its time is over, and says so', async () => {
    const { limits } = defaultEngineSettings;
    const engine = await fixture.engine({ limits: { ...limits, hookDeliverMillis: 60_000 } });
    const id = await endedRun(engine, { error: 'connect' });
    await hookUntil(id, 'FAILED');
    expect((await fixture.detail(id)).callbackWarning).toContain('onSuccessCallback failed');
    const told = fixture.logs.find(({ message }) => message === 'hook not delivered');
    expect(told).toMatchObject({ level: 'warn', fields: { sagaId: id, nodeId: 'onSuccessCallback' } });
    const calls = hookCalls().length;
    await fixture.clock.advance(3_600_000);
    expect(hookCalls()).toHaveLength(calls);
  });

  it('is delivered by the next process when the one that had it ended in the middle of a call', async () => {
    const first = await fixture.engine({ leaseMillis: 3_000 });
    const id = await endedRun(first);
    fixture.http.reply = (path) => (path === 'done' ? 'hold' : {});
    await fixture.clock.advance(10_000);
    expect(hookCalls()).toHaveLength(2);
    const stopped = first.stop({ drainTimeoutMillis: 0 });
    await fixture.clock.runUntilIdle(60_000);
    await stopped;
    fixture.http.reply = () => ({});
    await fixture.engine();
    expect(await hookUntil(id, 'DELIVERED')).toMatchObject({ attempts: 3 });
    expect(new Set(hookCalls()).size).toBe(1);
    const { items } = await fixture.store.listCalls(id, { limit: 99 });
    expect(items.filter(({ phase }) => phase === 'HOOK').map(({ outcome }) => outcome)).toEqual([
      'rejected',
      'unknown',
      'succeeded',
    ]);
  });

  it('is found by the reconcile where the queue has lost it', async () => {
    const engine = await fixture.engine();
    const id = await endedRun(engine);
    fixture.hub.wipe();
    fixture.http.reply = () => ({});
    expect((await hookUntil(id, 'DELIVERED')).attempts).toBe(2);
  });

  it('is called no more once the execution is retried, which does not wait for the call under way', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'a' ? { status: 400 } : { error: 'connect' });
    const id = await fixture.submit(engine, graph([task('a')], { onFailureCallback: hook }));
    await fixture.until(id);
    fixture.http.reply = (path) => (path === 'done' ? 'hold' : {});
    await fixture.clock.advance(10_000);
    const calls = hookCalls().length;
    expect(await statusOf(id)).toMatchObject({ state: 'PENDING', attempts: 2 });
    await fixture.retry(engine, id);
    await fixture.clock.advance(1_000);
    const over = await fixture.detail(id);
    expect([over.status, over.round]).toEqual(['SUCCEEDED', 2]);
    await fixture.clock.advance(3_600_000);
    expect(hookCalls()).toHaveLength(calls);
    expect(fixture.fenced).toContain('lapse');
  });

  it('is given up, and the execution stays as it ended, when the engine fails on it again and again', async () => {
    const engine = await fixture.engine();
    const id = await endedRun(engine);
    fixture.store.fault = (operation, [batch]) => {
      const isHook = JSON.stringify(batch).includes('"phase":"HOOK"');
      return operation === 'checkpoint' && isHook ? new Error('Odd.') : undefined;
    };
    await hookUntil(id, 'FAILED');
    const over = await fixture.detail(id);
    expect([over.status, over.reason, over.callbackWarning]).toEqual([
      'SUCCEEDED',
      undefined,
      expect.stringContaining('The engine failed'),
    ]);
  });
});
