import { describe, expect, it } from 'vitest';
import { wholeShardSet } from '../core/slot.ts';
import { stateFormat, type State, type Stage } from '../core/state.ts';
import { StoreUnavailable } from '../ports/store.ts';
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
  readonly state: State;
}

function gauges(rows: readonly Row[], rest: Partial<GaugeParts> = {}): ReturnType<typeof createStoreGauges> {
  return createStoreGauges({
    store: {
      countByStatus: () => Promise.resolve({ SLEEPING: 2, WAITING_CALLBACK: 5 }),
      findDue: (_slots, until, limit) =>
        Promise.resolve(
          rows
            .filter((row) => row.dueAt <= until)
            .slice(0, limit)
            .map(({ id, dueAt }) => ({ id, dueAt, slot: 0 })),
        ),
      // Only what the gauges read of an execution.
      getExecution: (id) => Promise.resolve(rows.find((row) => row.id === id) as never),
    },
    clock: { now: () => now, monotonic: () => 0, after: () => ({ cancel: () => undefined }) },
    plans: { load: () => Promise.resolve(undefined) },
    kids: ['k'],
    shards: () => wholeShardSet,
    requestTimeoutMillis: 30_000,
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

  it('tell how long the oldest has been due', async () => {
    expect((await gauges([])()).oldestDueAgeMillis).toBe(0);
    const rows = [{ id: 'a', dueAt: now - 7000, updatedAt: now, state: state() }];
    expect((await gauges(rows)()).oldestDueAgeMillis).toBe(7000);
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

  it('know the key of those who wait only when there is one', async () => {
    expect((await gauges([])()).waitingByKid).toEqual({ k: 5 });
    expect((await gauges([], { kids: ['k', 'l'] })()).waitingByKid).toEqual({});
  });

  it('are read once for all who ask at the same time, and a failure is not kept', async () => {
    let asked = 0;
    const read = gauges([], {
      store: {
        countByStatus() {
          asked++;
          return asked === 1 ? Promise.reject(new StoreUnavailable('unreachable', 'away')) : Promise.resolve({});
        },
        findDue: () => Promise.resolve([]),
        getExecution: () => Promise.resolve(undefined),
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
        countByStatus() {
          asked++;
          monotonic += takes;
          return Promise.resolve({});
        },
        findDue: () => Promise.resolve([]),
        getExecution: () => Promise.resolve(undefined),
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
