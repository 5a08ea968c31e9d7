import { describe, expect, it } from 'vitest';
import { wholeShardSet } from '../core/value/slot.ts';
import { stateFormat, type State, type Stage } from '../core/state.ts';
import { StoreUnavailable } from '../ports/store.ts';
import { VirtualClock } from '../../simulator/virtual-clock.ts';
import { createStoreGauges, type GaugeParts } from './gauges.ts';

const now = 1_000_000_000;

function state(...stages: Stage[]): State {
  return {
    format: stateFormat,
    round: 1,
    ord: 0,
    calls: 0,
    lastToken: stages.length,
    now,
    startedAt: now,
    tokens: stages.map((stage, id) => ({ id, scope: '', nodeId: 'n', stage })),
    visits: {},
    totalVisits: 0,
    troubles: 0,
    hookVisits: {},
  };
}

interface Row {
  readonly id: string;
  readonly dueAt: number;
  readonly updatedAt: number;
  readonly claim?: string;
  readonly state: State;
}

function gauges(rows: readonly Row[], rest: Partial<GaugeParts> = {}): ReturnType<typeof createStoreGauges> {
  return createStoreGauges({
    store: {
      countActive: () =>
        Promise.resolve({
          statuses: { SLEEPING: 2, WAITING_CALLBACK: 5 },
          callbackKeys: { k: 4, gone: 2 },
          pendingHooks: 0,
          openChildren: 0,
        }),
      listDue: (_slots, until, limit, cursor) =>
        Promise.resolve(
          rows
            .toSorted((a, b) => a.dueAt - b.dueAt)
            .filter((row) => row.dueAt <= until && row.dueAt > (cursor?.dueAt ?? -Infinity))
            .slice(0, limit)
            .map(({ id, dueAt, updatedAt, claim }) => ({
              id,
              dueAt,
              slot: 0,
              status: 'IN_PROGRESS' as const,
              updatedAt,
              ...(claim === undefined ? undefined : { claim }),
            })),
        ),
      // Only the fields that the gauges read.
      getProgress: (id) => Promise.resolve(rows.find((row) => row.id === id) as never),
    },
    clock: { now: () => now, monotonic: () => 0, after: () => ({ cancel: () => undefined }) },
    plans: { load: () => Promise.resolve(undefined) },
    kids: ['k'],
    storeAnswers: () => true,
    running: () => new Set(['mine']),
    isOfAnother: (claim) => claim === 'of another',
    shards: () => wholeShardSet,
    requestTimeoutMillis: 30_000,
    maxTimeoutMillis: 900_000,
    ...rest,
  });
}

const calling = state({ kind: 'calling', callId: 1, task: {} as never });

