import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../test/runtime-fixture.ts';
import { shardOf, slotOf } from '../core/value/slot.ts';
import type { Queue } from '../ports/queue.ts';
import type { Engine } from './engine.ts';

/** The queue, with these getters instead of its own properties. */
function overriding(queue: Queue, getters: { readonly [Name in keyof Queue]?: () => Queue[Name] }): Queue {
  return new Proxy(queue, {
    get: (target, name) => {
      const getter = getters[name as keyof Queue];
      if (getter !== undefined) return getter();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('the engine', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  it('runs a chain to its end', async () => {
    const id = await fixture.submit(engine, chain('a', 'b', 'c'));
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'c']);
    expect(fixture.http.keys()[0]).toBe(`${id}:1:a:1:UP`);
    expect(await fixture.rows(id)).toEqual(['UP:a:succeeded', 'UP:b:succeeded', 'UP:c:succeeded']);
    await fixture.clock.advance(10);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 0 });
    expect(fixture.logs.filter(({ message }) => message === 'saga finished')).toHaveLength(1);
  });

  it('starts directly without a load, and writes one checkpoint per node', async () => {
    const id = await fixture.submit(engine, chain('a', 'b', 'c'));
    await fixture.until(id);
    expect(fixture.store.count('takeOver')).toBe(0);
    expect(fixture.store.count('checkpoint')).toBe(3);
  });

  it('starts nothing directly past what is overdue in its queue', async () => {
    let oldestDueAt: number | undefined;
    const other = await fixture.engine({}, true, (queue) => overriding(queue, { oldestDueAt: () => oldestDueAt }));
    const loads: number[] = [];
    for (const lateMillis of [undefined, 100, 101]) {
      oldestDueAt = lateMillis === undefined ? undefined : fixture.clock.now() - lateMillis;
      await fixture.until(await fixture.submit(other, chain('a')));
      loads.push(fixture.store.count('takeOver'));
    }
    expect(loads).toEqual([0, 0, 1]);
  });

  it('mints ids in one shard at a time, in each owned shard in turn, and in those that can be reached', async () => {
    const count = 64;
    const unreachable = new Set<number>();
    const reaches = (slot: number): boolean => !unreachable.has(shardOf(slot, count));
    const owned = { count, shards: [7, 20, 63] };
    const sharded = await fixture.engine({}, true, (queue) =>
      overriding(queue, { owned: () => owned, reaches: () => reaches }),
    );
    const mint = (): number => shardOf(slotOf(sharded.mintId(fixture.clock.now())), count);
    const seen: number[][] = [];
    for (let window = 0; window < 4; window++) {
      seen.push([mint(), mint(), mint()]);
      await fixture.clock.advance(200);
    }
    expect(seen.map((each) => new Set(each).size)).toEqual([1, 1, 1, 1]);
    expect(new Set(seen.slice(0, 3).flat())).toEqual(new Set([7, 20, 63]));
    expect(seen[3]).toEqual(seen[0]);
    unreachable.add(7).add(20);
    expect([mint(), mint()]).toEqual([63, 63]);
    unreachable.add(63);
    expect([7, 20, 63]).toContain(mint());
  });

  it('answers a run only after it is durable', async () => {
    let insert = (): void => undefined;
    const gate = new Promise<void>((resolve) => (insert = resolve));
    fixture.store.fault = (operation) => (operation === 'submit' ? gate : undefined);
    const { result } = fixture.submitting(engine, chain('a'));
    let answered = false;
    void result.then(() => (answered = true));
    await fixture.clock.advance(100);
    expect([answered, fixture.http.calls.length]).toEqual([false, 0]);
    insert();
    await fixture.clock.advance(1);
    expect(answered).toBe(true);
  });

  it('compensates in reverse when a node fails', async () => {
    fixture.http.reply = (path) => (path === 'c' ? { status: 400 } : {});
    const id = await fixture.submit(engine, chain('a', 'b', 'c'));
    expect((await fixture.until(id)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'c', 'undo-b', 'undo-a']);
    expect(fixture.http.calls[3]!.request.headers['trama-compensates']).toBe(`${id}:1:b:1:UP`);
  });

  it('runs branches at the same time and joins them', async () => {
    fixture.http.reply = () => ({ afterMillis: 50 });
    const definition = graph([
      { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
      task('a', { next: 'j' }),
      task('b', { next: 'j' }),
      { kind: 'join', id: 'j', next: 'end' },
      task('end'),
    ]);
    const begun = fixture.clock.now();
    const id = await fixture.submit(engine, definition);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.clock.now() - begun).toBeLessThan(130);
    expect(fixture.http.paths()).toEqual(['a', 'b', 'end']);
  });

  it('ends the calls that a failed execution awaits when its time is up', async () => {
    fixture.http.reply = (path) => (path === 'slow' ? 'hold' : path === 'a' ? { status: 400 } : {});
    const definition = graph(
      [
        { kind: 'split', id: 's', branches: ['a', 'slow'], join: 'j' },
        task('a', { next: 'j' }),
        task('slow', { next: 'j' }),
        { kind: 'join', id: 'j' },
      ],
      { timeoutMillis: 5_000 },
    );
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(4_000);
    expect(fixture.http.paths()).toEqual(['a', 'slow']);
    expect(await fixture.until(id, 'over', 1_100)).toMatchObject({ status: 'FAILED', reason: 'status_4xx' });
    expect(fixture.http.calls[1]!.aborted).toBe(true);
    expect(fixture.http.paths()).toEqual(['a', 'slow', 'undo-slow']);
  });

  it('ends a call after the longest time of any, whatever its stored definition or the default says', async () => {
    await fixture.close();
    fixture = new RuntimeFixture();
    engine = await fixture.engine({ requestTimeoutMillis: 5_000, maxTimeoutMillis: 2_000 });
    const timed = (timeoutMillis: number) => ({ request: { url: 'http://mock/t', verb: 'POST', timeoutMillis } });
    await fixture.submit(
      engine,
      graph([
        task('a', { action: timed(1_999), next: 'b' }),
        task('b', { action: timed(2_001), next: 'c' }),
        task('c'),
      ]),
    );
    await fixture.clock.advance(100);
    expect(fixture.http.calls.map(({ request }) => request.timeoutMillis)).toEqual([1_999, 2_000, 2_000]);
  });

  it('times a round out while a call is in flight', async () => {
    fixture.http.reply = (path) => (path === 'b' ? 'hold' : {});
    const id = await fixture.submit(engine, { ...chain('a', 'b'), timeoutMillis: 5_000 });
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'execution_timeout' });
    expect(fixture.http.calls[1]!.aborted).toBe(true);
    expect(fixture.http.paths()).toEqual(['a', 'b', 'undo-b', 'undo-a']);
  });

  it('sleeps in the queue or, for long, in the store alone, and wakes in time', async () => {
    const sleepy = (millis: number) =>
      graph([{ kind: 'sleep', id: 'z', durationMillis: millis, next: 'a' }, task('a')]);
    const begun = fixture.clock.now();
    const soon = await fixture.submit(engine, sleepy(30_000));
    const late = await fixture.submit(engine, sleepy(3_600_000));
    await fixture.clock.advance(10);
    expect(fixture.hub.size()).toEqual({ ready: 1, inFlight: 0 });
    await fixture.until(soon);
    expect(fixture.clock.now() - begun).toBeLessThan(30_100);
    expect(engine.load().held).toBe(0);
    await fixture.clock.advance(3_500_000);
    expect((await fixture.detail(late)).status).toBe('SLEEPING');
    await fixture.until(late, 'over', 200_000);
    expect(fixture.clock.now() - begun).toBeLessThan(3_600_100);
  });

  it('starts at startAt', async () => {
    const id = await fixture.submit(engine, chain('a'), { startAt: fixture.clock.now() + 10_000 });
    await fixture.clock.advance(9_000);
    expect(fixture.http.calls).toEqual([]);
    await fixture.until(id);
    expect(fixture.http.paths()).toEqual(['a']);
  });

  it('waits for retries in the store and spends them', async () => {
    const definition = { ...chain('a'), failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 5_000 } };
    fixture.http.reply = (_path, _request, nth) => (nth < 3 ? { status: 500 } : {});
    const begun = fixture.clock.now();
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(100);
    expect(engine.load().held).toBe(0);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.clock.now() - begun).toBeGreaterThanOrEqual(10_000);
    expect(new Set(fixture.http.keys()).size).toBe(1);
  });

  it('ends what is unsent without a call', async () => {
    const id = await fixture.submit(
      engine,
      graph([
        {
          kind: 'task',
          id: 'a',
          action: { mode: 'sync', request: { url: 'http://mock/{{payload.no}}', verb: 'GET' } },
        },
      ]),
    );
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(fixture.http.calls).toEqual([]);
  });

  it('sends trace context and its own headers', async () => {
    const id = await fixture.submit(engine, chain('a'));
    await fixture.until(id);
    const { headers } = fixture.http.calls[0]!.request;
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${id.replaceAll('-', '')}-[0-9a-f]{16}-00$`));
    expect(headers).toMatchObject({ 'trama-execution-id': id, 'trama-node-id': 'a', 'trama-attempt': '1' });
  });

  it('tells watchers until the end', async () => {
    const moved: (string | undefined)[] = [];
    fixture.http.reply = () => ({ afterMillis: 10 });
    const id = await fixture.submit(engine, chain('a', 'b'));
    const end = engine.watch(id, ({ end: over }) => moved.push(over?.status));
    await fixture.until(id);
    expect(moved).toEqual([undefined, 'SUCCEEDED']);
    end();
    end();
    expect(engine.load().watchers).toBe(0);
  });

  it('costs the store at most one statement per second when idle', async () => {
    await fixture.clock.advance(60_000);
    fixture.store.seen.length = 0;
    await fixture.clock.advance(60_000);
    expect(fixture.store.seen.length).toBeLessThanOrEqual(60);
    expect(fixture.store.count('listDue')).toBeGreaterThan(20);
  });

  it('keeps its readiness while idle', async () => {
    await fixture.clock.advance(300_000);
    expect(engine.health()).toEqual({ alive: true, unready: [], stalled: [] });
  });

  it('has many more executions than workers and finishes them all', async () => {
    await fixture.close();
    fixture = new RuntimeFixture();
    engine = await fixture.engine({ workerCount: 64, prefetch: 64 });
    fixture.http.reply = () => ({ afterMillis: 20 });
    const all = Array.from({ length: 500 }, () => fixture.submitting(engine, chain('a', 'b', 'c')));
    let done = false;
    void Promise.all(all.map(({ result }) => result)).then(() => (done = true));
    await fixture.clock.runUntilIdle(60_000, () => done);
    expect(engine.load().held).toBeLessThanOrEqual(128);
    await fixture.clock.advance(3_000);
    const statuses = await Promise.all(all.map(async ({ id }) => (await fixture.detail(id)).status));
    expect(new Set(statuses)).toEqual(new Set(['SUCCEEDED']));
    expect(fixture.http.calls.length).toBe(1500);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 0 });
    expect(fixture.store.count('submit')).toBeLessThan(20);
  });
});
