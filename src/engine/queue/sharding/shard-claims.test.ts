import { beforeEach, describe, expect, it } from 'vitest';
import { RuntimeFixture } from '../../../../test/runtime-fixture.ts';
import { shardOf, slotOf } from '../../../core/value/slot.ts';
import type { ShardQueue } from '../../../ports/shard-queue.ts';
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
    claims = new ShardClaims({
      clock: fixture.clock,
      telemetry: fixture.telemetry,
      server,
      ownedShards,
      count: { inForce: count },
      member: 'pod-1/a',
      claimers: 4,
      sweepMillis: 5_000,
      lost: () => undefined,
      unanswered: () => undefined,
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
});