describe('the gauges of the store', () => {
  it('show every status, also those that nothing has', async () => {
    expect((await gauges([])()).executions).toEqual({
      IN_PROGRESS: 0,
      WAITING_CALLBACK: 5,
      SLEEPING: 2,
      COMPENSATING: 0,
      CORRUPTED: 0,
    });
  });

  const waiting = (id: string, dueAt: number, updatedAt = dueAt - 10_000, claim?: string): Row => ({
    id,
    dueAt,
    updatedAt,
    state: state(),
    ...(claim === undefined ? undefined : { claim }),
  });
  const ageOf = async (...rows: readonly Row[]): Promise<number> => (await gauges(rows)()).oldestDueAgeMillis;

  it('tell how long the oldest has been due without a worker', async () => {
    expect(await ageOf()).toBe(0);
    expect(await ageOf(waiting('a', now - 7000), waiting('b', now - 3000))).toBe(7000);
    // Executions that run here or in another process keep their due time until they park.
    expect(await ageOf(waiting('mine', now - 900_000), waiting('b', now - 3000))).toBe(3000);
    expect(await ageOf(waiting('x', now - 900_000, now - 100, 'of another'))).toBe(0);
    // If its process died, or it waits for a worker here, it has waited at most since its last checkpoint.
    expect(await ageOf(waiting('x', now - 900_000, now - 4000, 'of a dead process'), waiting('b', now - 3000))).toBe(
      4000,
    );
    expect(await ageOf(waiting('x', now - 900_000, now - 2000, 'of a dead process'), waiting('b', now - 3000))).toBe(
      3000,
    );
  });

  it('find the oldest behind more than a page of those that run', async () => {
    const others = Array.from({ length: 1200 }, (_, i) =>
      waiting(`other ${i}`, now - 50_000 + i, now - 100, 'of another'),
    );
    expect(await ageOf(...others, waiting('b', now - 3000))).toBe(3000);
    expect(await ageOf(waiting('b', now - 55_000), ...others)).toBe(55_000);
  });

  it('count as stuck what is overdue without a checkpoint for a minute and its call', async () => {
    const rows: readonly Row[] = [
      { id: 'long run', dueAt: now - 900_000, updatedAt: now - 10, state: state({ kind: 'ready' }) },
      { id: 'stuck', dueAt: now - 61_000, updatedAt: now - 61_000, state: state({ kind: 'ready' }) },
      { id: 'in a call', dueAt: now - 80_000, updatedAt: now - 80_000, state: calling },
      { id: 'in a lost call', dueAt: now - 91_000, updatedAt: now - 91_000, state: calling },
      { id: 'not long', dueAt: now - 59_000, updatedAt: now - 59_000, state: state({ kind: 'ready' }) },
    ];
    expect((await gauges(rows)()).stuck).toBe(2);
  });

  it('tell of every live key, and of one that is gone as long as something waits under it', async () => {
    expect((await gauges([], { kids: ['k', 'l'] })()).waitingByKid).toEqual({ k: 4, l: 0, gone: 2 });
  });

  it('are not waited for: at once while the store is known to be away, for some seconds where it hangs', async () => {
    const clock = new VirtualClock();
    const hanging: GaugeParts['store'] = {
      countActive: () => new Promise(() => undefined),
      listDue: () => Promise.resolve([]),
      getProgress: () => Promise.resolve(undefined),
    };
    await expect(gauges([], { clock, storeAnswers: () => false, store: hanging })()).rejects.toThrow(StoreUnavailable);
    const failure = gauges([], { clock, store: hanging })().catch((error: unknown) => error);
    await clock.advance(4_000);
    expect(await failure).toBeInstanceOf(StoreUnavailable);
    expect(clock.pending).toBe(0);
  });

  it('are read once for all who ask at the same time, and a failure is not kept', async () => {
    let asked = 0;
    const read = gauges([], {
      store: {
        countActive() {
          asked++;
          return asked === 1
            ? Promise.reject(new StoreUnavailable('unreachable', 'away'))
            : Promise.resolve({ statuses: {}, callbackKeys: {}, pendingHooks: 0, openChildren: 0 });
        },
        listDue: () => Promise.resolve([]),
        getProgress: () => Promise.resolve(undefined),
      },
    });
    await Promise.all([expect(read()).rejects.toThrow('away'), expect(read()).rejects.toThrow('away')]);
    await Promise.all([read(), read(), read()]);
    expect(asked).toBe(2);
  });

  it('are read the less often the longer it takes, at least once a minute', async () => {
    let asked = 0;
    let monotonic = 0;
    let takes = 10;
    const read = gauges([], {
      store: {
        countActive() {
          asked++;
          monotonic += takes;
          return Promise.resolve({ statuses: {}, callbackKeys: {}, pendingHooks: 0, openChildren: 0 });
        },
        listDue: () => Promise.resolve([]),
        getProgress: () => Promise.resolve(undefined),
      },
      clock: { now: () => now, monotonic: () => monotonic, after: () => ({ cancel: () => undefined }) },
    });
    const readsAt = async (at: number): Promise<number> => {
      monotonic = at;
      await read();
      return asked;
    };
    expect([await readsAt(0), await readsAt(4999), await readsAt(5001)]).toEqual([1, 1, 2]);
    takes = 500;
    expect([await readsAt(20_000), await readsAt(44_999), await readsAt(45_002)]).toEqual([3, 3, 4]);
    takes = 9000;
    expect([await readsAt(100_000), await readsAt(159_999), await readsAt(160_001)]).toEqual([5, 5, 6]);
  });
});
