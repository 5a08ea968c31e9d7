/** The server is killed at random moments while runs loop over many items; no item is begun twice, and none is forgotten. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ScriptedDownstream } from '../stage/downstream.ts';
import { Stage } from '../stage/stage.ts';
import { answerOf, definitionOf, problemsOf } from './items.ts';

const count = 1_000;
const kills = 10;

const downstream = new ScriptedDownstream((request) => ({ ...answerOf(request), after: pause(Math.random() * 8) }));
const stage = new Stage({}, downstream);
beforeAll(() => stage.open());
afterAll(() => stage.close());

it.each([1, 16])('loops over a thousand items through kills, %i at a time', { timeout: 240_000 }, async (together) => {
  const definition = definitionOf(stage.saga(`items-${String(together)}`), together);
  const before = downstream.received.length;
  const id = await stage.run(definition, { payload: { items: Array.from({ length: count }, (_, item) => item) } });
  for (let killed = 0; killed < kills; killed++) {
    await downstream.count(downstream.received.length + 60 + Math.floor(Math.random() * 100));
    await stage.kill();
    await stage.start();
  }
  await stage.untilEnd(id);
  const { body } = await stage.ask('GET', `/workflows/${id}`);
  expect(problemsOf(body, count, downstream.received.slice(before))).toEqual([]);
});
