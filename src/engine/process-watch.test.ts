import { beforeEach, describe, expect, it } from 'vitest';
import type { ProcessInfo } from '../ports/processes.ts';
import { StoreUnavailable } from '../ports/store.ts';
import { silentTelemetry } from '../ports/telemetry.ts';
import { MemoryStore } from '../../simulator/store/memory-store.ts';
import { SeededEntropy, VirtualClock } from '../../simulator/virtual-clock.ts';
import { Availability } from './write/availability.ts';
import { ProcessWatch } from './process-watch.ts';

const leaseMillis = 10_000;

describe('the watch over processes', () => {
  let clock: VirtualClock;
  let store: MemoryStore;
  let isAway: boolean;
  let watches: ProcessWatch[];
  let availability: Availability;

  beforeEach(async () => {
    clock = new VirtualClock();
    store = new MemoryStore(() => clock.now());
    await store.open();
    isAway = false;
    watches = [];
    availability = new Availability({ clock, telemetry: silentTelemetry });
  });

  /** Starts a process. `isHung` says whether its requests are stuck. */
  async function start(id: string, isHung: () => boolean = () => false): Promise<ProcessWatch> {
    const watch = new ProcessWatch({
      clock,
      entropy: new SeededEntropy(watches.length + 1),
      telemetry: silentTelemetry,
      store: {
        beat: (process: ProcessInfo, isFirst: boolean) =>
          isAway || isHung()
            ? Promise.reject(new StoreUnavailable('unreachable', 'Away.'))
            : store.beat(process, isFirst),
        endProcess: (ended) => store.endProcess(ended),
      },
      process: { id, podId: id, version: '1', works: true },
      leaseMillis,
      availability,
    });
    watches.push(watch);
    watch.start();
    await clock.advance(10);
    return watch;
  }

  it('knows the processes that beat', async () => {
    const one = await start('one');
    await start('two');
    expect(one.live).toEqual(['one']);
    await clock.advance(3_000);
    expect(one.live).toEqual(['one', 'two']);
    expect([one.isLive('one'), one.isLive('two'), one.isLive('three')]).toEqual([true, true, false]);
  });

  it('finds a process that started since the latest beat, and asks once for one that is gone', async () => {
    const one = await start('one');
    await start('two');
    expect(one.isLive('two')).toBe(false);
    let beats = 0;
    const beat = store.beat.bind(store);
    store.beat = (...args) => {
      beats++;
      return beat(...args);
    };
    for (let round = 0; round < 3; round++) {
      const met = one.meet(['two', 'gone']);
      await clock.advance(10);
      await met;
    }
    expect([one.isLive('two'), one.isLive('gone'), beats]).toEqual([true, false, 1]);
  });

  it('finds that one has ended before its leases can be over', async () => {
    const one = await start('one');
    let isDead = false;
    await start('two', () => isDead);
    await clock.advance(6_000);
    isDead = true;
    await clock.advance(3_400);
    expect(one.isLive('two')).toBe(true);
    await clock.advance(3_200);
    await one.look();
    expect(one.isLive('two')).toBe(false);
  });

  it('finds at once that one has left in order', async () => {
    const one = await start('one');
    const two = await start('two');
    await clock.advance(3_000);
    await two.stop();
    await clock.advance(3_000);
    expect(one.isLive('two')).toBe(false);
  });

  it('asks nothing of the store when it stops before it has begun', async () => {
    let ends = 0;
    const watch = new ProcessWatch({
      clock,
      entropy: new SeededEntropy(1),
      telemetry: silentTelemetry,
      store: {
        beat: (process, isFirst) => store.beat(process, isFirst),
        endProcess: (ended) => {
          ends++;
          return store.endProcess(ended);
        },
      },
      process: { id: 'one', podId: 'one', version: '1', works: true },
      leaseMillis,
      availability,
    });
    await watch.stop();
    expect(ends).toBe(0);
  });

  it('counts no silence of a time in which the store was away', async () => {
    const one = await start('one');
    await start('two');
    await clock.advance(3_000);
    isAway = true;
    await clock.advance(60_000);
    isAway = false;
    // The process that reaches the store first must not take the others for dead.
    await one.look().catch(() => undefined);
    for (let i = 0; i < 30; i++) {
      await clock.advance(100);
      expect(one.isLive('two')).toBe(true);
    }
  });

  it('tells the availability that a beat was not answered', async () => {
    await start('one');
    await clock.advance(9_000);
    expect(availability.trouble).toBeUndefined();
    isAway = true;
    await clock.advance(3_600);
    expect(availability.trouble?.kind).toBe('unreachable');
  });

  it('trusts the store about the time before its own start', async () => {
    await store.beat(
      { id: 'old', podId: 'old', version: '1', works: true, ttlMillis: 6_500, isSoleWorker: true },
      true,
    );
    await clock.advance(5_000);
    const early = await start('early');
    expect(early.hasOtherSoleWorker).toBe(true);
    await clock.advance(5_000);
    const late = await start('late');
    expect(late.hasOtherSoleWorker).toBe(false);
    expect(late.isLive('old')).toBe(false);
  });

  it('asks the store for a look only where its answer may differ', async () => {
    const one = await start('one');
    const two = await start('two');
    await two.declare(true);
    await clock.advance(3_000);
    let beats = 0;
    const beat = store.beat.bind(store);
    store.beat = (process, isFirst) => {
      beats++;
      return beat(process, isFirst);
    };
    await one.look();
    expect(beats).toBe(0);
    expect(one.hasOtherSoleWorker).toBe(true);
    await two.declare(false);
    await clock.advance(3_000);
    expect(one.hasOtherSoleWorker).toBe(false);
  });
});
