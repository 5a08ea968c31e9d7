import { beforeEach, describe, expect, it } from 'vitest';
import { slotOf, wholeShardSet, type ShardSet } from '../../core/value/slot.ts';
import type { StoredItem, Refill } from '../../ports/queue.ts';
import type { Store } from '../../ports/store.ts';
import type { DueDetail } from '../../ports/records.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { Availability } from '../write/availability.ts';
import { QueueHealth } from '../queue/queue-health.ts';
import { Reconciler } from './reconciler.ts';

describe('the reconcile', () => {
  let clock: VirtualClock;
  let rows: DueDetail[];
  let live: Set<string>;
  /** Processes that live and are not known yet. */
  let starting: Set<string>;
  let met: string[][];
  let asked: { until: number; from: number | undefined }[];
  let queued: Map<string, StoredItem>;
  let held: Set<string>;
  let reconciler: Reconciler;
  let refill: Refill | undefined;
  let askedShards: ShardSet[];
  let owned: ShardSet;
  let counted: [status: string, ids: number][];

  beforeEach(() => {
    clock = new VirtualClock();
    rows = [];
    live = new Set();
    starting = new Set();
    met = [];
    asked = [];
    queued = new Map();
    held = new Set();
    askedShards = [];
    counted = [];
    owned = wholeShardSet;
    refill = { shards: wholeShardSet, done: () => Promise.resolve(void (refill = undefined)) };
    const find: Store['listDue'] = (shards, until, limit, cursor) => {
      askedShards.push(shards);
      asked.push({ until: until - clock.now(), from: cursor?.dueAt });
      const after = rows
        .filter((row) => row.dueAt <= until)
        .toSorted((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1))
        .filter(
          (row) =>
            cursor === undefined || row.dueAt > cursor.dueAt || (row.dueAt === cursor.dueAt && row.id > cursor.id),
        );
      return Promise.resolve(after.slice(0, limit));
    };
    reconciler = new Reconciler({
      clock,
      telemetry: { ...silentTelemetry, reconciled: (status, ids) => counted.push([status, ids]) },
      availability: new Availability({ clock, telemetry: silentTelemetry }),
      queueHealth: new QueueHealth({ clock, telemetry: silentTelemetry }),
      holds: (id) => held.has(id),
      isOtherLive: (process) => live.has(process),
      meet: async (processes) => {
        met.push([...processes]);
        for (const process of starting) live.add(process);
      },
      store: {
        findDue: async (...asked) => (await find(...asked)).map(({ id, slot, dueAt }) => ({ id, slot, dueAt })),
        listDue: find,
      },
      queue: {
        get owned() {
          return owned;
        },
        toRefill: () => refill,
        reconcile: (items) => {
          const absent = items.filter((item) => !queued.has(item.id));
          for (const item of absent) queued.set(item.id, item);
          return Promise.resolve(absent.map(({ id }) => id));
        },
      },
    });
  });

  const add = (id: string, inMillis: number, claim?: string): number => {
    const dueAt = clock.now() + inMillis;
    const status = 'IN_PROGRESS';
    return rows.push({
      id,
      slot: slotOf(id),
      dueAt,
      status,
      updatedAt: dueAt,
      ...(claim === undefined ? {} : { claim }),
    });
  };

  async function rounds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await reconciler.round();
      await clock.advance(2_000);
    }
  }

  it('names the process that holds an execution, as long as that process lives', async () => {
    live.add('pod/alive');
    add('a', -10_000, 'pod/alive/7');
    add('b', -10_000, 'pod/dead/7');
    add('c', -10_000);
    await rounds(1);
    expect([...queued.values()].map(({ id, heldBy }) => [id, heldBy])).toEqual([
      ['a', 'pod/alive'],
      ['b', undefined],
      ['c', undefined],
    ]);
    expect(met).toEqual([['pod/alive', 'pod/dead']]);
  });

  it('looks for a holder that has just started before it gives the execution to another', async () => {
    starting.add('pod/new');
    add('a', -10_000, 'pod/new/1');
    await rounds(1);
    expect(queued.get('a')).toMatchObject({ heldBy: 'pod/new' });
  });

  it('reads everything due and due soon at the start', async () => {
    for (let i = 0; i < 3_000; i++) add(`id-${String(i).padStart(5, '0')}`, -i);
    add('soon', 60_000);
    add('far', 3_600_000);
    await reconciler.round();
    expect(queued.size).toBe(3_001);
    expect(queued.has('far')).toBe(false);
  });

  it('then reads what is overdue by two seconds, in one statement when there is nothing', async () => {
    await rounds(1);
    asked.length = 0;
    await rounds(10);
    expect(asked.map(({ until }) => until)).toEqual(Array.from({ length: 10 }, () => -2_000));
    add('fresh', -1_000);
    await reconciler.round();
    expect(queued.size).toBe(0);
    await clock.advance(1_000);
    await reconciler.round();
    expect([...queued.keys()]).toEqual(['fresh']);
  });

  it('walks through all that is overdue, a bounded number per round', async () => {
    await rounds(1);
    for (let i = 0; i < 5_000; i++) add(`id-${i}`, -10_000);
    await reconciler.round();
    expect(queued.size).toBe(2_000);
    await rounds(2);
    expect(queued.size).toBe(5_000);
  });

  it('brings far timers in ahead of time, each window once', async () => {
    await rounds(1);
    for (let i = 1; i <= 60; i++) add(`t-${i}`, 120_000 + i * 10_000);
    for (let i = 0; i < 320; i++) {
      await rounds(1);
      const missed = rows.filter((row) => row.dueAt < clock.now() + 50_000 && !queued.has(row.id));
      expect(missed).toEqual([]);
    }
    const windows = asked.filter(({ until }) => until > 0).map(({ from }) => from);
    expect(new Set(windows).size).toBe(windows.length);
  });

  it('leaves alone what this process holds', async () => {
    held.add('mine');
    add('mine', -60_000);
    add('lost', -60_000);
    await reconciler.round();
    expect([...queued.keys()]).toEqual(['lost']);
  });

  it('reads all of what is to be refilled, and says so only afterwards', async () => {
    await rounds(1);
    add('old', -1);
    add('soon', 60_000);
    const shards = { count: 64, shards: [slotOf('old') >> 8] };
    owned = { count: 64, shards: [...shards.shards, 64] };
    let known: number | undefined;
    refill = {
      shards,
      done: () => {
        known = queued.size;
        refill = undefined;
        return Promise.resolve();
      },
    };
    askedShards.length = 0;
    await rounds(1);
    expect(known).toBe(2);
    // Overdue executions of the other shards do not wait for it.
    expect(askedShards.slice(0, 2)).toEqual([owned, shards]);
  });

  it('counts by their status what is due and was absent, and no timer that it brings in ahead of time', async () => {
    await rounds(1);
    for (let i = 0; i < 1_200; i++) add(`run-${i}`, -10_000);
    add('known', -10_000);
    for (const id of ['undone', 'slept', 'asleep']) add(id, -10_000);
    rows = rows.map((row) => {
      const statuses: Partial<Record<string, DueDetail['status']>> = {
        undone: 'COMPENSATING',
        slept: 'SLEEPING',
        asleep: 'SLEEPING',
      };
      return { ...row, status: statuses[row.id] ?? row.status };
    });
    queued.set('known', { id: 'known', slot: slotOf('known'), dueAt: clock.now() });
    await reconciler.round();
    const sums = new Map<string, number>();
    for (const [status, ids] of counted) sums.set(status, (sums.get(status) ?? 0) + ids);
    expect(Object.fromEntries(sums)).toEqual({ IN_PROGRESS: 1_200, COMPENSATING: 1, SLEEPING: 2 });
    counted.length = 0;
    add('later', 100_000);
    await rounds(30);
    expect(queued.has('later')).toBe(true);
    expect(counted).toEqual([]);
  });

  it('reads everything again when the queue was lost', async () => {
    add('a', 30_000);
    await rounds(1);
    queued.clear();
    reconciler.forget();
    await reconciler.round();
    expect([...queued.keys()]).toEqual(['a']);
  });
});
