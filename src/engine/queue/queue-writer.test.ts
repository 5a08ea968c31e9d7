import { beforeEach, describe, expect, it } from 'vitest';
import {
  QueuePartlyUnavailable,
  QueueUnavailable,
  type Claimed,
  type Queue,
  type QueueItem,
} from '../../ports/queue.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { SeededEntropy, VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Lease, stampOf } from '../worker/lease.ts';
import { QueueHealth } from './queue-health.ts';
import { QueueWriter } from './queue-writer.ts';

describe('what workers tell the queue', () => {
  let clock: VirtualClock;
  let said: string[];
  let trouble: (ids: readonly string[]) => Error | undefined;
  let writer: QueueWriter;

  beforeEach(() => {
    clock = new VirtualClock();
    said = [];
    trouble = () => undefined;
    const say = (verb: string) => (items: readonly { readonly id: string; readonly yields?: true }[]) => {
      const ids = items.map(({ id, yields }) => (yields === true ? `${id} to the end` : id));
      const error = trouble(ids);
      const failed = error instanceof QueuePartlyUnavailable ? error.ids : new Set(error === undefined ? [] : ids);
      said.push(...ids.filter((id) => !failed.has(id)).map((id) => `${verb} ${id}`));
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    };
    const queue = { ack: say('ack'), release: say('release'), enqueue: say('ring') } as unknown as Queue;
    const queueHealth = new QueueHealth({ clock, telemetry: silentTelemetry });
    writer = new QueueWriter({ clock, entropy: new SeededEntropy(1), queueHealth, queue });
  });

  const hold = (id: string): Lease => {
    const claimed: Claimed = { id, slot: 1, token: `token-${id}`, dueAt: 0 };
    return new Lease(claimed, stampOf(clock), clock, 10_000);
  };
  const item = (id: string): QueueItem => ({ id, slot: 1, dueAt: 0 });
  const isAway = (ids: readonly string[], away: string) =>
    ids.includes(away) ? new QueuePartlyUnavailable('A part is away.', new Set([away])) : undefined;

  it('says ends of claims before rings, gathered', async () => {
    writer.ring(item('r'));
    writer.release(hold('b'));
    writer.ack(hold('a'));
    await clock.advance(1);
    expect(said).toEqual(['ack a', 'release b', 'ring r']);
  });

  it('says which claims yield their turn', async () => {
    writer.release(hold('a'));
    writer.release(hold('b'), true);
    await clock.advance(1);
    expect(said).toEqual(['release a', 'release b to the end']);
  });

  it('repeats until the queue confirms', async () => {
    let isDown = true;
    trouble = () => (isDown ? new QueueUnavailable('Away.') : undefined);
    writer.ack(hold('a'));
    writer.ring(item('r'));
    await clock.advance(3_000);
    expect(said).toEqual([]);
    isDown = false;
    await clock.advance(3_000);
    expect(said).toEqual(['ack a', 'ring r']);
  });

  it('delays no message because another part of the queue is away', async () => {
    let isDown = true;
    trouble = (ids) => (isDown ? isAway(ids, 'a') : undefined);
    writer.ack(hold('a'));
    writer.ack(hold('b'));
    writer.ring(item('r'));
    await clock.advance(1);
    expect(said).toEqual(['ack b', 'ring r']);
    writer.ack(hold('c'));
    await clock.advance(1);
    expect(said).toEqual(['ack b', 'ring r', 'ack c']);
    isDown = false;
    await clock.advance(3_000);
    expect(said).toEqual(['ack b', 'ring r', 'ack c', 'ack a']);
    let drained = false;
    void writer.drained().then(() => (drained = true));
    await clock.advance(1);
    expect(drained).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('is drained only when what was put off has been said', async () => {
    let isDown = true;
    trouble = (ids) => (isDown ? isAway(ids, 'a') : undefined);
    writer.ack(hold('a'));
    let drained = false;
    void writer.drained().then(() => (drained = true));
    await clock.advance(20);
    expect(drained).toBe(false);
    isDown = false;
    await clock.advance(3_000);
    expect([drained, said]).toEqual([true, ['ack a']]);
  });

  it('gives up ends of claims whose lease is over', async () => {
    trouble = () => new QueueUnavailable('Away.');
    writer.ack(hold('a'));
    await clock.advance(15_000);
    expect(said).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
