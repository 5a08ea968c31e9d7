/** The server is killed at random moments while families of executions run; none is started twice, and no end is lost. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ScriptedDownstream } from '../stage/downstream.ts';
import { Stage } from '../stage/stage.ts';
import { answerOf, definitionsOf, problemsOf } from './families.ts';

const families = 90;
const kills = 8;

const downstream = new ScriptedDownstream((request) => ({ ...answerOf(request), after: pause(Math.random() * 30) }));
const stage = new Stage({}, downstream);
beforeAll(() => stage.open());
afterAll(() => stage.close());

it('keeps families whole through kills', { timeout: 180_000 }, async () => {
  const definitions = definitionsOf((name) => stage.saga(name));
  for (const definition of definitions) await stage.ask('POST', '/workflows/definitions', definition);
  const ids = await Promise.all(
    Array.from({ length: families }, (_, n) => stage.run(definitions.at(-1)!, { payload: { n } })),
  );
  for (let killed = 0; killed < kills; killed++) {
    await downstream.count(downstream.received.length + 20 + Math.floor(Math.random() * 40));
    await stage.kill();
    await stage.start();
  }
  const problems: string[] = [];
  for (const [n, id] of ids.entries()) {
    await stage.untilEnd(id);
    problems.push(...(await problemsOf((...asked) => stage.ask(...asked), id, n, downstream.received)));
  }
  expect(problems).toEqual([]);
});

it('keeps a family of some hundred children whole through kills', { timeout: 180_000 }, async () => {
  const saga = stage.saga('wide');
  const body = { body: { n: 0, place: '{{payload.place}}' } };
  const leaf = stage.saga('wide-leaf');
  const pay = { ...leaf.task('pay', {}, body), compensation: leaf.call('undo-pay', body) };
  await stage.ask('POST', '/workflows/definitions', leaf.graph([pay]));
  const each = {
    kind: 'forEach',
    id: 'each',
    items: { $logic: { range: [0, 300] } },
    entry: 'sub',
    maxConcurrency: 64,
  };
  const sub = {
    kind: 'workflow',
    id: 'sub',
    definition: { name: 'wide-leaf', version: 'latest' },
    payload: { place: '{{item}}' },
  };
  const id = await stage.run(saga.graph([{ ...each, next: 'no' }, sub, { kind: 'fail', id: 'no', reason: 'No.' }]));
  for (let killed = 0; killed < 4; killed++) {
    await downstream.count(downstream.received.length + 100);
    await stage.kill();
    await stage.start();
  }
  expect(await stage.untilEnd(id)).toMatchObject({
    status: 'FAILED',
    standing: [],
    children: { count: 300, running: 0, corrupted: 0 },
  });
  for (const node of ['pay', 'undo-pay']) {
    const calls = downstream.calls(`/wide-leaf/${node}`);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(300);
    expect(new Set(calls.map((call) => call.body)).size).toBe(300);
  }
});
