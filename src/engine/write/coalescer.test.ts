import { beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../ports/store.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { SeededEntropy, VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Availability } from './availability.ts';
import { Coalescer, type CoalescerOptions } from './coalescer.ts';
import { Overloaded } from '../settings.ts';

describe('group commit', () => {
  let clock: VirtualClock;
  let availability: Availability;
  let batches: number[][];
  let answer: (batch: readonly number[]) => Promise<readonly number[]>;

  beforeEach(() => {
    clock = new VirtualClock();
    availability = new Availability({ clock, telemetry: silentTelemetry });
    batches = [];
    answer = async (batch) => {
      await new Promise<void>((resolve) => {
        clock.after(10, resolve);
      });
      return batch.map((value) => value * 2);
    };
  });

  function coalescer(options: Partial<CoalescerOptions<number, number>> = {}): Coalescer<number, number> {
    return new Coalescer(
      { clock, entropy: new SeededEntropy(1), telemetry: silentTelemetry, availability },
      {
        operation: 'test',
        maxRows: 100,
        maxBytes: 1000,
        maxWaiting: 1000,
        send: (batch) => {
          batches.push([...batch]);
          return answer(batch);
        },
        ...options,
      },
    );
  }

  const settle = async <T>(results: readonly Promise<T>[]): Promise<PromiseSettledResult<T>[]> => {
    const all = Promise.allSettled(results);
    await clock.runUntilIdle(100_000);
    return all;
  };
  const values = (results: readonly PromiseSettledResult<number>[]) =>
    results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)));

  it('sends what came together at once, and gathers while a batch is under way', async () => {
    const commits = coalescer();
    const results = [commits.request(1, 1), commits.request(2, 1)];
    await clock.advance(5);
    results.push(commits.request(3, 1), commits.request(4, 1));
    await clock.advance(2);
    results.push(commits.request(5, 1));
    expect(commits.waiting).toBe(3);
    expect(values(await settle(results))).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  it('bounds a batch in rows and in bytes, and lets one large entry through', async () => {
    const byRows = coalescer({ maxRows: 2 });
    await settle([1, 2, 3].map((value) => byRows.request(value, 1)));
    expect(batches.splice(0)).toEqual([[1, 2], [3]]);
    const byBytes = coalescer();
    await settle([600, 300, 200, 5000, 1].map((bytes, i) => byBytes.request(i, bytes)));
    expect(batches).toEqual([[0, 1], [2], [3], [4]]);
  });

  it('sends a batch without an answer again unchanged, for as long as it takes', async () => {
    let failures = 20;
    const real = answer;
    answer = (batch) => (failures-- > 0 ? Promise.reject(new StoreUnavailable('unreachable', 'Away.')) : real(batch));
    const commits = coalescer();
    const results = [commits.request(1, 1)];
    await clock.advance(1);
    results.push(commits.request(2, 1));
    expect(availability.trouble).toBeDefined();
    expect(values(await settle(results))).toEqual([2, 4]);
    expect(batches).toEqual([...Array.from({ length: 21 }, () => [1]), [2]]);
    expect(availability.trouble).toBeUndefined();
  });

  it('gives up when its patience is over', async () => {
    answer = () => Promise.reject(new StoreUnavailable('read_only', 'Read only.'));
    const commits = coalescer({ patienceMillis: 1_000 });
    const [result] = await settle([commits.request(1, 1)]);
    expect(result).toMatchObject({ status: 'rejected', reason: { kind: 'read_only' } });
  });

  it('halves a batch that fails for its data, down to the entry that pays', async () => {
    const real = answer;
    answer = (batch) => (batch.includes(3) ? Promise.reject(new Error('Bad row.')) : real(batch));
    const commits = coalescer();
    const results = await settle([1, 2, 3, 4, 5].map((value) => commits.request(value, 1)));
    expect(values(results)).toEqual([2, 4, 'Error: Bad row.', 8, 10]);
    expect(availability.trouble).toBeUndefined();
  });

  it('refuses what would wait without bound', async () => {
    const commits = coalescer({ maxWaiting: 2 });
    const results = [commits.request(1, 1)];
    await clock.advance(1);
    results.push(commits.request(2, 1), commits.request(3, 1), commits.request(4, 1));
    const settled = await settle(results);
    expect(settled[3]).toMatchObject({ reason: expect.any(Overloaded) });
    expect(settled.slice(0, 3).every(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('says when it is drained', async () => {
    const commits = coalescer();
    await commits.drained();
    let drained = false;
    const result = commits.request(1, 1);
    void commits.drained().then(() => (drained = true));
    await clock.advance(5);
    expect(drained).toBe(false);
    await clock.advance(5);
    expect([drained, await result]).toEqual([true, 2]);
  });
});
