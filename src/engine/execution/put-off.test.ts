/** Work that exceeds one turn of the event loop is put off, and done all the same. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';
import { defaultEngineSettings } from '../settings.ts';

/** So little that each node, each case of a switch and each rendering takes a turn of its own. */
const limits = { ...defaultEngineSettings.limits, maxTurnSteps: 1, maxTurnBytes: 1 };

const branches = Array.from({ length: 20 }, (_, i) => `t${String(i)}`);
const wide: JsonObject = graph([
  { kind: 'split', id: 's', branches, join: 'j' },
  ...branches.map((id) => task(id)),
  { kind: 'join', id: 'j' },
]);

describe('what is put off', () => {
  let fixture: RuntimeFixture;

  beforeEach(() => {
    fixture = new RuntimeFixture();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  /** How many pieces of work had to wait for another turn. */
  const waits = (engine: Engine): (() => number) => {
    const later = vi.spyOn(engine.share, 'later');
    return () => later.mock.calls.length;
  };

  it('is every call of a split but the first, and each goes out once', async () => {
    const engine = await fixture.engine({ limits });
    const waited = waits(engine);
    const id = await fixture.submit(engine, wide);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths().toSorted()).toEqual(branches.toSorted());
    expect(waited()).toBeGreaterThanOrEqual(branches.length - 1);
  });

  it('is nothing where it is little', async () => {
    const engine = await fixture.engine();
    const waited = waits(engine);
    const id = await fixture.submit(engine, wide);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(waited()).toBe(0);
  });

  it('is a case of a switch, and the execution ends as if nothing had been', async () => {
    const cases = Array.from({ length: 12 }, (_, i) => ({
      when: { some: [[1, 2, 3], { '==': [{ var: '' }, i === 11 ? 3 : 9] }] },
      target: i === 11 ? 'right' : 'wrong',
    }));
    const engine = await fixture.engine({ limits });
    const before = fixture.store.count('checkpoint');
    const id = await fixture.submit(
      engine,
      graph([{ kind: 'switch', id: 's', cases, default: 'wrong' }, task('right'), task('wrong')]),
    );
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['right']);
    expect(fixture.store.count('checkpoint') - before).toBeGreaterThanOrEqual(12);
    expect((await fixture.rows(id)).filter((row) => row.startsWith('SWITCH'))).toHaveLength(1);
  });

  it('is given up when the execution is cancelled meanwhile', async () => {
    const engine = await fixture.engine({ limits });
    const id = await fixture.submit(engine, wide);
    await fixture.offer(engine, id, { type: 'cancelled', inboxId: 'c1' });
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    const paths = fixture.http.paths();
    expect(new Set(paths).size).toBe(paths.length);
  });
});
