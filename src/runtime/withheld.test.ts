import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture } from '../../test/runtime-fixture.ts';
import type { Engine } from './engine.ts';

let fixture: RuntimeFixture;
let engine: Engine;
beforeEach(async () => {
  fixture = new RuntimeFixture();
  engine = await fixture.engine();
});
afterEach(() => fixture.close());

describe('the log', () => {
  it('has nothing that came from a payload or a person', async () => {
    const definition = graph([
      { kind: 'switch', id: 's', cases: [{ when: { var: 'payload.sleep' }, target: 'z' }], default: 'f' },
      { kind: 'fail', id: 'f', reason: 'No credit for {{payload.customer}}' },
      { kind: 'sleep', id: 'z', until: '{{payload.sleep}}' },
    ]);
    const failed = await fixture.submit(engine, definition, { payload: { customer: 'Ann' } });
    expect((await fixture.until(failed)).failureDescription).toBe('No credit for Ann');
    const sleepless = await fixture.submit(engine, definition, { payload: { sleep: 'Ann' } });
    await fixture.until(sleepless);
    const cancelled = await fixture.submit(engine, graph([{ kind: 'sleep', id: 'z', durationMillis: 60_000 }]));
    await fixture.offer(engine, cancelled, { type: 'cancelled', inboxId: 'c', reason: 'Ann asked' });
    expect((await fixture.until(cancelled)).status).toBe('CANCELLED');
    expect(fixture.logs.filter(({ message }) => message === 'saga finished')).toHaveLength(3);
    expect(JSON.stringify(fixture.logs)).not.toContain('Ann');
  });
});
