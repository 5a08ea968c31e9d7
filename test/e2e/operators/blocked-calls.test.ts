import { describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { retries } from '../stage/definitions.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage({ CIRCUITBREAKER_FAILURETHRESHOLD: '3', CIRCUITBREAKER_OPENMILLIS: '600' });

const isBlocked = (document: AnswerBody): boolean =>
  document.currentNodes.some(({ state }: { state: string }) => state === 'BLOCKED');

async function metrics(): Promise<readonly string[]> {
  return (await (await fetch(`${stage.url}/metrics`)).text()).split('\n');
}

async function lift(id: string): Promise<void> {
  expect((await stage.ask('DELETE', `/holds/${id}`)).status).toBe(204);
}

describe('a host that fails again and again', () => {
  it('is left alone, probed, and called again once it works; no attempt is spent on waiting', async () => {
    const saga = stage.saga('ill');
    const host = `circuit of ${stage.downstream.url} open`;
    let isIll = true;
    stage.downstream.answer('/ill/a', () => ({ status: isIll ? 500 : 200 }));
    const policy = { failureHandling: retries(8) };
    const ids = await Promise.all([1, 2, 3].map(() => stage.run(saga.graph([saga.task('a', policy)]))));
    for (const id of ids) {
      const { status, currentNodes } = await stage.until(id, isBlocked);
      expect(status).toBe('IN_PROGRESS');
      expect(currentNodes).toMatchObject([{ nodeId: 'a', state: 'BLOCKED', detail: host }]);
      expect(Date.parse(currentNodes[0].until)).toBeGreaterThan(Date.parse(currentNodes[0].since));
    }
    expect(await metrics()).toContain(`saga_circuit_open{host="${stage.downstream.url}"} 1`);
    const cluster = (await stage.ask('GET', '/cluster')).body;
    expect(cluster.openCircuits).toMatchObject([{ host: stage.downstream.url, pods: [cluster.pods[0].id] }]);
    isIll = false;
    for (const id of ids) {
      expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
      // Every attempt in the history is a call that arrived: three executions made them all.
      const attempts = (await stage.calls(id)).map(({ attempt }) => attempt);
      expect(attempts).toEqual(attempts.map((_, i) => i + 1));
    }
    const made = await Promise.all(ids.map((id) => stage.calls(id)));
    expect(made.flat()).toHaveLength(stage.downstream.calls('/ill/a').length);
    expect(await metrics()).toContain(`saga_circuit_open{host="${stage.downstream.url}"} 0`);
    expect((await stage.ask('GET', '/cluster')).body.openCircuits).toEqual([]);
  });
});

describe('a hold', () => {
  it('on a host keeps every call waiting, and lets them go when it is lifted', async () => {
    const saga = stage.saga('held');
    const { host, hostname } = new URL(stage.downstream.url);
    for (const held of [host, hostname]) {
      await stage.ask('PUT', '/holds/host', { host: held, reason: 'maintenance' });
      const id = await stage.run(saga.linear(['a', 'b']));
      const { currentNodes } = await stage.until(id, isBlocked);
      expect(currentNodes).toMatchObject([{ nodeId: 'a', state: 'BLOCKED', attempt: 1, detail: 'held: maintenance' }]);
      expect(await stage.calls(id)).toEqual([]);
      expect(await metrics()).toContain('saga_holds 1');
      expect(await metrics()).toContain('saga_blocked_calls{cause="hold"} 1');
      await lift('host');
      expect((await stage.untilEnd(id)).status).toBe('SUCCEEDED');
      expect((await stage.calls(id)).map(({ attempt }) => attempt)).toEqual([1, 1]);
    }
  });

  it('is not ended by a wake, which says what the execution waits for', async () => {
    const saga = stage.saga('held-awake');
    await stage.ask('PUT', '/holds/awake', { name: 'held-awake', reason: 'maintenance' });
    const id = await stage.run(saga.linear(['a']));
    await stage.until(id, isBlocked);
    const answer = await stage.ask('POST', `/workflows/${id}/wake`);
    expect([answer.status, answer.body.errors]).toEqual([
      409,
      [
        'Nothing in the execution sleeps: the call of a is blocked (held: maintenance) and goes out as soon as that is over.',
      ],
    ]);
    await lift('awake');
    expect((await stage.untilEnd(id)).status).toBe('SUCCEEDED');
  });

  it('on a definition spares the others', async () => {
    const [bad, good] = [stage.saga('bad-release'), stage.saga('good-release')];
    await stage.ask('PUT', '/holds/release', { name: 'bad-release', version: '1', reason: 'wrong amounts' });
    const id = await stage.run(bad.linear(['a']));
    expect((await stage.finish(good.linear(['a']))).status).toBe('SUCCEEDED');
    expect((await stage.finish({ ...bad.linear(['a']), version: '2' })).status).toBe('SUCCEEDED');
    expect((await stage.until(id, isBlocked)).currentNodes[0].detail).toBe('held: wrong amounts');
    await lift('release');
    expect((await stage.untilEnd(id)).status).toBe('SUCCEEDED');
  });

  it('keeps compensations waiting too, and survives a kill', async () => {
    const saga = stage.saga('undone-later');
    const isAsked = stage.downstream.arrival('/undone-later/b');
    let answer: (value: unknown) => void = () => undefined;
    stage.downstream.script('/undone-later/b', { status: 422, after: new Promise((resolve) => (answer = resolve)) });
    const id = await stage.run(saga.linear(['a', 'b']));
    await isAsked;
    await stage.ask('PUT', '/holds/undo', { name: 'undone-later', reason: 'first look' });
    answer(undefined);
    const waiting = await stage.until(id, isBlocked);
    expect(waiting.status).toBe('COMPENSATING');
    expect(waiting.currentNodes).toMatchObject([{ nodeId: 'a', state: 'BLOCKED', detail: 'held: first look' }]);
    expect(waiting.compensations).toMatchObject([{ nodeId: 'a', state: 'PENDING', attempts: 0 }]);
    await stage.kill('SIGKILL');
    await stage.start();
    expect((await stage.show(id)).status).toBe('COMPENSATING');
    expect(stage.downstream.calls('/undone-later/undo-a')).toEqual([]);
    expect((await stage.ask('GET', '/holds')).body).toMatchObject([{ id: 'undo', name: 'undone-later' }]);
    await lift('undo');
    expect((await stage.untilEnd(id)).status).toBe('FAILED');
    expect(stage.downstream.calls('/undone-later/undo-a')).toHaveLength(1);
  });

  it('leaves nothing to compensate when what waits is cancelled', async () => {
    const saga = stage.saga('never-mind');
    await stage.ask('PUT', '/holds/never', { name: 'never-mind', reason: 'x' });
    const id = await stage.run(saga.linear(['a']));
    await stage.until(id, isBlocked);
    expect(await stage.control(id, 'cancel')).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'CANCELLED', standing: [], compensations: [] });
    expect(stage.downstream.order('/never-mind')).toEqual([]);
    await lift('never');
  });
});
