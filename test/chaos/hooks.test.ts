/** Hooks that are delivered after the end, by several processes on Postgres: one is killed in the middle of their calls. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../api-fixture.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';

const runs = 12;

describe.each(['none', 'standalone'] as const)('with Redis: %s', (redis) => {
  const stage = openClusterStage({ redis, env: { ...shortTimes, HOOKS_MAXMILLIS: '200' } });
  const downstream = new ScriptedDownstream();
  beforeAll(() => downstream.open());
  afterAll(() => downstream.close());

  it('hooks in the hands of a killed process are delivered by another one, under their keys', async () => {
    const [first, second] = await stage.start('a', 'b');
    const saga = new SagaBuilder(downstream.url, 'hooked');
    const definition = saga.linear(['a'], { onSuccessCallback: saga.call('won', { body: '{{vars.POD}}' }) });
    downstream.script('/hooked/won', { status: 503 });
    const ids: string[] = [];
    for (let i = 0; i < runs; i++) {
      const pod = i % 2 === 0 ? first! : second!;
      const { body } = await pod.ask('POST', '/workflows/run?waitMillis=8000', { definition });
      expect(body).toMatchObject({ status: 'SUCCEEDED', hook: { state: 'PENDING' } });
      ids.push(body.id);
    }
    // Both processes call the receiver, which does not answer; then one of them is killed.
    const begun = downstream.calls('/hooked/won').length;
    downstream.script('/hooked/won', { after: new Promise(() => undefined) });
    const request = { action: 'redeliver', filter: { hook: 'pending' }, dryRun: false };
    const { body: asked } = await second!.ask('POST', '/workflows/bulk', request);
    // A hook that became due meanwhile is being called already, and is refused.
    expect([asked.matched, asked.done + asked.errors.length]).toEqual([runs, runs]);
    await until(() => downstream.calls('/hooked/won').length >= begun + runs);
    const victim = downstream.calls('/hooked/won').at(-1)?.body === 'a' ? first! : second!;
    const other = victim === first ? second! : first!;
    await victim.kill();
    const inHand = new Set(
      downstream
        .calls('/hooked/won')
        .slice(begun)
        .filter(({ body }) => body === victim.podId)
        .map(({ key }) => key),
    );
    expect(inHand.size).toBeGreaterThan(0);
    downstream.script('/hooked/won', {});
    const documents = new Map<string, AnswerBody>();
    for (const id of ids) {
      if (!inHand.has(`${id}:1:onSuccessCallback:1:HOOK`)) continue;
      await until(async () => {
        const { body } = await other.ask('GET', `/workflows/${id}`);
        documents.set(id, body);
        return body.hook.state === 'DELIVERED';
      });
    }
    for (const [id, { status, hook, callbackWarning }] of documents) {
      expect([status, callbackWarning]).toEqual(['SUCCEEDED', undefined]);
      const calls = downstream.calls('/hooked/won').filter(({ key }) => key === `${id}:1:onSuccessCallback:1:HOOK`);
      expect(hook.attempts).toBe(calls.length);
      // The receiver's own answer, one that was never to come, and the one that arrived.
      expect(calls.at(-1)?.body).toBe(other.podId);
    }
    const failed = await other.ask('GET', '/workflows?hook=failed');
    expect(failed.body).toEqual([]);
  });
});
