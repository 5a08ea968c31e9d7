import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PartitionCare } from '../../ports/partitions.ts';
import { StoreContended, StoreUnavailable } from '../../ports/store.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { Maintenance } from './maintenance.ts';
import { systemClock } from '../../compose/system-clock.ts';

const dayMillis = 86_400_000;
const hourMillis = 3_600_000;

/** A retention over a store that answers as told, one answer per batch. */
function retention(
  answers: (number | Error | Promise<number>)[],
  isOurs = () => true,
): {
  readonly maintenance: Maintenance;
  readonly asked: { before: number; limit: number }[];
  readonly tended: PartitionCare[];
  /** Levels and messages. */
  readonly said: string[];
} {
  const asked: { before: number; limit: number }[] = [];
  const tended: PartitionCare[] = [];
  const said: string[] = [];
  const maintenance = new Maintenance({
    store: {
      async deleteCompleted(before, limit) {
        asked.push({ before, limit });
        const answer = await (answers.shift() ?? 0);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      tendPartitions(care) {
        tended.push(care);
        return Promise.resolve({ created: 0, dropped: 0 });
      },
    },
    isOurs,
    partitionLookaheadMonths: 3,
    clock: systemClock,
    telemetry: { ...silentTelemetry, log: (level, message) => said.push(`${level}: ${message}`) },
    retentionDays: 15,
    intervalMillis: hourMillis,
  });
  return { maintenance, asked, tended, said };
}

describe('the retention', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2030, 0, 31), toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('deletes in batches until one is not full, then waits for the next round', async () => {
    const { maintenance, asked } = retention([200, 200, 7]);
    maintenance.start();
    maintenance.start();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(asked).toHaveLength(3);
    expect(asked[0]?.before).toBe(Date.UTC(2030, 0, 31) + 30_000 - 15 * dayMillis);
    expect(new Set(asked.map(({ limit }) => limit))).toEqual(new Set([200]));
    await vi.advanceTimersByTimeAsync(hourMillis);
    expect(asked).toHaveLength(4);
    await maintenance.stop();
    await vi.advanceTimersByTimeAsync(3 * hourMillis);
    expect(asked).toHaveLength(4);
  });

  it('tends the partitions first', async () => {
    const { maintenance, asked, tended } = retention([1]);
    maintenance.start();
    await vi.advanceTimersByTimeAsync(31_000);
    const now = Date.UTC(2030, 0, 31) + 30_000;
    expect(tended).toEqual([{ now, lookaheadMonths: 3, completedBefore: now - 15 * dayMillis }]);
    expect(asked).toHaveLength(1);
    await maintenance.stop();
  });

  it('leaves it to the process that it falls to', async () => {
    let isOurs = false;
    const { maintenance, asked, tended } = retention([], () => isOurs);
    maintenance.start();
    await vi.advanceTimersByTimeAsync(31_000);
    expect([asked.length, tended.length]).toEqual([0, 0]);
    isOurs = true;
    await vi.advanceTimersByTimeAsync(hourMillis);
    expect([asked.length, tended.length]).toEqual([1, 1]);
    await maintenance.stop();
  });

  it('goes on in the next round after an error', async () => {
    const { maintenance, asked } = retention([new StoreUnavailable('full', 'The disk is full.'), 1]);
    maintenance.start();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(hourMillis);
    expect(asked).toHaveLength(2);
    await maintenance.stop();
  });

  it('gives way to locks without a word, comes again soon, and says so only when it falls behind', async () => {
    const contended = new StoreContended('Postgres cannot answer: canceling statement due to lock timeout.');
    const { maintenance, asked, said } = retention([...Array.from({ length: 125 }, () => contended), 0]);
    maintenance.start();
    await vi.advanceTimersByTimeAsync(31_000);
    expect([asked.length, said]).toEqual([1, []]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([asked.length, said]).toEqual([2, []]);
    await vi.advanceTimersByTimeAsync(2 * hourMillis - 120_000);
    expect(said).toEqual([]);
    await vi.advanceTimersByTimeAsync(120_000);
    const behind = 'warn: retention falls behind: other sessions of the database hold locks';
    expect(said).toEqual([behind]);
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    expect(said).toEqual([behind, 'info: retention has caught up']);
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(hourMillis - 60_000);
    expect(asked.length - before).toBeLessThanOrEqual(1);
    await maintenance.stop();
  });

  it('says how long a batch has been under way, and awaits it when it is stopped', async () => {
    const batch = Promise.withResolvers<number>();
    const { maintenance, asked } = retention([batch.promise]);
    maintenance.start();
    expect(maintenance.stalledMillis).toBe(0);
    await vi.advanceTimersByTimeAsync(90_000);
    expect(maintenance.stalledMillis).toBe(60_000);
    let isStopped = false;
    const stopped = maintenance.stop().then(() => (isStopped = true));
    await vi.advanceTimersByTimeAsync(1000);
    expect(isStopped).toBe(false);
    batch.resolve(200);
    await stopped;
    expect(asked).toHaveLength(1);
    expect(maintenance.stalledMillis).toBe(0);
  });

  it('does nothing when it is stopped before it starts', async () => {
    const { maintenance, asked } = retention([]);
    await maintenance.stop();
    maintenance.start();
    await vi.advanceTimersByTimeAsync(2 * hourMillis);
    expect(asked).toEqual([]);
  });
});
