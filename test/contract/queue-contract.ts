/**
 * What every queue must do, whatever it is made of. An adapter's test calls {@link describeQueue} with a bench that can
 * connect processes and let time pass.
 */
import { loneProcess } from '../../simulator/lone-process.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Claimed, Queue, QueueItem } from '../../src/ports/queue.ts';

/** One queue under test, empty at first. */
export interface QueueBench {
  /** A connection of another process. */
  connect(processId: string): Queue;
  /** Milliseconds since 1970 as the queue sees them. */
  now(): number;
  /** Lets that much time pass. */
  pass(millis: number): Promise<void>;
  close(): Promise<void>;
}

/** Long enough for an operation on a real server, short enough to wait for. */
const lease = 400;

/** Runs the suite on the queues that `open` makes. */
export function describeQueue(name: string, open: () => Promise<QueueBench>): void {
  describe(name, () => {
    let bench: QueueBench;
    let queue: Queue;
    let rings: { dueAt: number; held: string | undefined }[];
    const opened: Queue[] = [];

    async function connect(processId: string, ring: (dueAt: number, held?: string) => void = () => undefined) {
      const connection = bench.connect(processId);
      opened.push(connection);
      await connection.start({
        processes: loneProcess,
        rung: ring,
        unknown: () => false,
        refill: () => undefined,
        renew: () => undefined,
        owned: () => undefined,
      });
      return connection;
    }

    beforeEach(async () => {
      bench = await open();
      rings = [];
      queue = await connect('one', (dueAt, held) => rings.push({ dueAt, held }));
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((connection) => connection.stop()));
      await bench.close();
    });

    const item = (id: string, offset = 0): QueueItem => ({ id, slot: 7, dueAt: bench.now() + offset });
    const ids = (claimed: readonly Claimed[]) => claimed.map((claim) => claim.id);
    async function claim(from: Queue = queue, max = 10): Promise<readonly Claimed[]> {
      return (await from.claim(max, lease)).claimed;
    }
    async function claimOne(from: Queue = queue): Promise<Claimed> {
      const [only, ...others] = await claim(from);
      expect(others).toEqual([]);
      return only!;
    }

    it('hands out what is due, earliest first, at most as many as asked for', async () => {
      await queue.enqueue([item('c', -1), item('a', -3), item('b', -2)]);
      expect(ids(await claim(queue, 2))).toEqual(['a', 'b']);
      expect(ids(await claim())).toEqual(['c']);
      expect(await claim()).toEqual([]);
    });

    it('keeps what is due later and says when', async () => {
      const later = item('a', 300);
      await queue.enqueue([later]);
      expect(await queue.claim(10, lease)).toEqual({ claimed: [], nextDueAt: later.dueAt });
      await bench.pass(320);
      expect(ids(await claim())).toEqual(['a']);
    });

    it('rings for what is due now and for what becomes due', async () => {
      await queue.enqueue([item('a')]);
      expect(rings.length).toBeGreaterThan(0);
      await claim();
      await queue.enqueue([item('b', 200)]);
      rings.length = 0;
      await bench.pass(220);
      expect(rings.length).toBeGreaterThan(0);
    });

    it('moves an id to an earlier time, never to a later one', async () => {
      await queue.enqueue([item('a', 10_000)]);
      await queue.enqueue([item('a')]);
      await queue.enqueue([item('a', 10_000)]);
      expect(ids(await claim())).toEqual(['a']);
    });

    it('gives every claim its own token', async () => {
      await queue.enqueue([item('a'), item('b')]);
      const [a, b] = await claim();
      expect(a!.token).not.toBe(b!.token);
      await queue.release([a!]);
      expect((await claimOne()).token).not.toBe(a!.token);
    });

    it('forgets an id that is acknowledged', async () => {
      await queue.enqueue([item('a')]);
      await queue.ack([await claimOne()]);
      expect(await queue.size()).toEqual({ ready: 0, inFlight: 0 });
      expect(await claim()).toEqual([]);
    });

    it('parks an id until the time asked for', async () => {
      await queue.enqueue([item('a')]);
      await queue.ack([{ ...(await claimOne()), parkUntil: bench.now() + 300 }]);
      expect(await claim()).toEqual([]);
      await bench.pass(320);
      expect(ids(await claim())).toEqual(['a']);
    });

    it.each(['ack', 'park', 'release'] as const)('makes an id enqueued while in flight ready after %s', async (end) => {
      await queue.enqueue([item('a')]);
      const held = await claimOne();
      await queue.enqueue([item('a', 5_000)]);
      expect(await claim()).toEqual([]);
      if (end === 'release') await queue.release([held]);
      else await queue.ack([end === 'ack' ? held : { ...held, parkUntil: bench.now() + 10_000 }]);
      expect(ids(await claim())).toEqual(['a']);
    });

    it('tells the holder that its id was enqueued', async () => {
      await queue.enqueue([item('a')]);
      await claim();
      rings.length = 0;
      const other = await connect('two');
      await other.enqueue([item('a')]);
      await bench.pass(50);
      expect(rings.some((ring) => ring.held === 'a')).toBe(true);
    });

    it('marks `again` once only', async () => {
      await queue.enqueue([item('a')]);
      const held = await claimOne();
      await queue.enqueue([item('a')]);
      await queue.ack([held]);
      await queue.ack([await claimOne()]);
      expect(await claim()).toEqual([]);
    });

    it('ignores ack, release and renewal under an old token', async () => {
      await queue.enqueue([item('a')]);
      const old = await claimOne();
      await queue.release([old]);
      const held = await claimOne();
      await queue.ack([old]);
      await queue.release([old]);
      expect(await queue.renew([old, held], lease)).toEqual({ lost: [old], revived: [] });
      expect(await queue.size()).toEqual({ ready: 0, inFlight: 1 });
    });

    it('gives an id to another process when its lease is over', async () => {
      await queue.enqueue([item('a')]);
      const held = await claimOne();
      let rung = 0;
      const other = await connect('two', () => rung++);
      expect(await claim(other)).toEqual([]);
      rung = 0;
      await bench.pass(lease + 50);
      expect(rung).toBeGreaterThan(0);
      const taken = await claimOne(other);
      expect(taken.id).toBe('a');
      expect(await queue.renew([held], lease)).toEqual({ lost: [held], revived: [] });
      await queue.ack([held]);
      expect(await queue.size()).toEqual({ ready: 0, inFlight: 1 });
    });

    it('keeps an id whose lease is renewed', async () => {
      await queue.enqueue([item('a')]);
      const held = await claimOne();
      const other = await connect('two');
      for (let i = 0; i < 3; i++) {
        await bench.pass(lease / 2);
        expect(await queue.renew([held], lease)).toEqual({ lost: [], revived: [] });
        expect(await claim(other)).toEqual([]);
      }
    });

    it('lets the process itself adopt an id whose lease ran out', async () => {
      await queue.enqueue([item('a')]);
      const held = await claimOne();
      await bench.pass(lease + 50);
      const adopted = await claimOne();
      expect(adopted.id).toBe('a');
      expect(adopted.token).not.toBe(held.token);
      expect(await queue.renew([adopted], lease)).toEqual({ lost: [], revived: [] });
    });

    it('claims an id directly, once per process, and for one process only', async () => {
      const a = item('a');
      const [held] = await queue.claimDirect([a], lease);
      expect(held).toMatchObject({ id: 'a', slot: 7 });
      expect(await queue.claimDirect([a], lease)).toMatchObject([{ token: held!.token }]);
      const other = await connect('two');
      expect(await other.claimDirect([a, item('b')], lease)).toMatchObject([undefined, { id: 'b' }]);
      expect(await claim(other)).toEqual([]);
      await queue.ack([held!]);
      expect(await other.claimDirect([a], lease)).toMatchObject([{ id: 'a' }]);
    });

    it('claims directly what is ready', async () => {
      await queue.enqueue([item('a')]);
      expect(await queue.claimDirect([item('a')], lease)).toMatchObject([{ id: 'a' }]);
      expect(await claim()).toEqual([]);
    });

    it('reconciles what is absent or parked until later, and leaves alone what is held', async () => {
      await queue.enqueue([item('held'), item('parked', 5_000)]);
      const held = await claimOne();
      expect(await queue.reconcile([item('held', -9), item('parked', -9), item('lost', -9)])).toEqual(['lost']);
      expect(ids(await claim()).toSorted()).toEqual(['lost', 'parked']);
      await queue.ack([held]);
      expect(await claim()).toEqual([]);
    });

    it('makes a released id ready at once, for anybody', async () => {
      await queue.enqueue([item('a', -5), item('b', -4)]);
      const [a] = await claim(queue, 1);
      await queue.release([a!]);
      const other = await connect('two');
      const taken = await claim(other);
      expect(ids(taken)).toEqual(['a', 'b']);
      expect(taken[0]!.dueAt).toBe(a!.dueAt);
    });

    it('puts an id behind all that is due when it yields its turn', async () => {
      await queue.enqueue([item('a', -5), item('b', -4)]);
      const [a] = await claim(queue, 1);
      await queue.release([{ ...a!, yields: true }]);
      expect(ids(await claim())).toEqual(['b', 'a']);
    });

    it('says since when the longest due id has waited', async () => {
      expect(queue.oldestDueAt).toBeUndefined();
      const items = [item('a', -50), item('b', -80), item('later', 10_000)];
      await queue.enqueue(items);
      expect(queue.oldestDueAt).toBe(items[1]!.dueAt);
      const [b] = await claim(queue, 1);
      expect(queue.oldestDueAt).toBe(items[0]!.dueAt);
      await claim();
      expect(queue.oldestDueAt).toBeUndefined();
      await queue.release([b!]);
      expect(queue.oldestDueAt).toBe(items[1]!.dueAt);
    });

    it('puts an id in its place whose lease is over', async () => {
      await queue.enqueue([item('a', -5), item('b', -4)]);
      const [a] = await claim(queue, 1);
      await bench.pass(lease + 50);
      const taken = await claim();
      expect(ids(taken)).toEqual(['a', 'b']);
      expect(taken[0]!.dueAt).toBe(a!.dueAt);
    });

    it.each(['ack', 'park'] as const)('makes an id enqueued while in flight due since then, by %s', async (end) => {
      await queue.enqueue([item('a', -5), item('b', -4)]);
      const [a] = await claim(queue, 1);
      await queue.enqueue([item('a')]);
      await bench.pass(50);
      await queue.enqueue([item('a'), item('c')]);
      await queue.ack([end === 'ack' ? a! : { ...a!, parkUntil: bench.now() + 10_000 }]);
      expect(ids(await claim())).toEqual(['b', 'a', 'c']);
    });

    it('keeps the place of an id enqueued while in flight that is released', async () => {
      await queue.enqueue([item('a', -5), item('b', -4)]);
      const [a] = await claim(queue, 1);
      await queue.enqueue([item('a')]);
      await queue.release([a!]);
      expect(ids(await claim())).toEqual(['a', 'b']);
    });

    it('does not bring forward by a reconcile what is due', async () => {
      await queue.enqueue([item('a', -1), item('b', -2)]);
      await queue.reconcile([item('a', -9)]);
      expect(ids(await claim())).toEqual(['b', 'a']);
    });

    it('never gives an id to two processes', async () => {
      const other = await connect('two');
      await queue.enqueue(Array.from({ length: 40 }, (_, i) => item(`id-${i}`)));
      const [mine, theirs] = await Promise.all([claim(queue, 25), claim(other, 25)]);
      expect(new Set(ids([...mine, ...theirs])).size).toBe(40);
    });

    it('refuses to work once stopped', async () => {
      await queue.stop();
      await expect(queue.claim(1, lease)).rejects.toMatchObject({ name: 'QueueUnavailable' });
      await queue.stop();
    });
  });
}
