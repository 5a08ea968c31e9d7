import { afterEach, beforeEach, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../../test/runtime-fixture.ts';
import { changeHolds } from './call-holds.ts';
import { Gatekeeper } from './gatekeeper.ts';
import type { Engine } from '../../engine.ts';

let fixture: RuntimeFixture;
let engine: Engine;
let gate: Gatekeeper;

beforeEach(async () => {
  fixture = new RuntimeFixture();
  await fixture.store.open();
  const { clock, entropy, telemetry, store } = fixture;
  gate = new Gatekeeper({
    clock,
    entropy,
    telemetry,
    store,
    mask: (text) => text,
    circuits: { failureThreshold: 2, openMillis: 60_000 },
    maxConcurrency: 256,
    workerCount: 256,
    overrides: {},
  });
  fixture.gate = gate;
  engine = await fixture.engine();
  await fixture.clock.advance(0);
});
afterEach(() => fixture.close());

const retries = { failureHandling: { type: 'retry', maxAttempts: 3, delayMillis: 600_000 } };

it('has the next attempt made now, which counts as usual', async () => {
  fixture.http.reply = () => ({ status: 429, headers: { 'retry-after': '3600' } });
  const id = await fixture.submit(engine, graph([task('a')], retries));
  await fixture.clock.advance(1_000);
  expect(fixture.http.calls).toHaveLength(1);
  fixture.http.reply = () => ({ status: 200 });
  expect(await fixture.offer(engine, id, { type: 'woken', inboxId: 'w1' })).toBe('conflict');
  expect(await fixture.offer(engine, id, { type: 'woken', inboxId: 'w2', what: ['retry'], nodeId: 'b' })).toBe(
    'conflict',
  );
  expect(await fixture.offer(engine, id, { type: 'woken', inboxId: 'w3', what: ['retry'], nodeId: 'a' })).toBe(
    'accepted',
  );
  await fixture.clock.advance(1_000);
  expect((await fixture.detail(id)).status).toBe('SUCCEEDED');
  const { items } = await fixture.store.listCalls(id, { limit: 9 });
  expect(items.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

it('lets one blocked call probe an open circuit before its time', async () => {
  fixture.http.reply = () => ({ status: 500 });
  const failed = graph([task('a', { compensation: false })], {
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  });
  for (let i = 0; i < 2; i++) await fixture.until(await fixture.submit(engine, failed));
  const ids = [await fixture.submit(engine, failed), await fixture.submit(engine, failed)];
  await fixture.clock.advance(1_000);
  expect(fixture.http.calls).toHaveLength(2);
  fixture.http.reply = () => ({ status: 200 });
  const [first = ''] = ids;
  expect(await fixture.offer(engine, first, { type: 'woken', inboxId: 'w', what: ['blocked'] })).toBe('accepted');
  await fixture.clock.advance(5_000);
  for (const id of ids) expect((await fixture.detail(id)).status).toBe('SUCCEEDED');
  const { items } = await fixture.store.listCalls(first, { limit: 9 });
  expect(items).toMatchObject([{ attempt: 1, waited: { cause: 'circuit', host: 'mock:80' } }]);
  expect(items[0]?.waited).not.toHaveProperty('probe');
});

it('passes no hold, and says which one', async () => {
  const now = fixture.clock.now();
  await changeHolds(fixture.store, now, () => [{ id: 'bank', host: 'mock', reason: 'closed', createdAt: now }]);
  gate.holdsChanged();
  await fixture.clock.advance(0);
  const id = await fixture.submit(engine, graph([task('a')]));
  await fixture.clock.advance(1_000);
  const row = { id: 'w', at: now, event: { type: 'woken', inboxId: 'w', what: ['blocked', 'sleep'] } } as const;
  expect(await fixture.store.offer({ executionId: id, row }, now)).toEqual({
    kind: 'conflict',
    message: 'The call of a waits for the hold bank, which a wake does not pass; lift it.',
  });
  expect(fixture.http.calls).toEqual([]);
});
