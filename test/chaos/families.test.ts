/** Families of executions on two pods, over Postgres and Redis, whose pods are killed in turn while the families run. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { answerOf, definitionsOf, problemsOf } from '../e2e/durability/families.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';

const families = 120;
const kills = 6;

const stage = openClusterStage({ redis: 'standalone', env: shortTimes });
const downstream = new ScriptedDownstream((request) => ({ ...answerOf(request), after: pause(Math.random() * 50) }));
beforeAll(() => downstream.open());
afterAll(() => downstream.close());

it('keeps families whole, whichever pod dies', { timeout: 240_000 }, async () => {
  const pods = await stage.start('one', 'two');
  const definitions = definitionsOf((name) => new SagaBuilder(downstream.url, name));
  for (const definition of definitions) await stage.next().ask('POST', '/workflows/definitions', definition);
  const ids: string[] = [];
  for (let n = 0; n < families; n++) {
    const run = { definition: definitions.at(-1), payload: { n } };
    ids.push((await stage.next().ask('POST', '/workflows/run', run)).body.id);
  }
  for (let killed = 0; killed < kills; killed++) {
    const { length } = downstream.received;
    await Promise.race([downstream.count(length + 30 + Math.floor(Math.random() * 40)), pause(5_000)]);
    const pod = pods[killed % pods.length]!;
    await pod.kill();
    await pod.start();
  }
  const problems: string[] = [];
  for (const [n, id] of ids.entries()) {
    await until(async () => (await stage.next().ask('GET', `/workflows/${id}`)).body.completedAt !== undefined);
    problems.push(...(await problemsOf((...asked) => stage.next().ask(...asked), id, n, downstream.received)));
  }
  expect(problems).toEqual([]);
});
