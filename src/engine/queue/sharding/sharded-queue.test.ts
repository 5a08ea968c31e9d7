import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cutOff, isHalf, startPod, twoNodes, type Pod, type PodOptions } from '../../../../test/cluster-fixture.ts';
import { chain, graph, RuntimeFixture, task } from '../../../../test/runtime-fixture.ts';
import { shardOf, slotOf } from '../../../core/value/slot.ts';
import { ShardQueueServer } from '../../../../simulator/queue/shard-queue-server.ts';
import { assertMillis, type ShardQueue } from '../../../ports/shard-queue.ts';

describe('a cluster of processes', () => {
  let fixture: RuntimeFixture;
  let server: ShardQueueServer;
  let pods: Pod[];

  beforeEach(() => {
    fixture = new RuntimeFixture();
    server = new ShardQueueServer(fixture.clock);
    pods = [];
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  async function pod(podId: string, more: PodOptions = {}): Promise<Pod> {
    const made = await startPod(fixture, server, podId, more);
    pods.push(made);
    return made;
  }

  const shares = (): number[] => pods.map(({ queue }) => queue.owned.shards.length);

  async function submitMany(count: number, at: (i: number) => Pod): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) ids.push(await fixture.submit(at(i).engine, chain('a', 'b')));
    return ids;
  }

  async function allSucceed(ids: readonly string[], maxMillis = 600_000): Promise<void> {
    for (const id of ids) expect((await fixture.until(id, 'over', maxMillis)).status).toBe('SUCCEEDED');
  }

  it('divides the shards between its members', async () => {
    await pod('a');
    expect(shares()).toEqual([64]);
    await pod('b');
    await pod('c');
    expect(shares().reduce((sum, n) => sum + n, 0)).toBe(64);
    for (const share of shares()) expect(share).toBeGreaterThanOrEqual(18);
    const all = pods.flatMap(({ queue }) => queue.owned.shards);
    expect(new Set(all).size).toBe(64);
  });

  it('runs what any of them accepted, in the shard’s owner, without waiting for a scan', async () => {
    const api = await pod('api', { works: false });
    await pod('a');
    await pod('b');
    await fixture.clock.advance(20_000);
    const begun = fixture.clock.now();
    const ids = await submitMany(20, () => api);
    await allSucceed(ids, 100);
    expect(fixture.clock.now() - begun).toBeLessThan(500);
    await fixture.clock.advance(50);
    expect(await pods[1]!.queue.size()).toEqual({ ready: 0, inFlight: 0 });
    expect(await pods[2]!.queue.size()).toEqual({ ready: 0, inFlight: 0 });
  });

  it('mints ids of its own shards, so that runs start where they are accepted', async () => {
    const first = await pod('a');
    await pod('b');
    for (let i = 0; i < 20; i++) {
      const id = first.engine.mintId(fixture.clock.now());
      expect(first.queue.owns(slotOf(id))).toBe(true);
    }
  });

  it('takes over what a member left, as soon as it leaves', async () => {
    const first = await pod('a');
    await pod('b');
    const ids = await submitMany(10, () => first);
    const stopped = first.engine.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(100);
    await stopped;
    expect(pods[1]!.queue.owned.shards).toHaveLength(64);
    await allSucceed(ids, 100);
  });

  it('tells the new owner of a shard what a leaving member hands back last', async () => {
    const first = await pod('a');
    fixture.http.reply = (path) => (path === 'slow' ? 'hold' : {});
    const id = await fixture.submit(first.engine, chain('slow', 'b'));
    const second = await pod('b');
    const stopped = first.engine.stop({ drainTimeoutMillis: 30_000 });
    await fixture.clock.advance(100);
    // Those that were there when it left are gone by the time at which it has something to hand back.
    const third = await pod('c');
    const gone = second.engine.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(100);
    await gone;
    expect(third.queue.owned.shards).toHaveLength(64);
    fixture.http.calls.find(({ request }) => request.url.endsWith('/slow'))!.answer({});
    await allSucceed([id], 200);
    await fixture.clock.advance(100);
    await stopped;
  });

  it('rings the owner for what was woken while its worker was done with it', async () => {
    const [first, second] = [await pod('a'), await pod('b')];
    const id = first.engine.mintId(fixture.clock.now());
    const item = { id, slot: slotOf(id), dueAt: fixture.clock.now() };
    const [claimed] = await first.queue.claimDirect([item], 10_000);
    await second.queue.enqueue([item]);
    await first.queue.ack([claimed!]);
    await fixture.clock.advance(5);
    // Nothing of it is in the store, so the process that claimed it has already taken it out of the queue.
    expect(await first.queue.size()).toEqual({ ready: 0, inFlight: 0 });
  });

  it('goes on with what a dead process held as soon as its lease ends, long before the next sweep', async () => {
    const first = await pod('a', { sweepMillis: 60_000 });
    await pod('b', { sweepMillis: 60_000 });
    fixture.http.reply = (_path, _request, nth) => (nth === 1 ? 'hold' : {});
    await fixture.clock.advance(1_900);
    const id = await fixture.submit(first.engine, chain('slow'));
    // Its shards fall to the other before its lease ends: it was last heard of before it claimed.
    await first.connection.close();
    const begun = fixture.clock.now();
    await fixture.until(id, 'over', 20_000);
    expect(fixture.clock.now() - begun).toBeLessThanOrEqual(10_000 + 100);
  });

  it('keeps the leases of one node while another is away', async () => {
    let away = false;
    const first = await pod('a', { via: (connection) => cutOff(connection, (shard) => away && isHalf(shard)) });
    fixture.http.reply = (path) => (path === 'slow' ? 'hold' : {});
    const ids: string[] = [];
    while (ids.length < 8) {
      ids.push(await fixture.submit(first.engine, chain('slow', 'b')));
      await fixture.clock.advance(200);
    }
    away = true;
    await fixture.clock.advance(12_000);
    for (const call of fixture.http.calls) call.answer({});
    await fixture.clock.advance(50);
    // The others wait for their node: they are given back, and no process can take them.
    const near = ids.filter((id) => !isHalf({ count: 64, index: shardOf(slotOf(id), 64) }));
    expect(near).toHaveLength(4);
    await allSucceed(near, 10);
    expect(fixture.http.paths().filter((path) => path === 'b')).toHaveLength(near.length);
  });

  it('claims at one node, and keeps its leases, while another hangs', async () => {
    let isHung = false;
    const api = await pod('api', { works: false });
    await pod('a', { via: (connection) => twoNodes(connection, fixture.clock, () => isHung, 12_000) });
    fixture.http.reply = (path) => (path === 'slow' ? 'hold' : {});
    const isNear = (id: string): boolean => !isHalf({ count: 64, index: shardOf(slotOf(id), 64) });
    const held: string[] = [];
    while (held.filter(isNear).length < 4) held.push(await fixture.submit(api.engine, chain('slow', 'b')));
    await fixture.clock.advance(50);
    isHung = true;
    const took: number[] = [];
    while (took.length < 40) {
      const begun = fixture.clock.now();
      const id = await fixture.submit(api.engine, chain('a'));
      if (isNear(id)) {
        await fixture.until(id, 'over', 20_000);
        took.push(fixture.clock.now() - begun);
      }
      await fixture.clock.advance(300);
    }
    // The first request after it hangs may wait a little for it.
    expect(took.filter((millis) => millis > 20).length).toBeLessThanOrEqual(2);
    expect(Math.max(...took)).toBeLessThan(500);
    for (const call of fixture.http.calls) if (call.request.url.endsWith('/slow')) call.answer({});
    await fixture.clock.advance(50);
    await allSucceed(held.filter(isNear), 10);
    isHung = false;
    await fixture.clock.advance(30_000);
    expect(await pods[1]!.queue.size()).toEqual({ ready: 0, inFlight: 0 });
  });

  it('fills shards again that one node lost, and misses nothing of another that is away meanwhile', async () => {
    let away = false;
    const first = await pod('a', { via: (connection) => cutOff(connection, (shard) => away && isHalf(shard)) });
    const sleeps = graph([{ kind: 'sleep', id: 's', durationMillis: 20_000, next: 'a' }, task('a')]);
    const parked: string[] = [];
    while (parked.length < 8) {
      parked.push(await fixture.submit(first.engine, sleeps));
      // New ids of one moment go to one shard.
      await fixture.clock.advance(200);
    }
    const near = parked.filter((id) => !isHalf({ count: 64, index: shardOf(slotOf(id), 64) }));
    expect(near.length).toBeGreaterThan(1);
    expect(near.length).toBeLessThan(8);
    away = true;
    await fixture.clock.advance(25_000);
    // Those of the other node are overdue and cannot be put anywhere.
    await allSucceed(near, 10);
    const late = [];
    while (late.length < 4) {
      const id = await fixture.submit(first.engine, sleeps);
      if (!isHalf({ count: 64, index: shardOf(slotOf(id), 64) })) late.push(id);
      await fixture.clock.advance(200);
    }
    await fixture.clock.advance(1_000);
    server.wipe();
    await fixture.clock.advance(19_000);
    await allSucceed(late, 5_000);
    away = false;
    await allSucceed(parked, 6_000);
  });

  it('starts nothing directly at a node that hangs, and does not keep its client waiting', async () => {
    let isHung = false;
    const first = await pod('a', {
      via: (connection) => twoNodes(connection, fixture.clock, () => isHung, 3_000),
    });
    isHung = true;
    const took: number[] = [];
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const begun = fixture.clock.now();
      ids.push(await fixture.submit(first.engine, chain('a')));
      took.push(fixture.clock.now() - begun);
      await fixture.clock.advance(100);
    }
    // What comes in once that is known begins elsewhere.
    const far = ids.filter((id) => isHalf({ count: 64, index: shardOf(slotOf(id), 64) }));
    expect(far).toHaveLength(1);
    expect(took.filter((millis) => millis > 20).length).toBeLessThanOrEqual(1);
    expect(Math.max(...took)).toBeLessThan(500);
    isHung = false;
    await fixture.clock.advance(10_000);
    expect(await first.queue.size()).toEqual({ ready: 0, inFlight: 0 });
    expect(fixture.http.calls).toHaveLength(20);
  });

  it('finds a callback whose ring got lost within seconds, long before the next sweep', async () => {
    const first = await pod('a', { sweepMillis: 60_000 });
    const asks = task('asks', { action: { mode: 'async', callback: { timeoutMillis: 60_000 } } });
    const id = await fixture.submit(first.engine, graph([asks]));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.offer(undefined, id, await fixture.callbackOf(id, 'asks'));
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
  });

  it('rings the owners of one node at once while another is away', async () => {
    let away = true;
    const via = (connection: ShardQueue): ShardQueue => cutOff(connection, (shard) => away && isHalf(shard));
    const api = await pod('api', { works: false, via });
    await pod('a');
    const near: number[] = [];
    let far = 0;
    // One after the other over some seconds: whatever waits for the node that is away is repeated ever more slowly.
    while (near.length < 20 || far < 20) {
      const begun = fixture.clock.now();
      const id = await fixture.submit(api.engine, chain('a'));
      if (isHalf({ count: 64, index: shardOf(slotOf(id), 64) })) far++;
      else {
        await fixture.until(id, 'over');
        near.push(fixture.clock.now() - begun);
      }
      await fixture.clock.advance(100);
    }
    expect(Math.max(...near)).toBeLessThan(20);
    away = false;
    await fixture.clock.advance(5_000);
  });

  it('goes on within seconds after the server lost everything, and repeats no call that runs', async () => {
    const [first] = [await pod('a'), await pod('b')];
    fixture.http.reply = (path) => (path === 'slow' ? 'hold' : {});
    const parked = await fixture.submit(
      first.engine,
      graph([{ kind: 'sleep', id: 's', durationMillis: 1_000, next: 'a' }, task('a')]),
    );
    const running = await fixture.submit(first.engine, chain('slow', 'b'));
    await fixture.clock.advance(100);
    server.wipe();
    const begun = fixture.clock.now();
    await fixture.until(parked, 'over', 6_000);
    expect(fixture.clock.now() - begun).toBeLessThanOrEqual(2_000 + assertMillis + 500);
    await fixture.clock.advance(30_000);
    const slow = fixture.http.calls.filter(({ request }) => request.url.endsWith('/slow'));
    expect(slow).toHaveLength(1);
    slow[0]!.answer({});
    await allSucceed([running, parked], 1_000);
    expect(fixture.fenced).toEqual([]);
  });

  it('repeats no call of another member whose loss was seen late', async () => {
    const first = await pod('a');
    fixture.http.reply = () => 'hold';
    const running = [];
    for (let i = 0; i < 10; i++) running.push(await fixture.submit(first.engine, chain('slow')));
    const second = await pod('b');
    await fixture.clock.advance(3_000);
    // The other one owns some of their shards by now, notices first, and is told of them once more.
    const theirs = running.filter((id) => second.queue.owns(slotOf(id)));
    const items = theirs.map((id) => ({ id, slot: slotOf(id), dueAt: fixture.clock.now() }));
    expect(items.length).toBeGreaterThan(1);
    server.wipe();
    await second.queue.enqueue(items);
    await second.queue.reconcile(items);
    await fixture.clock.advance(20_000);
    expect(fixture.http.calls).toHaveLength(10);
    expect(fixture.fenced).toEqual([]);
    for (const call of fixture.http.calls) call.answer({});
    await allSucceed(running, 1_000);
  });

  it('leaves to a live process what it works on when the server has lost its claim, and asks it', async () => {
    const first = await pod('a');
    fixture.http.reply = () => 'hold';
    const running: string[] = [];
    for (let i = 0; i < 10; i++) running.push(await fixture.submit(first.engine, chain('slow')));
    const second = await pod('b');
    await fixture.clock.advance(3_000);
    const theirs = running.filter((id) => second.queue.owns(slotOf(id)));
    const items = theirs.map((id) => {
      return { id, slot: slotOf(id), dueAt: fixture.clock.now() - 5_000, heldBy: first.queue.process };
    });
    expect(items.length).toBeGreaterThan(1);
    const renewals = (): number => server.commands.get('renew') ?? 0;
    server.lose((id) => theirs.includes(id));
    const before = renewals();
    expect(await second.queue.reconcile(items)).toHaveLength(items.length);
    await fixture.clock.advance(20);
    // It does not wait until its next renewal is due.
    expect(renewals()).toBeGreaterThan(before);
    await fixture.clock.advance(20_000);
    expect(fixture.http.calls).toHaveLength(10);
    expect(fixture.fenced).toEqual([]);
    for (const call of fixture.http.calls) call.answer({});
    await allSucceed(running, 1_000);
  });

  it('hands on at once what a live process does not work on any more, and after a lease what a silent one does not claim', async () => {
    const [first, second] = [await pod('a'), await pod('b')];
    await fixture.clock.advance(5_000);
    const api = await pod('api', { works: false });
    const taken: number[] = [];
    for (const heldBy of [api.queue.process, first.queue.process, 'gone/1']) {
      let id: string;
      do id = fixture.entropy.uuid(fixture.clock.now());
      while (!second.queue.owns(slotOf(id)));
      // Nothing of it is in the store, so the process that claims it takes it out of the queue.
      await second.queue.reconcile([{ id, slot: slotOf(id), dueAt: fixture.clock.now() - 5_000, heldBy }]);
      const begun = fixture.clock.now();
      expect(await second.queue.size()).toEqual({ ready: 0, inFlight: 1 });
      while ((await second.queue.size()).inFlight > 0) await fixture.clock.advance(1);
      taken.push(fixture.clock.now() - begun);
    }
    expect(taken[0]).toBeLessThan(20);
    expect(taken[1]).toBeLessThan(20);
    expect(taken[2]).toBeGreaterThanOrEqual(10_000);
    expect(taken[2]).toBeLessThan(10_050);
  });

  it('changes the number of shards once all members want it', async () => {
    const first = await pod('a', { shards: 64 });
    const ids = await submitMany(5, () => first);
    const second = await pod('b', { shards: 128 });
    expect(second.queue.owned.count).toBe(64);
    const sleeper = await fixture.submit(
      first.engine,
      graph([{ kind: 'sleep', id: 's', durationMillis: 20_000, next: 'a' }, task('a')]),
    );
    const stopped = first.engine.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(100);
    await stopped;
    await fixture.clock.advance(5_000);
    expect(second.queue.owned).toMatchObject({ count: 128 });
    expect(second.queue.owned.shards).toHaveLength(128);
    await allSucceed([...ids, sleeper], 30_000);
    const fresh = await submitMany(3, () => second);
    await allSucceed(fresh, 100);
    // Nothing of the former shards stays.
    await fixture.clock.advance(5_000);
    expect(server.shardCounts).toEqual([128]);
  });

  it('removes the rest of shards that are no longer in force, by any process that is left', async () => {
    const first = await pod('a', { shards: 64 });
    const sleeper = await fixture.submit(
      first.engine,
      graph([{ kind: 'sleep', id: 's', durationMillis: 100_000, next: 'a' }, task('a')]),
    );
    const former = Array.from({ length: 64 }, (_, index) => ({ count: 64, index }));
    const stop = async ({ engine }: Pod): Promise<void> => {
      const stopped = engine.stop({ drainTimeoutMillis: 1_000 });
      await fixture.clock.advance(100);
      await stopped;
    };
    await stop(first);
    // It changes the number and is gone again before the old shards may be touched.
    const second = await pod('b', { shards: 16 });
    await fixture.clock.advance(3_000);
    expect(second.queue.owned.count).toBe(16);
    await stop(second);
    expect(server.count(former).ready).toBe(1);
    const third = await pod('c', { shards: 16 });
    await fixture.clock.advance(30_000);
    expect(server.count(former)).toEqual({ ready: 0, inFlight: 0 });
    expect(await third.queue.size()).toEqual({ ready: 1, inFlight: 0 });
    await allSucceed([sleeper], 80_000);
  });

  it('notices two live processes with one podId', async () => {
    const first = await pod('same');
    const second = await pod('same');
    expect(first.queue.trouble).toEqual([]);
    await fixture.clock.advance(7_000);
    expect(first.queue.trouble).toContain('pod_id_conflict');
    expect(second.queue.trouble).toContain('pod_id_conflict');
  });

  it('does not take the remains of its own former run for another process', async () => {
    const first = await pod('same');
    await first.connection.close();
    const second = await pod('same');
    await fixture.clock.advance(30_000);
    expect(second.queue.trouble).toEqual([]);
  });

  it('does not take the last request of its own former run, come late, for another process', async () => {
    const first = await pod('same');
    await first.engine.stop({ drainTimeoutMillis: 0 });
    const second = await pod('same');
    const ghost = server.connect();
    await ghost.open(first.queue.member, { rung: () => undefined, changed: () => undefined });
    const info = JSON.stringify({ podId: 'same', works: true, count: 64, wants: 64, version: '1.0.0', busy: 0 });
    await ghost.heartbeat(info, 10_000);
    await fixture.clock.advance(2_500);
    await ghost.heartbeat(info, 10_000);
    await fixture.clock.advance(3_000);
    expect(second.queue.trouble).toEqual([]);
  });

  it('says that it is away, and that its view is stale', async () => {
    const first = await pod('a');
    server.stop();
    await fixture.clock.advance(12_000);
    expect(first.queue.trouble).toEqual(['redis_unreachable', 'membership_stale']);
    const id = await fixture.submit(first.engine, chain('a'));
    server.restart(true);
    const back = fixture.clock.now();
    await fixture.until(id, 'over', 6_000);
    expect(fixture.clock.now() - back).toBeLessThan(5_000);
    await fixture.clock.advance(3_000);
    expect(first.queue.trouble).toEqual([]);
  });

  it('says once that it is away, and once that it is back, though shards whose turn has not come are not asked', async () => {
    let isAway = false;
    await pod('a', { via: (connection) => cutOff(connection, () => isAway) });
    const said = (): string[] =>
      fixture.logs.map(({ message }) => message).filter((message) => /^queue (?:away|answers)/.test(message));
    isAway = true;
    await fixture.clock.advance(30_000);
    expect(said()).toEqual(['queue away']);
    isAway = false;
    await fixture.clock.advance(10_000);
    expect(said()).toEqual(['queue away', 'queue answers again']);
  });

  it('costs the server little while nothing happens', async () => {
    await pod('a');
    await pod('b');
    await fixture.clock.advance(60_000);
    const total = (): number => [...server.commands.values()].reduce((sum, n) => sum + n, 0);
    const before = total();
    await fixture.clock.advance(60_000);
    const sweeps = 12 * 64;
    expect(total() - before - sweeps).toBeLessThanOrEqual(2 * 60 * 2);
  });
});
