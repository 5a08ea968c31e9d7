import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../test/runtime-fixture.ts';
import { slotOf } from '../core/value/slot.ts';
import { type Queue, QueueUnavailable } from '../ports/queue.ts';
import { StoreUnavailable } from '../ports/store.ts';
import { Overloaded } from './settings.ts';

/** A queue whose connection is cut while `isCut` says so. */
function cuttable(queue: Queue, isCut: (method: string) => boolean): Queue {
  return new Proxy(queue, {
    get(target, name: keyof Queue) {
      const method = target[name] as (...args: unknown[]) => unknown;
      if (typeof method !== 'function' || name === 'toRefill' || name === 'owns') return method;
      return (...args: unknown[]) =>
        isCut(name) ? Promise.reject(new QueueUnavailable('Cut.')) : method.apply(target, args);
    },
  });
}

describe('engines under faults', () => {
  let fixture: RuntimeFixture;

  beforeEach(() => {
    fixture = new RuntimeFixture();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  it('take over what a process left whose lease ran out, and fence it', async () => {
    let cut = false;
    const first = await fixture.engine({}, true, (queue) => cuttable(queue, (method) => cut && method !== 'stop'));
    fixture.http.reply = (path, _request, nth) => (path === 'a' && nth === 1 ? 'hold' : {});
    const id = await fixture.submit(first, chain('a', 'b'));
    const second = await fixture.engine();
    cut = true;
    const begun = fixture.clock.now();
    expect((await fixture.until(id, 'over', 12_000)).status).toBe('SUCCEEDED');
    expect(fixture.clock.now() - begun).toBeLessThanOrEqual(10_200);
    expect(fixture.http.paths()).toEqual(['a', 'a', 'b']);
    expect(second.load().held).toBe(0);
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(100);
    expect(fixture.fenced).toContain('checkpoint');
    expect(first.load().held).toBe(0);
    expect(await fixture.rows(id)).toEqual(['UP:a:succeeded', 'UP:b:succeeded']);
    cut = false;
  });

  it('go on when the queue is away: runs are accepted, and done when it returns', async () => {
    let cut = true;
    const engine = await fixture.engine({}, true, (queue) =>
      cuttable(queue, (method) => cut && method !== 'start' && method !== 'stop'),
    );
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(60_000);
    expect(fixture.http.calls).toEqual([]);
    expect(engine.health()).toMatchObject({ alive: true });
    cut = false;
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
  });

  it('that only serve the API ask nothing of a store that answers their beats, and see it go and return', async () => {
    const engine = await fixture.engine({}, false);
    await fixture.clock.advance(60_000);
    expect(fixture.store.count('ping')).toBe(0);
    expect(engine.health().unready).toEqual([]);
    fixture.store.fault = () => 'away';
    await fixture.clock.advance(5_000);
    expect(engine.health().unready).toEqual(['database_unreachable']);
    fixture.store.fault = () => undefined;
    await fixture.clock.advance(5_000);
    expect(engine.health().unready).toEqual([]);
  });

  it('lose nothing when the queue loses everything', async () => {
    const engine = await fixture.engine();
    const sleeping = await fixture.submit(
      engine,
      graph([{ kind: 'sleep', id: 'z', durationMillis: 20_000, next: 'a' }, task('a')]),
    );
    fixture.http.reply = (path) => (path === 'x' ? 'hold' : {});
    const running = await fixture.submit(engine, chain('x', 'y'));
    await fixture.clock.advance(100);
    fixture.hub.wipe();
    engine.rebuild();
    fixture.http.calls[0]!.answer({});
    await fixture.until(running, 'over', 100);
    expect(fixture.http.paths()).toEqual(['x', 'y']);
    expect((await fixture.until(sleeping, 'over', 20_200)).status).toBe('SUCCEEDED');
  });

  it('find a lost ring by the reconcile', async () => {
    const engine = await fixture.engine();
    const id = await fixture.submit(
      engine,
      graph([{ kind: 'sleep', id: 'z', durationMillis: 3_600_000, next: 'a' }, task('a')]),
    );
    await fixture.clock.advance(100);
    await fixture.offer(undefined, id, { type: 'woken', inboxId: 'w1' });
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
  });

  it('do what the store holds when they start', async () => {
    const api = await fixture.engine({}, false);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await fixture.submit(api, chain('a')));
    fixture.hub.wipe();
    expect(fixture.http.calls).toEqual([]);
    await fixture.engine();
    for (const id of ids) expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect(fixture.store.count('listDue')).toBe(1);
  });

  it('refuse runs in time while the store is away, and start no call for them', async () => {
    const engine = await fixture.engine({ submitPatienceMillis: 1_000 });
    fixture.store.fault = () => 'away';
    const { result } = fixture.submitting(engine, chain('a'));
    let error: unknown;
    result.catch((reason: unknown) => (error = reason));
    await fixture.clock.advance(4_000);
    expect(error).toBeInstanceOf(StoreUnavailable);
    fixture.store.fault = () => undefined;
    await fixture.clock.advance(5_000);
    expect(fixture.http.calls).toEqual([]);
    expect(engine.load().held).toBe(0);
  });

  it('say so where nothing is driven, though no request comes', async () => {
    const engine = await fixture.engine({}, false);
    await fixture.clock.advance(10);
    expect(engine.health().unready).toEqual([]);
    fixture.store.fault = () => 'away';
    await fixture.clock.advance(4_500);
    expect(engine.health()).toMatchObject({ alive: true, unready: ['database_unreachable'] });
    fixture.store.fault = () => undefined;
    await fixture.clock.advance(3_000);
    expect(engine.health().unready).toEqual([]);
  });

  it('stay unready while the store answers reads only', async () => {
    const engine = await fixture.engine();
    const readOnly = new StoreUnavailable('read_only', 'No writes.');
    fixture.store.fault = (operation) => (operation === 'findDue' ? undefined : readOnly);
    fixture.submitting(engine, chain('a')).result.catch(() => undefined);
    for (let second = 0; second < 20; second++) {
      await fixture.clock.advance(1_000);
      expect(engine.health().unready).toEqual(['database_read_only']);
    }
    const said = fixture.logs.map(({ message }) => message).filter((message) => message.startsWith('store '));
    expect(said).toEqual(['store away']);
    fixture.store.fault = () => undefined;
    await fixture.clock.advance(5_000);
    expect(engine.health().unready).toEqual([]);
  });

  it('wait for a write when the disk is full, where one waits', async () => {
    const engine = await fixture.engine();
    const full = new StoreUnavailable('full', 'No space.');
    const id = await fixture.submit(engine, chain('a'));
    fixture.store.fault = (operation) => (operation === 'checkpoint' ? full : undefined);
    for (let second = 0; second < 10; second++) {
      await fixture.clock.advance(1_000);
      expect(engine.health().unready).toEqual(['database_read_only']);
    }
    fixture.store.fault = () => undefined;
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(engine.health().unready).toEqual([]);
  });

  it('finish a run whose insert was durable though no answer came', async () => {
    const engine = await fixture.engine({ submitPatienceMillis: 0 });
    let failures = 1;
    fixture.store.fault = (operation) => (operation === 'submit' && failures-- > 0 ? 'silent' : undefined);
    const { id, result } = fixture.submitting(engine, chain('a'));
    let failed = false;
    result.catch(() => (failed = true));
    await fixture.clock.advance(1);
    expect(failed).toBe(true);
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
    // The mark of the direct start remains, so the first attempt counts as unknown; the call had not left.
    expect(fixture.http.paths()).toEqual(['a']);
  });

  it('refuse what would wait without bound', async () => {
    const engine = await fixture.engine({ maxWaitingSubmissions: 5, maxWatchers: 1 });
    let insert = (): void => undefined;
    const gate = new Promise<void>((resolve) => (insert = resolve));
    fixture.store.fault = (operation) => (operation === 'submit' ? gate : undefined);
    const first = fixture.submitting(engine, chain('a'));
    await fixture.clock.advance(1);
    const more = Array.from({ length: 8 }, () => fixture.submitting(engine, chain('a')).result);
    const refused: unknown[] = [];
    for (const result of more) result.catch((reason: unknown) => refused.push(reason));
    await fixture.clock.advance(1);
    expect(refused).toHaveLength(3);
    expect(refused[0]).toBeInstanceOf(Overloaded);
    insert();
    await fixture.clock.advance(1);
    await fixture.until(first.id);
    const end = engine.watch('x', () => undefined);
    expect(() => engine.watch('y', () => undefined)).toThrow(Overloaded);
    end();
  });

  it('read again while the store is away in the middle of compensating', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : {});
    let failures = 3;
    fixture.store.fault = (operation) => (operation === 'findUndo' && failures-- > 0 ? 'away' : undefined);
    const id = await fixture.submit(engine, chain('a', 'b'));
    expect((await fixture.until(id)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'undo-a']);
  });

  it('survive a fault of a read, and compensate once', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : {});
    let failures = 2;
    fixture.store.fault = (operation) => (operation === 'findUndo' && failures-- > 0 ? new Error('Odd.') : undefined);
    const id = await fixture.submit(engine, chain('a', 'b'));
    expect((await fixture.until(id)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'undo-a']);
  });
});

