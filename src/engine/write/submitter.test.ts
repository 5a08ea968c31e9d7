import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, RuntimeFixture } from '../../../test/runtime-fixture.ts';
import { QueueUnavailable, type Queue } from '../../ports/queue.ts';
import type { SubmitResult } from '../../ports/store.ts';
import { slotOf } from '../../core/value/slot.ts';
import { stringifyJson } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';

describe('submissions', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;
  /** The number of ids of each direct claim. */
  let claims: number[];
  let claimDirect: Queue['claimDirect'] | undefined;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    claims = [];
    claimDirect = undefined;
    engine = await fixture.engine({}, true, (queue) => {
      const watched: Queue['claimDirect'] = (items, leaseMillis) => {
        claims.push(items.length);
        return claimDirect?.(items, leaseMillis) ?? queue.claimDirect(items, leaseMillis);
      };
      return new Proxy(queue, {
        get: (target, name) => {
          if (name === 'claimDirect') return watched;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    });
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  function submitMany(many: number): { id: string; result: Promise<SubmitResult> }[] {
    return Array.from({ length: many }, () => fixture.submitting(engine, chain('a')));
  }

  async function allSucceed(runs: readonly { id: string; result: Promise<SubmitResult> }[]): Promise<void> {
    await fixture.clock.advance(5_000);
    for (const { id, result } of runs) {
      expect((await result).kind).toBe('created');
      expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    }
  }

  it('of one moment are claimed in one request and inserted in one transaction, and all start directly', async () => {
    const runs = submitMany(20);
    await allSucceed(runs);
    expect(claims).toEqual([20]);
    expect([fixture.store.count('submit'), fixture.store.count('takeOver')]).toEqual([1, 0]);
  });

  it('are claimed only when their own insert is next', async () => {
    let insert = (): void => undefined;
    const gate = new Promise<void>((resolve) => (insert = resolve));
    fixture.store.fault = (operation) => (operation === 'submit' && claims.length === 1 ? gate : undefined);
    const runs = submitMany(2);
    await fixture.clock.advance(10);
    runs.push(...submitMany(5));
    await fixture.clock.advance(10);
    expect(claims).toEqual([2]);
    insert();
    await allSucceed(runs);
    expect(claims).toEqual([2, 5]);
  });

  it('are inserted again unchanged, and not claimed again, after an insert without an answer', async () => {
    let failures = 2;
    fixture.store.fault = (operation) => (operation === 'submit' && failures-- > 0 ? 'silent' : undefined);
    const runs = submitMany(3);
    await allSucceed(runs);
    expect(claims).toEqual([3]);
    const inserts = fixture.store.seen.filter(({ operation }) => operation === 'submit');
    expect(inserts).toHaveLength(3);
    for (const { args } of inserts) expect(args).toEqual(inserts[0]?.args);
    expect(fixture.http.calls).toHaveLength(3);
  });

  it('wait in the queue where the claim fails', async () => {
    claimDirect = () => Promise.reject(new QueueUnavailable('away'));
    const runs = submitMany(3);
    await allSucceed(runs);
    expect(fixture.store.count('takeOver')).toBeGreaterThan(0);
    await fixture.clock.advance(10);
    expect(engine.load().places).toMatchObject({ loading: 0, free: 256 });
  });

  it('start directly as far as they were claimed', async () => {
    claimDirect = (items) => {
      return Promise.resolve(
        items.map(({ id, slot, dueAt }, i) => (i === 1 ? undefined : { id, slot, dueAt, token: id })),
      );
    };
    const runs = submitMany(3);
    await allSucceed(runs);
    const loaded = fixture.store.seen.flatMap(({ operation, args }) => (operation === 'takeOver' ? args[0] : []));
    expect(loaded).toMatchObject([{ id: runs[1]?.id }]);
  });

  it('are stored at rest where this process holds the id already, and run once', async () => {
    // The queue has the id already, and gives it to this process.
    let load = (): void => undefined;
    const gate = new Promise<void>((resolve) => (load = resolve));
    fixture.store.fault = (operation) => (operation === 'takeOver' ? gate : undefined);
    const id = engine.mintId(fixture.clock.now());
    engine.ring({ id, slot: slotOf(id), dueAt: fixture.clock.now() });
    await fixture.clock.advance(100);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 1 });
    const compiled = fixture.plans.compile(chain('a', 'b'));
    if (!compiled.ok) throw new Error('The definition is valid.');
    const { plan } = compiled;
    const stored = engine.submit({
      plan,
      header: { id, name: plan.name, version: plan.version, payload: {}, labels: {} },
      definition: stringifyJson(chain('a', 'b')),
      payload: '{}',
      createdAt: fixture.clock.now(),
    });
    await fixture.clock.advance(100);
    expect((await stored).kind).toBe('created');
    const insert = fixture.store.seen.find(({ operation }) => operation === 'submit');
    expect(insert?.args[0]).toMatchObject([{ id }]);
    expect(insert?.args[0]).not.toMatchObject([{ claim: expect.any(String) }]);
    load();
    await fixture.clock.advance(5_000);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls).toHaveLength(2);
  });

  it('fail alone where one of them cannot begin', async () => {
    const before = submitMany(1);
    const compiled = fixture.plans.compile(chain('a'));
    if (!compiled.ok) throw new Error('The definition is valid.');
    const id = engine.mintId(fixture.clock.now());
    const result = engine.submit({
      plan: { ...compiled.plan, entry: 'nowhere' },
      header: { id, name: 'broken', version: '1', payload: {}, labels: {} },
      definition: '{}',
      payload: '{}',
      createdAt: fixture.clock.now(),
    });
    const outcome = result.then(
      () => 'stored',
      () => 'refused',
    );
    await allSucceed([...before, ...submitMany(1)]);
    expect(await outcome).toBe('refused');
    expect(fixture.store.count('submit')).toBe(1);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 0 });
  });
});
