/** A lapse of a lease is final until the store confirms the execution: every call waits for that. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import { slotOf } from '../../core/value/slot.ts';
import type { Claimed, Queue } from '../../ports/queue.ts';
import type { Engine } from '../engine.ts';

const leaseMillis = 10_000;

describe('after a lapse', () => {
  let fixture: RuntimeFixture;
  /** Whether renewals and claims are answered; otherwise they fail. */
  let answers: boolean;
  /** Whether renewals are answered; otherwise the process claims again what it holds. */
  let renews: boolean;
  /** Ids whose claims the queue makes anew at the next renewal. */
  let revives: Set<string>;

  beforeEach(() => {
    fixture = new RuntimeFixture();
    answers = true;
    renews = true;
    revives = new Set();
  });

  afterEach(async () => {
    fixture.store.fault = () => undefined;
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  /** A queue that may be unreachable and may have lost claims. */
  function wrap(queue: Queue): Queue {
    const away = (): Promise<never> => Promise.reject(new Error('Away.'));
    const operations: Partial<Queue> = {
      renew: async (held, millis) => {
        if (!answers || !renews) return away();
        const { lost } = await queue.renew(held, millis);
        const isRevived = ({ id }: Claimed): boolean => revives.has(id);
        return { lost, revived: held.filter(isRevived) };
      },
      claim: (max, millis) => (answers ? queue.claim(max, millis) : away()),
    };
    return new Proxy(queue, {
      get(target, name): unknown {
        const own: unknown = Reflect.get(operations, name);
        const value: unknown = own ?? Reflect.get(target, name, target);
        return typeof value === 'function' && own === undefined ? (value.bind(target) as unknown) : value;
      },
    });
  }

  const engineOf = (): Promise<Engine> => fixture.engine({ leaseMillis }, true, wrap);

  /** An execution of `a` and `b` whose first call is under way. */
  async function held(engine: Engine): Promise<string> {
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(10);
    return id;
  }

  /** Makes the queue unreachable for longer than a lease. */
  async function lapse(meanwhile?: () => Promise<unknown>): Promise<void> {
    answers = false;
    await fixture.clock.advance(leaseMillis);
    await meanwhile?.();
    answers = true;
    await fixture.clock.advance(2_500);
  }

  /** Lets another process take the execution over in the store and write nothing. */
  async function takeOver(id: string): Promise<void> {
    const { fault } = fixture.store;
    fixture.store.fault = () => undefined;
    await fixture.store.takeOver([{ id, claim: 'other/run/1' }], fixture.clock.now());
    fixture.store.fault = fault;
  }

  it('one question settles a held execution, and the next call leaves', async () => {
    const engine = await engineOf();
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(await fixture.submit(engine, chain('a', 'b')));
    await fixture.clock.advance(10);
    await lapse();
    expect(fixture.store.count('readClaims')).toBe(1);
    for (const call of fixture.http.calls) call.answer({});
    for (const id of ids) expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    expect(fixture.store.count('readClaims')).toBe(1);
    expect(fixture.fenced).toEqual([]);
  });

  it('an execution that another claim holds is thrown away, and makes no call', async () => {
    const id = await held(await engineOf());
    await lapse(() => takeOver(id));
    expect(fixture.fenced).toContain('lapse');
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(10);
    // It was released under its own token, claimed again, and its call recorded as one of unknown outcome.
    expect((await fixture.detail(id)).seq).toBeGreaterThan(1);
    expect(fixture.http.paths().filter((path) => path === 'b')).toEqual([]);
  });

  it.each(['lapsed', 'revived', 'adopted'] as const)(
    'a read that comes back late brings no call of a lease that was %s',
    async (how) => {
      const engine = await engineOf();
      fixture.http.reply = (path) => (path === 'c' ? { status: 400 } : {});
      const id = await fixture.submit(engine, chain('a', 'b', 'c'));
      expect((await fixture.until(id)).status).toBe('FAILED');
      const before = fixture.http.calls.length;
      // Round 2 looks for earlier effects before each call leaves.
      let answer = (): void => undefined;
      const read = new Promise<void>((resolve) => (answer = resolve));
      fixture.store.fault = (operation) => (operation === 'findStanding' ? read : undefined);
      await fixture.retry(engine, id);
      await fixture.clock.runUntilIdle(5_000, () => fixture.store.count('findStanding') > 0);
      // The engine takes nothing over any more: calls that leave now belong to the lapsed lease.
      fixture.store.fault = (operation) =>
        operation === 'findStanding' ? read : operation === 'takeOver' ? 'away' : undefined;
      if (how === 'lapsed') {
        answers = false;
        await fixture.clock.advance(leaseMillis);
      }
      await takeOver(id);
      if (how === 'revived') revives.add(id);
      if (how === 'adopted') {
        renews = false;
        fixture.hub.wipe();
        fixture.hub.enqueue([{ id, slot: slotOf(id), dueAt: fixture.clock.now() }]);
      }
      answers = true;
      await fixture.clock.advance(2_500);
      answer();
      await fixture.clock.advance(2_500);
      expect(fixture.http.calls.length).toBe(before);
    },
  );

  it('an event that came meanwhile is applied before anything leaves', async () => {
    const id = await held(await engineOf());
    await lapse(() => fixture.offer(undefined, id, { type: 'cancelled', inboxId: 'c' }));
    fixture.http.calls[0]!.answer({});
    expect((await fixture.until(id, 'over', 1_000)).status).toBe('CANCELLED');
    expect(fixture.http.paths()).toEqual(['a', 'undo-a']);
  });

  it('a call that waited for a connection leaves only with the store’s word', async () => {
    const engine = await engineOf();
    fixture.http.connectMillis = leaseMillis + 2_100;
    let answer = (): void => undefined;
    const word = new Promise<void>((resolve) => (answer = resolve));
    fixture.store.fault = (operation) => (operation === 'readClaims' ? word : undefined);
    const id = await fixture.submit(engine, chain('a'));
    answers = false;
    await fixture.clock.advance(leaseMillis);
    answers = true;
    await fixture.clock.advance(5_000);
    expect(fixture.http.calls).toEqual([]);
    answer();
    expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls.map(({ request }) => request.headers['trama-attempt'])).toEqual(['1']);
  });

  it('an answer that was asked for before the latest revival does not count', async () => {
    const id = await held(await engineOf());
    const words: (() => void)[] = [];
    fixture.store.fault = (operation) =>
      operation === 'readClaims' ? new Promise<void>((resolve) => words.push(resolve)) : undefined;
    await lapse();
    expect(words).toHaveLength(1);
    await lapse();
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(10);
    words[0]!();
    await fixture.clock.advance(10);
    expect(fixture.http.paths()).toEqual(['a']);
    expect(words).toHaveLength(2);
    words[1]!();
    expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
  });

  it('a load that took longer than the lease takes nothing over, and fences no other process', async () => {
    fixture.store.fault = (operation) => (operation === 'takeOver' ? 'away' : undefined);
    const engine = await fixture.engine({ leaseMillis, workerCount: 1 }, true, wrap);
    fixture.http.reply = () => 'hold';
    await fixture.submit(engine, chain('a'));
    const id = await fixture.submit(engine, chain('b'));
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(10);
    answers = false;
    await fixture.clock.advance(leaseMillis - 200);
    await takeOver(id);
    fixture.store.fault = () => undefined;
    await fixture.clock.advance(2_000);
    expect((await fixture.store.readClaims([id]))[0]?.claim).toBe('other/run/1');
    expect(fixture.http.paths()).toEqual(['a']);
    answers = true;
  });

  it('an insert that took longer than the lease starts nothing that another process has by then', async () => {
    const engine = await engineOf();
    let answer = (): void => undefined;
    const insert = new Promise<void>((resolve) => (answer = resolve));
    fixture.store.fault = (operation) => (operation === 'submit' ? insert : undefined);
    const { id, result } = fixture.submitting(engine, chain('a'));
    result.catch(() => undefined);
    await lapse();
    let isTaken = false;
    fixture.store.fault = (operation) => {
      if (operation !== 'readClaims' || isTaken) return operation === 'takeOver' ? 'away' : undefined;
      isTaken = true;
      return takeOver(id);
    };
    answer();
    await fixture.clock.advance(5);
    expect(fixture.fenced).toEqual(['lapse']);
    expect(fixture.http.calls).toEqual([]);
  });

  it('compensations, hooks and parallel branches wait, too', async () => {
    const engine = await engineOf();
    fixture.http.reply = (path) => (path === 'c' ? { status: 400, afterMillis: 15_000 } : {});
    const nodes = [
      { id: 's', kind: 'split', branches: ['a', 'b'], join: 'j' },
      task('a', { next: 'j' }),
      task('b', { next: 'j' }),
      { id: 'j', kind: 'join', next: 'c' },
      task('c'),
    ];
    const hook = { url: 'http://svc/hook', verb: 'POST' };
    const id = await fixture.submit(engine, { ...graph(nodes), onFailureCallback: hook });
    await fixture.clock.advance(100);
    await lapse();
    expect((await fixture.until(id)).status).toBe('FAILED');
    const late = fixture.http.paths().slice(3).toSorted();
    expect(late).toEqual(['hook', 'undo-a', 'undo-b']);
    expect(fixture.store.count('readClaims')).toBe(1);
  });
});

describe('claims without progress', () => {
  let fixture: RuntimeFixture;

  beforeEach(() => {
    fixture = new RuntimeFixture();
  });

  afterEach(async () => {
    await fixture.close();
  });

  it('are not counted against an execution whose owners live', async () => {
    const first = await fixture.engine();
    await fixture.engine();
    fixture.http.reply = () => ({ afterMillis: 900 });
    const id = await fixture.submit(first, chain('a'));
    await fixture.clock.advance(10);
    // The queue loses the claim again and again, and the process that comes first takes the execution over.
    for (let i = 0; i < 12; i++) {
      fixture.hub.wipe();
      first.rebuild();
      await fixture.clock.advance(100);
      await fixture.store.takeOver(
        [{ id, claim: `pod/run-${String(1 + (i % 2))}/x${String(i)}` }],
        fixture.clock.now(),
        ['pod/run-1', 'pod/run-2'],
      );
    }
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
  });
});
