import { beforeEach, describe, expect, it } from 'vitest';
import { RuntimeFixture } from '../../../../test/runtime-fixture.ts';
import { idInShard, shardOf, slotOf } from '../../../core/value/slot.ts';
import { QueueUnavailable, type QueueItem } from '../../../ports/queue.ts';
import type { Shard, ShardQueue } from '../../../ports/shard-queue.ts';
import { ShardQueueServer } from '../../../../simulator/queue/shard-queue-server.ts';
import { OwnedShards } from './owned-shards.ts';
import { ShardClaims } from './shard-claims.ts';

const lease = 10_000;
const count = 16;

describe('claims in several shards', () => {
  let fixture: RuntimeFixture;
  let server: ShardQueue;
  let ownedShards: OwnedShards;
  let claims: ShardClaims;
  let unanswered: number;
  /** What the claims use in place of a method of the server. */
  let instead: Partial<ShardQueue>;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    server = new ShardQueueServer(fixture.clock).connect();
    await server.open('pod-1/a', { rung: () => undefined, changed: () => undefined });
    ownedShards = new OwnedShards();
    ownedShards.own(Array.from({ length: count }, (_, index) => index));
    for (const index of ownedShards.indexes) {
      await server.mark({ count, index }, server.incarnationOf({ count, index }) ?? '');
      ownedShards.refilled(index);
    }
    instead = {};
    unanswered = 0;
    claims = new ShardClaims({
      clock: fixture.clock,
      telemetry: fixture.telemetry,
      server: new Proxy(server, {
        get: (target, name: keyof ShardQueue) => instead[name] ?? target[name].bind(target),
      }),
      ownedShards,
      count: { inForce: count },
      member: 'pod-1/a',
      claimers: 4,
      sweepMillis: 5_000,
      lost: () => undefined,
      unanswered: () => void unanswered++,
      answered: () => undefined,
    });
  });

  /** Puts so many ids into their shards, the n-th due for n seconds; the longest due first. */
  async function fill(many: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let i = 0; i < many; i++) {
      const id = fixture.entropy.uuid(fixture.clock.now());
      ids.unshift(id);
      await server.enqueue({ count, index: shardOf(slotOf(id), count) }, [{ id, delayMillis: -1_000 * i }]);
    }
    return ids;
  }

  async function claimed(max: number): Promise<readonly string[]> {
    return (await claims.claim(max, lease)).claimed.map(({ id }) => id);
  }

  it('hands over the longest due ids first, whatever shards they are in', async () => {
    const ids = await fill(60);
    // What each shard has is found out with the first claims.
    const first: string[] = [];
    for (let i = 0; i < count; i++) first.push(...(await claimed(1)));
    const rest: string[] = [];
    for (let i = count; i < ids.length; i++) rest.push(...(await claimed(1)));
    expect(rest).toEqual(ids.filter((id) => !first.includes(id)));
    expect(await claimed(1)).toEqual([]);
  });

  it('hands over in order what one claim gave, and knows what it left', async () => {
    const ids = await fill(40);
    const known = fixture.clock.now() - 39_000;
    expect(claims.oldestDueAt).toBeUndefined();
    const { claimed, nextDueAt } = await claims.claim(count, lease);
    expect(claimed.map(({ dueAt }) => dueAt)).toEqual(claimed.map(({ dueAt }) => dueAt).toSorted((a, b) => a - b));
    expect(claimed[0]).toMatchObject({ id: ids[0], dueAt: known });
    expect(claims.oldestDueAt).toBe(nextDueAt);
    expect(nextDueAt).toBeLessThan(fixture.clock.now());
    // The next claim finds the returned ids in their places.
    await server.finish({ count, index: shardOf(claimed[0]!.slot, count) }, [{ ...claimed[0]!, next: 'back' }]);
    ownedShards.rung(shardOf(claimed[0]!.slot, count), known);
    expect(claims.oldestDueAt).toBe(known);
    expect((await claims.claim(1, lease)).claimed).toMatchObject([{ id: ids[0], dueAt: known }]);
    await claims.claim(100, lease);
    expect(claims.oldestDueAt).toBeUndefined();
  });

  describe('for direct starts', () => {
    const items = (many: number): QueueItem[] =>
      Array.from({ length: many }, (_, i) => {
        const id = idInShard(fixture.entropy.uuid(fixture.clock.now()), count, i % 3) ?? '';
        return { id, slot: slotOf(id), dueAt: fixture.clock.now() };
      });

    it('claims all ids of a shard in one request, in the order of the items', async () => {
      const asked: number[] = [];
      instead.claimEach = (shard, ids, request) => {
        asked.push(ids.length);
        return server.claimEach(shard, ids, request);
      };
      const wanted = items(9);
      const [taken] = wanted;
      await server.claimEach({ count, index: 0 }, [taken!.id], {
        process: 'pod-2/b/',
        firstNumber: 1,
        leaseMillis: lease,
        incarnation: server.incarnationOf({ count, index: 0 }) ?? '',
      });
      const claimed = await claims.claimDirect(wanted, lease);
      expect(asked).toEqual([3, 3, 3]);
      expect(claimed[0]).toBeUndefined();
      expect(claimed.slice(1).map((each) => each?.id)).toEqual(wanted.slice(1).map(({ id }) => id));
      expect(new Set(claimed.map((each) => each?.token)).size).toBe(9);
      for (const each of claimed)
        if (each !== undefined) await server.finish(shardOfClaim(each), [{ ...each, next: 'gone' }]);
      expect((await server.count([0, 1, 2].map((index) => ({ count, index })))).inFlight).toBe(1);
    });

    it('claims what other shards have where one fails, and throws where all do', async () => {
      let isBroken = (shard: Shard): boolean => shard.index === 1;
      instead.claimEach = (shard, ids, request) => {
        if (isBroken(shard)) return Promise.reject(new QueueUnavailable('broken'));
        return server.claimEach(shard, ids, request);
      };
      const claimed = await claims.claimDirect(items(6), lease);
      expect(claimed.map((each) => each !== undefined)).toEqual([true, false, true, true, false, true]);
      expect([claims.orphanShards, unanswered]).toEqual([[1], 1]);
      isBroken = () => true;
      await expect(claims.claimDirect(items(3), lease)).rejects.toThrow('broken');
    });

    it('does not wait for a server that hangs, nor ask it again, and gives late ids back', async () => {
      const answer = Promise.withResolvers<void>();
      instead.claimEach = async (shard, ids, request) => {
        await answer.promise;
        return server.claimEach(shard, ids, request);
      };
      const begun = fixture.clock.now();
      const hung = claims.claimDirect(items(3), lease);
      await fixture.clock.advance(1_000);
      expect(await hung).toEqual([undefined, undefined, undefined]);
      expect(await claims.claimDirect(items(3), lease)).toEqual([undefined, undefined, undefined]);
      expect(fixture.clock.now() - begun).toBe(1_000);
      answer.resolve();
      await fixture.clock.advance(10);
      const shards = [0, 1, 2].map((index) => ({ count, index }));
      expect(await server.count(shards)).toEqual({ ready: 3, inFlight: 0 });
      instead = {};
      expect(await claims.claimDirect(items(1), lease)).toMatchObject([{ slot: expect.any(Number) as number }]);
    });
  });
});

function shardOfClaim({ slot }: QueueItem): Shard {
  return { count, index: shardOf(slot, count) };
}
