import { describe, expect, it } from 'vitest';
import { silentTelemetry } from '../../ports/telemetry.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { StoreClock } from './store-clock.ts';

describe('the clock of a process that shares its store', () => {
  it('follows the store, and leaves noise alone', async () => {
    const system = new VirtualClock();
    let ahead = 60_000;
    let asked = 0;
    const store = {
      ping: () => {
        asked++;
        return Promise.resolve(system.now() + ahead);
      },
    };
    const clock = new StoreClock(system, silentTelemetry);
    await clock.follow(store);
    expect(clock.now() - system.now()).toBe(60_000);
    ahead = 60_030;
    await system.advance(10_000);
    expect([asked, clock.now() - system.now()]).toEqual([2, 60_000]);
    ahead = -5_000;
    await system.advance(10_000);
    expect(clock.now() - system.now()).toBe(-5_000);
    clock.stop();
    expect(system.pending).toBe(0);
  });

  it('keeps the last difference while the store is away', async () => {
    const system = new VirtualClock();
    let isAway = false;
    const store = {
      ping: () => (isAway ? Promise.reject(new Error('Away.')) : Promise.resolve(system.now() + 1000)),
    };
    const clock = new StoreClock(system, silentTelemetry);
    await clock.follow(store);
    isAway = true;
    await system.advance(60_000);
    expect(clock.now() - system.now()).toBe(1000);
    isAway = false;
    clock.stop();
  });
});
