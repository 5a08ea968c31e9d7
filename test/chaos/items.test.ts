/** Runs over many items on two pods, over Postgres and Redis, whose pods are killed in turn. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerOf, definitionOf, problemsOf } from '../e2e/durability/items.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';

const count = 1_000;
const kills = 6;

const stage = openClusterStage({ redis: 'standalone', env: shortTimes });
const downstream = new ScriptedDownstream((request) => ({ ...answerOf(request), after: pause(Math.random() * 20) }));
beforeAll(() => downstream.open());
afterAll(() => downstream.close());

it('loops over a thousand items, whichever pod dies', { timeout: 300_000 }, async () => {
  const pods = await stage.start('one', 'two');
  const definition = definitionOf(new SagaBuilder(downstream.url, 'items'), 16);
  const run = { definition, payload: { items: Array.from({ length: count }, (_, item) => item) } };
  const { id } = (await stage.next().ask('POST', '/workflows/run', run)).body;
  for (let killed = 0; killed < kills; killed++) {
    const { length } = downstream.received;
    await Promise.race([downstream.count(length + 100 + Math.floor(Math.random() * 100)), pause(5_000)]);
    const pod = pods[killed % pods.length]!;
    await pod.kill();
    await pod.start();
  }
  await until(async () => (await stage.next().ask('GET', `/workflows/${id}`)).body.completedAt !== undefined);
  const { body } = await stage.next().ask('GET', `/workflows/${id}`);
  expect(problemsOf(body, count, downstream.received)).toEqual([]);
});
