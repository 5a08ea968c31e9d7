import { performance } from 'node:perf_hooks';
import { beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../../../../simulator/virtual-clock.ts';
import { WaitingLine } from './waiting-line.ts';
import { WaitingList } from './waiting-list.ts';

let clock: VirtualClock;
let list: WaitingList;
let told: string[];
beforeEach(() => {
  clock = new VirtualClock();
  list = new WaitingList(clock);
  told = [];
  list.retry = (id) => {
    told.push(id);
    return true;
  };
});

const call = (executionId: string, blockedSince?: number, tokenId = 1) => ({
  executionId,
  tokenId,
  ...(blockedSince === undefined ? undefined : { blockedSince }),
});

it('calls those first that have waited longest, whenever they came to this process', async () => {
  const line = new WaitingLine('slots');
  const now = clock.now();
  list.add(line, call('new-1'));
  list.add(line, call('old-2', now - 2_000));
  list.add(line, call('old-1', now - 3_000));
  list.add(line, call('old-3', now - 2_000));
  await clock.advance(10);
  list.add(line, call('new-2'));
  list.add(line, call('old-1', now - 3_000));
  for (let i = 0; i < 5; i++) {
    list.release(line, 1);
    await clock.advance(1);
  }
  expect(told).toEqual(['old-1', 'old-2', 'old-3', 'new-1', 'new-2']);
});

it('puts back those that were called in vain where they were', async () => {
  const line = new WaitingLine('slots');
  for (const id of ['a', 'b', 'c']) list.add(line, call(id));
  const since = clock.now();
  list.release(line, 2);
  await clock.advance(1);
  expect(list.isCalled(line, call('b', since))).toBe(true);
  list.add(line, call('b', since));
  list.add(line, call('a', since - 1));
  expect(list.isCalled(line, call('b', since))).toBe(false);
  list.release(line, 3);
  await clock.advance(1);
  expect(told).toEqual(['a', 'b', 'a', 'b', 'c']);
});

it('counts an execution once, under the cause that keeps it longest, until it goes', () => {
  const [hold, circuit, slots] = [new WaitingLine('hold'), new WaitingLine('circuit'), new WaitingLine('slots')];
  list.add(slots, call('a', undefined, 1));
  list.add(circuit, call('a', undefined, 2));
  list.add(slots, call('b'));
  expect(list.counts).toEqual({ hold: 0, circuit: 1, slots: 1 });
  list.add(hold, call('a', undefined, 1));
  expect(list.counts).toEqual({ hold: 1, circuit: 0, slots: 1 });
  list.remove(call('a', undefined, 1));
  list.remove(call('a', undefined, 1));
  expect(list.counts).toEqual({ hold: 0, circuit: 1, slots: 1 });
  list.forget('a');
  list.forget('b');
  expect(list.counts).toEqual({ hold: 0, circuit: 0, slots: 0 });
  expect([list.size, hold.size, circuit.size, slots.size]).toEqual([0, 0, 0, 0]);
});

it('passes on what was free for one that is over, held, or of another process', async () => {
  const [line, hold] = [new WaitingLine('slots'), new WaitingLine('hold')];
  list.retry = (id) => {
    told.push(id);
    return id !== 'elsewhere';
  };
  for (const id of ['elsewhere', 'over', 'held', 'next']) list.add(line, call(id));
  list.release(line, 1);
  await clock.advance(100);
  expect(told).toEqual(['elsewhere', 'over']);
  list.forget('over');
  await clock.advance(100);
  expect(told).toEqual(['elsewhere', 'over', 'held']);
  list.add(hold, call('held'));
  await clock.advance(100);
  expect(told).toEqual(['elsewhere', 'over', 'held', 'next']);
  expect(list.counts).toEqual({ hold: 1, circuit: 0, slots: 1 });
});

it('keeps what is free for those that were called, in their order, for a while', async () => {
  const line = new WaitingLine('slots');
  for (const id of ['a', 'b']) list.add(line, call(id));
  list.release(line, 2);
  await clock.advance(1);
  const promised = (id: string): number => line.promised(clock.monotonic(), call(id));
  expect([promised('a'), promised('b'), promised('stranger')]).toEqual([0, 1, 2]);
  list.remove(call('a'));
  expect(promised('stranger')).toBe(1);
  await clock.advance(2_000);
  expect(promised('stranger')).toBe(0);
});

it.each([1_000, 10_000, 100_000])('stays quick with %i that wait', async (count) => {
  const [slots, hold] = [new WaitingLine('slots'), new WaitingLine('hold')];
  const now = clock.now();
  const longest = { millis: 0 };
  const timed = (work: () => void): void => {
    const begun = performance.now();
    work();
    longest.millis = Math.max(longest.millis, performance.now() - begun);
  };
  // As after a restart: all of them have waited, and come in any order.
  for (let i = 0; i < count; i++) {
    timed(() => list.add(i % 2 === 0 ? slots : hold, call(`e${String(i)}`, now - ((i * 7_919) % count))));
  }
  expect(list.size).toBe(count);
  list.add(slots, call('too many'));
  expect(list.size).toBe(Math.min(count + 1, 100_000));
  timed(() => list.keepOnly((id) => !id.endsWith('7') && !id.endsWith('8')));
  timed(() => list.release(slots, 1));
  timed(() => list.release(hold));
  // What costs their square takes many seconds; a gap of one is what a hostile crowd may cause at most.
  expect(longest.millis).toBeLessThan(1_000);
  expect(slots.size + hold.size).toBeLessThanOrEqual(0.45 * count);
  list.stop();
});
