/** What a call sends and a condition evaluates is bounded, as configured. */
import { expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage({
  SECURITY_LIMITS_MAXRENDEREDREQUESTBYTES: '1500',
  SECURITY_LIMITS_MAXEVALUATIONSTEPS: '300',
});
const { downstream } = stage;
const list = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

it.concurrent('a request that is too large once it is rendered is unsent, without retry', async () => {
  const saga = stage.saga('large');
  const definition = saga.graph([saga.task('a', {}, { body: { text: '{{payload.text}}' } })]);
  expect(await stage.finish(definition, { payload: { text: 'x'.repeat(1000) } })).toMatchObject({
    status: 'SUCCEEDED',
  });
  // Of two bytes each.
  const refused = await stage.finish(definition, { payload: { text: 'ä'.repeat(1000) } });
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'unsent' });
  expect(refused.failureDescription).toContain('1500');
  expect(downstream.calls('/large/a')).toHaveLength(1);
});

it.concurrent('a template of too many steps is unsent, too', async () => {
  const saga = stage.saga('steps');
  const definition = saga.graph([saga.task('a', {}, { body: '{{#payload.list}}{{.}}{{/payload.list}}' })]);
  expect(await stage.finish(definition, { payload: { list: list(50) } })).toMatchObject({ status: 'SUCCEEDED' });
  const refused = await stage.finish(definition, { payload: { list: list(200) } });
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'unsent' });
  expect(refused.failureDescription).toContain('300 steps');
  expect(downstream.calls('/steps/a')).toHaveLength(1);
});

it.concurrent('a condition of too many steps counts as false, and says so', async () => {
  const saga = stage.saga('condition');
  const when = { '>': [{ reduce: [{ var: 'payload.list' }, { '+': [{ var: 'accumulator' }, 1] }, 0] }, 10] };
  const definition = saga.graph([
    { kind: 'switch', id: 'many', cases: [{ when, target: 'yes' }], default: 'no' },
    saga.task('yes'),
    saga.task('no'),
  ]);
  await stage.finish(definition, { payload: { list: list(20) } });
  expect([downstream.calls('/condition/yes').length, downstream.calls('/condition/no').length]).toEqual([1, 0]);
  const { id } = await stage.finish(definition, { payload: { list: list(500) } });
  expect([downstream.calls('/condition/yes').length, downstream.calls('/condition/no').length]).toEqual([1, 1]);
  const { text } = await stage.ask('GET', `/workflows/${id}/steps`);
  expect(text).toContain('300 steps');
});

it.concurrent('a time to sleep until that takes too many steps fails its node', async () => {
  const saga = stage.saga('sleep');
  const definition = saga.graph([
    { kind: 'sleep', id: 's', until: '{{#payload.list}} {{/payload.list}}2020-01-01T00:00:00Z' },
  ]);
  expect(await stage.finish(definition, { payload: { list: list(20) } })).toMatchObject({ status: 'SUCCEEDED' });
  expect(await stage.finish(definition, { payload: { list: list(500) } })).toMatchObject({ status: 'FAILED' });
});
