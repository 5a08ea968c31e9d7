import { expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { Json } from '../../core/value/json.ts';

/** Counts how often an execution that waited for a callback read its outputs back. */
async function readsBack(payload: Json, answer: Json): Promise<number> {
  const fixture = new RuntimeFixture();
  const engine = await fixture.engine();
  fixture.http.reply = () => ({ status: 202, body: answer });
  const asking = task('a', { action: { mode: 'async', callback: { timeoutMillis: 60_000 } } });
  const id = await fixture.submit(engine, graph([asking]), { payload: { value: payload } });
  await fixture.until(id, 'WAITING_CALLBACK');
  await fixture.clock.advance(5);
  await fixture.offer(engine, id, await fixture.callbackOf(id, 'a'), 'hash');
  expect((await fixture.until(id)).status).toBe('SUCCEEDED');
  await fixture.close();
  return fixture.store.count('readOutputs');
}

it('keeps a small parked execution in memory, and reads a large one back', async () => {
  const large = 'x'.repeat(70_000);
  expect(await readsBack('small', 'small')).toBe(0);
  expect(await readsBack(large, 'small')).toBe(1);
  expect(await readsBack('small', large)).toBe(1);
  expect(
    await readsBack(
      Array.from({ length: 10_000 }, () => 1),
      'small',
    ),
  ).toBe(1);
});
