import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import { slotOf } from '../../core/value/slot.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Checkpoint } from '../../ports/store.ts';
import type { Engine } from '../engine.ts';

function asyncTask(id: string, more: JsonObject = {}): JsonObject {
  return task(id, {
    action: { mode: 'async', callback: { timeoutMillis: 60_000 } },
    ...more,
  });
}

describe('the driver of an execution', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine({ leaseMillis: 10_000 });
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  const checkpoints = (): Checkpoint[] =>
    fixture.store.seen.flatMap(({ operation, args }) => (operation === 'checkpoint' ? (args[0] as Checkpoint[]) : []));

  it('goes on only after a checkpoint is durable', async () => {
    let write = (): void => undefined;
    const gate = new Promise<void>((resolve) => (write = resolve));
    fixture.store.fault = (operation) => (operation === 'checkpoint' ? gate : undefined);
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(1_000);
    expect(fixture.http.paths()).toEqual(['a']);
    write();
    fixture.store.fault = () => undefined;
    await fixture.until(id);
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('marks a call before it goes out', async () => {
    fixture.http.reply = (path) => (path === 'b' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    expect((await fixture.detail(id)).state.tokens[0]!.stage.kind).toBe('calling');
    await fixture.clock.advance(10);
    const { state } = await fixture.detail(id);
    expect(state.tokens[0]).toMatchObject({ nodeId: 'b', stage: { kind: 'calling' } });
    fixture.http.calls[1]!.answer({});
    await fixture.until(id);
  });

  it.each(['away', 'silent'] as const)(
    'sends checkpoints unchanged while the store is %s, and calls nothing twice',
    async (fault) => {
      let failures = 4;
      fixture.store.fault = (operation) => (operation === 'checkpoint' && failures-- > 0 ? fault : undefined);
      const id = await fixture.submit(engine, chain('a', 'b'));
      expect((await fixture.until(id)).status).toBe('SUCCEEDED');
      expect(fixture.http.paths()).toEqual(['a', 'b']);
      expect(await fixture.rows(id)).toEqual(['UP:a:succeeded', 'UP:b:succeeded']);
      const [first, ...more] = checkpoints();
      expect(more.filter((other) => other.seq === first!.seq)).toEqual(Array.from({ length: 4 }, () => first));
      expect(engine.health().unready).toEqual([]);
    },
  );

  it('says that the database is away', async () => {
    fixture.store.fault = (operation) => (operation === 'submit' ? undefined : 'away');
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(20_000);
    expect(engine.health()).toMatchObject({ alive: true, unready: ['database_unreachable'] });
    fixture.store.fault = () => undefined;
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a']);
  });

  it('writes nothing once fenced, and leaves the execution to its new owner', async () => {
    fixture.http.reply = (_path, _request, nth) => (nth === 1 ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a'));
    // Another process takes it over, as after a lease that ended.
    await fixture.store.takeOver([{ id, claim: 'other' }], fixture.clock.now());
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(1);
    expect(fixture.fenced).toEqual(['checkpoint']);
    // The id was released, so this same process takes it over next: the call in flight is unknown, and is repeated
    // under the same key.
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'a']);
    expect(new Set(fixture.http.keys()).size).toBe(1);
    const { items } = await fixture.store.listCalls(id, { limit: 10 });
    expect(items.map((call) => call.outcome)).toEqual(['unknown', 'succeeded']);
  });

  it('applies a cancel that it had not seen, keeping the answer in hand', async () => {
    fixture.http.reply = (path) => (path === 'b' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(10);
    // There is no ring: the last checkpoint, which would end it, finds the inbox changed.
    expect(await fixture.offer(undefined, id, { type: 'cancelled', inboxId: 'c1' })).toBe('accepted');
    fixture.http.calls[1]!.answer({});
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'undo-b', 'undo-a']);
    expect((await fixture.store.listCalls(id, { limit: 10 })).items.filter((call) => call.nodeId === 'b')).toHaveLength(
      2,
    );
    expect((await fixture.store.readInbox(id)).inbox).toEqual([]);
  });

  it('makes the next call although the report of its checkpoint fails', async () => {
    let failures = 1;
    const definition = {
      ...fixture.telemetry.definition('n', '1'),
      stepped: () => {
        if (failures-- > 0) throw new Error('The metrics are broken.');
      },
    };
    Object.assign(fixture.telemetry, { definition: () => definition });
    const id = await fixture.submit(engine, chain('a', 'b', 'c'));
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b', 'c']);
    const faults = fixture.logs.filter(({ message }) => message === 'engine fault');
    expect(faults.map(({ fields }) => fields?.['fault'])).toEqual([1]);
  });

  it('sees a cancel while it runs by what its checkpoints answer', async () => {
    fixture.http.reply = () => ({ afterMillis: 20 });
    const id = await fixture.submit(engine, chain('a', 'b', 'c', 'd'));
    await fixture.clock.advance(5);
    await fixture.offer(undefined, id, { type: 'cancelled', inboxId: 'c1' });
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    // The checkpoint after `a` released `b` and reported the cancel.
    expect(fixture.http.paths().slice(0, 2)).toEqual(['a', 'b']);
    expect(fixture.http.paths()).not.toContain('c');
  });

  it('terminates at once when rung, aborting what is in flight', async () => {
    fixture.http.reply = () => 'hold';
    const id = await fixture.submit(engine, chain('a'));
    await fixture.offer(engine, id, { type: 'terminated', inboxId: 't1' });
    expect((await fixture.until(id, 'over', 10)).status).toBe('TERMINATED');
    expect(fixture.http.calls[0]!.aborted).toBe(true);
  });

  it('parks for a callback and goes on with it', async () => {
    const id = await fixture.submit(engine, graph([asyncTask('a', { next: 'b' }), task('b')]));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(5);
    expect(engine.load().held).toBe(0);
    expect(await fixture.offer(engine, id, await fixture.callbackOf(id, 'a', { n: 1 }), 'h')).toBe('accepted');
    expect((await fixture.until(id, 'over', 50)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('keeps a callback that comes before its node has parked', async () => {
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(engine, graph([asyncTask('a', { next: 'b' }), task('b')]));
    expect(await fixture.offer(engine, id, await fixture.callbackOf(id, 'a', { n: 1 }), 'h')).toBe('accepted');
    await fixture.clock.advance(1_000);
    expect((await fixture.store.readInbox(id)).inbox).toHaveLength(1);
    fixture.http.calls[0]!.answer({ status: 202 });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect((await fixture.store.readInbox(id)).inbox).toEqual([]);
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('quarantines what the engine fails on five times over', async () => {
    fixture.http.reply = (path) => (path === 'b' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(10);
    fixture.store.fault = (operation, args) =>
      operation === 'checkpoint' && (args[0] as Checkpoint[])[0]!.state.end?.reason !== 'engine'
        ? new Error('A row that cannot be stored.')
        : undefined;
    fixture.http.calls[1]!.answer({});
    const detail = await fixture.until(id);
    expect(detail).toMatchObject({ status: 'CORRUPTED', reason: 'engine' });
    expect(detail.failureDescription).toMatch(/^The engine failed on this execution: .* It stood at "b"\.$/);
    expect(fixture.logs.filter(({ message }) => message === 'engine fault')).toHaveLength(6);
    expect(fixture.http.paths()).toEqual(['a', 'b']);
    await fixture.clock.advance(10);
    expect(fixture.hub.size()).toEqual({ ready: 0, inFlight: 0 });
  });

  it('recovers from a fault that passes, keeping the answer', async () => {
    let failures = 2;
    fixture.store.fault = (operation) =>
      operation === 'checkpoint' && failures-- > 0 ? new Error('Something odd.') : undefined;
    const id = await fixture.submit(engine, chain('a', 'b'));
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('lets one bad row pay alone', async () => {
    fixture.http.reply = () => ({ afterMillis: 10 });
    const bad = fixture.submitting(engine, chain('bad'));
    const good = Array.from({ length: 20 }, () => fixture.submitting(engine, chain('good')));
    await fixture.clock.advance(5);
    fixture.store.fault = (operation, args) =>
      operation === 'checkpoint' &&
      (args[0] as Checkpoint[]).some((row) => row.id === bad.id && row.state.end?.reason !== 'engine')
        ? new Error('A row that cannot be stored.')
        : undefined;
    for (const { id } of good) expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect((await fixture.until(bad.id)).status).toBe('CORRUPTED');
  });

  it('quarantines an execution that was claimed five times without getting anywhere', async () => {
    fixture.http.reply = () => 'hold';
    const id = await fixture.submit(engine, chain('a'));
    for (let i = 0; i < 5; i++) await fixture.store.takeOver([{ id, claim: `dead-${i}` }], fixture.clock.now());
    fixture.http.calls[0]!.answer({});
    const detail = await fixture.until(id);
    expect(detail).toMatchObject({ status: 'CORRUPTED', reason: 'engine' });
    expect(detail.failureDescription).toContain('without a checkpoint in between. It stood at "a".');
  });

  it('counts the claims of an execution that it lived on with again, before it looks at an answer', async () => {
    fixture.http.reply = () => 'hold';
    const id = await fixture.submit(engine, chain('a'));
    for (let i = 0; i < 3; i++) await fixture.store.takeOver([{ id, claim: `dead-${i}` }], fixture.clock.now());
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(2_000);
    const counted = (): unknown[] =>
      fixture.store.seen
        .filter(({ operation }) => operation === 'checkpoint')
        .flatMap(({ args }) => args[0] as Checkpoint[])
        .map(({ claims, progress, steps }) => ({ claims, progress, steps: steps.length }))
        .slice(-3);
    expect(counted().at(-1)).toEqual({ claims: 0, progress: false, steps: 0 });
    fixture.http.calls.at(-1)!.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(counted()).toEqual([
      { claims: 0, progress: false, steps: 0 },
      { claims: 5, progress: false, steps: 0 },
      { claims: undefined, progress: true, steps: 1 },
    ]);
  });

  it('does not blame an execution for the end of processes that had lived on with it', async () => {
    fixture.http.reply = () => 'hold';
    const id = await fixture.submit(engine, chain('a'));
    for (let i = 0; i < 5; i++) {
      await fixture.store.takeOver([{ id, claim: `dead-${i}` }], fixture.clock.now());
      // The answer finds its owner fenced; the next owner calls again and goes on.
      fixture.http.calls.at(-1)!.answer({});
      await fixture.clock.advance(2_000);
      expect(fixture.http.calls).toHaveLength(i + 2);
    }
    fixture.http.calls.at(-1)!.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
  });

  it('takes a forbidden change of its mode for a fault of the engine, and goes on', async () => {
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(10);
    let isArmed = true;
    // The first look applies and commits everything within the driver's own move, which then commits once more.
    vi.spyOn(engine.share, 'isSpent', 'get').mockImplementation(() => {
      if (!isArmed) return false;
      isArmed = false;
      engine.ring({ id, slot: slotOf(id), dueAt: fixture.clock.now() });
      return true;
    });
    fixture.http.calls[0]!.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    const faults = fixture.logs.filter(({ message }) => message === 'engine fault');
    expect(faults.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({
        sagaId: id,
        fault: 1,
        error: expect.stringContaining('must not go from committing to committing') as string,
      }),
    ]);
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('makes room for others after its share of steps', async () => {
    const many = Array.from({ length: 10 }, (_, i) => `n${i}`);
    const small = new RuntimeFixture();
    const one = await small.engine({ workerCount: 1, prefetch: 1, maxStepsPerExecution: 3 });
    small.http.reply = () => ({ afterMillis: 10 });
    const long = small.submitting(one, chain(...many));
    await small.clock.advance(1);
    const short = small.submitting(one, chain('x'));
    await small.clock.advance(1);
    // These executions wait in the queue, and not here.
    small.submitting(one, chain('y'));
    await small.clock.advance(1);
    const last = small.submitting(one, chain('z'));
    await small.clock.advance(0);
    await small.until(short.id);
    expect(small.http.paths().slice(0, 4)).toEqual(['n0', 'n1', 'n2', 'x']);
    await small.until(last.id);
    await small.until(long.id);
    expect(small.http.paths()).toEqual(['n0', 'n1', 'n2', 'x', 'y', 'z', ...many.slice(3)]);
    await small.close();
  });

  it('goes through a loop without calls in bounded pieces', async () => {
    const definition = graph(
      [
        { kind: 'switch', id: 's', cases: [{ when: { '==': [1, 2] }, target: 'end' }], default: 't' },
        { kind: 'switch', id: 't', cases: [{ when: { '==': [1, 2] }, target: 'end' }], default: 's' },
        task('end'),
      ],
      { maxNodeVisits: 450 },
    );
    const id = await fixture.submit(engine, definition);
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'visits' });
    expect(fixture.store.count('checkpoint')).toBeGreaterThanOrEqual(4);
  });

  it('compensates each visit of a loop once', async () => {
    const definition = graph([
      task('a', { next: 's' }),
      {
        kind: 'switch',
        id: 's',
        cases: [{ when: { '<': [{ var: 'nodes.a.visit' }, 5] }, target: 'a' }],
        default: 'bad',
      },
      task('bad'),
    ]);
    fixture.http.reply = (path) => (path === 'bad' ? { status: 400 } : {});
    const id = await fixture.submit(engine, definition);
    expect((await fixture.until(id)).status).toBe('FAILED');
    const undone = fixture.http.calls
      .filter(({ request }) => request.url.endsWith('undo-a'))
      .map(({ request }) => request.headers['trama-compensates']);
    expect(undone).toEqual([5, 4, 3, 2, 1].map((visit) => `${id}:1:a:${visit}:UP`));
  });

  it('sends the earlier key in a new round where the effect stands, also after a crash', async () => {
    // An unknown outcome of `a` that must not be compensated remains; `b` has another request in every round.
    const definition = graph([
      task('a', { compensation: false, next: 'b' }),
      task('b', { compensation: false, action: { request: { url: 'http://mock/b', verb: 'GET' } }, next: 'c' }),
      task('c', { compensation: false }),
    ]);
    fixture.http.reply = (path, _request, nth) => (path === 'c' && nth === 1 ? { status: 400 } : {});
    const id = await fixture.submit(engine, definition);
    expect((await fixture.until(id)).status).toBe('FAILED');
    fixture.http.reply = (path, _request, nth) => (path === 'a' && nth === 2 ? 'hold' : {});
    await fixture.retry(engine, id);
    await fixture.clock.advance(5);
    // The execution is taken over while the call is under way: the next owner sends it again, under the same key.
    await fixture.store.takeOver([{ id, claim: 'other' }], fixture.clock.now());
    fixture.http.calls.at(-1)!.answer({});
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.keys()).toEqual([
      `${id}:1:a:1:UP`,
      `${id}:1:b:1:UP`,
      `${id}:1:c:1:UP`,
      `${id}:1:a:1:UP`,
      `${id}:1:a:1:UP`,
      `${id}:2:b:1:UP`,
      `${id}:2:c:1:UP`,
    ]);
  });

  it('makes no call once its lease may be over, but offers the answer in hand', async () => {
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    // The process is frozen for longer than its lease; then the answer is there.
    fixture.clock.freeze(9_900);
    fixture.http.calls[0]!.answer({ afterMillis: 0 });
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
    const { items } = await fixture.store.listCalls(id, { limit: 10 });
    expect(items.map((call) => `${call.nodeId} ${call.outcome}`)).toEqual(['a succeeded', 'b succeeded']);
  });

  it('withholds a call that waited for its connection until the lease may be over', async () => {
    fixture.http.connectMillis = 100;
    const id = await fixture.submit(engine, chain('a'));
    fixture.clock.freeze(9_900);
    await fixture.clock.advance(100);
    expect(fixture.fenced).toEqual(['lease']);
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    // The next owner sends it: from the checkpoint alone it cannot tell that nothing had left.
    expect(fixture.http.paths()).toEqual(['a']);
    const { items } = await fixture.store.listCalls(id, { limit: 10 });
    expect(items.map((call) => `${call.nodeId} ${call.outcome}`)).toEqual(['a unknown', 'a succeeded']);
  });
});