describe('stopping an engine', () => {
  let fixture: RuntimeFixture;

  beforeEach(() => {
    fixture = new RuntimeFixture();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  it('awaits calls in flight, leaves the rest ready, and another process goes on', async () => {
    const first = await fixture.engine();
    fixture.http.reply = () => ({ afterMillis: 500 });
    const id = await fixture.submit(first, chain('a', 'b'));
    const second = await fixture.engine();
    let stopped = false;
    void first.stop({ drainTimeoutMillis: 5_000 }).then(() => (stopped = true));
    expect(first.health().unready).toEqual(['shutting_down']);
    await fixture.clock.runUntilIdle(10_000, () => stopped);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
    expect(second.load().held).toBe(0);
    const messages = fixture.logs.map(({ message }) => message).filter((text) => text.startsWith('stop'));
    expect(messages).toEqual([
      'stopping: no more claims',
      'stopping: left the cluster',
      'stopping: drained',
      'stopping: flushed',
      'stopping: no more requests',
      'stopped',
    ]);
  });

  it('gives up calls at the end of the drain, which are then unknown and repeated', async () => {
    const first = await fixture.engine();
    fixture.http.reply = (_path, _request, nth) => (nth === 1 ? 'hold' : {});
    const id = await fixture.submit(first, chain('a'));
    let stopped = false;
    void first.stop({ drainTimeoutMillis: 3_000 }).then(() => (stopped = true));
    await fixture.clock.advance(2_900);
    expect([stopped, fixture.http.calls[0]!.aborted]).toEqual([false, false]);
    await fixture.clock.advance(200);
    expect([stopped, fixture.http.calls[0]!.aborted]).toEqual([true, true]);
    expect((await fixture.detail(id)).state.tokens[0]!.stage.kind).toBe('backoff');
    await fixture.engine();
    expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect(new Set(fixture.http.keys()).size).toBe(1);
  });

  it('is hurried by a second signal', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = () => 'hold';
    await fixture.submit(engine, chain('a'));
    let stopped = false;
    void engine.stop({ drainTimeoutMillis: 35_000 }).then(() => (stopped = true));
    await fixture.clock.advance(100);
    engine.force();
    await fixture.clock.advance(100);
    expect(stopped).toBe(true);
  });

  it('accepts runs until serving has stopped, and leaves them to others', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = () => ({ afterMillis: 500 });
    await fixture.submit(engine, chain('a'));
    let accepted = '';
    let stopped = false;
    const stopServing = async (): Promise<void> => {
      const { id, result } = fixture.submitting(engine, chain('late'));
      await result;
      accepted = id;
    };
    void engine.stop({ drainTimeoutMillis: 5_000, stopServing }).then(() => (stopped = true));
    await fixture.clock.runUntilIdle(10_000, () => stopped);
    expect((await fixture.detail(accepted)).status).toBe('IN_PROGRESS');
    expect(fixture.http.paths()).toEqual(['a']);
    await fixture.engine();
    expect((await fixture.until(accepted)).status).toBe('SUCCEEDED');
  });

  it('counts nothing against an execution when the store stays away until the end', async () => {
    const engine = await fixture.engine();
    fixture.http.reply = (path) => (path === 'b' ? { status: 400 } : {});
    fixture.store.fault = (operation) => (operation === 'findUndo' ? 'away' : undefined);
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(100);
    let stopped = false;
    void engine.stop({ drainTimeoutMillis: 1_000 }).then(() => (stopped = true));
    await fixture.clock.runUntilIdle(20_000, () => stopped);
    await fixture.clock.advance(12_000);
    expect(fixture.logs.filter(({ level }) => level === 'error')).toEqual([]);
    fixture.store.fault = () => undefined;
    await fixture.engine();
    expect((await fixture.until(id)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'undo-a']);
  });

  it('hands back at once what has not begun', async () => {
    const engine = await fixture.engine({ workerCount: 1, prefetch: 5 });
    fixture.http.reply = () => 'hold';
    for (let i = 0; i < 4; i++) fixture.submitting(engine, chain('a'));
    await fixture.clock.advance(10);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 4 });
    void engine.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(1);
    expect(fixture.hub.size()).toEqual({ ready: 3, inFlight: 1 });
  });

  it('does nothing for a ring of an unknown execution but look', async () => {
    const engine = await fixture.engine();
    const id = fixture.entropy.uuid(fixture.clock.now());
    engine.ring({ id, slot: slotOf(id), dueAt: fixture.clock.now() });
    await fixture.clock.advance(10);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 0 });
  });
});
