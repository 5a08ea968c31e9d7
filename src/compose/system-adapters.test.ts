import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './system-clock.ts';
import { createSystemEntropy } from './system-entropy.ts';

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('measures times that no timer of Node can', () => {
    const fire = vi.fn<() => void>();
    const year = 365 * 86_400_000;
    systemClock.after(year, fire);
    vi.advanceTimersByTime(year - 1);
    expect(fire).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fire).toHaveBeenCalledTimes(1);
  });

  it('cancels, also in a later leg, and harmlessly twice', () => {
    const fire = vi.fn<() => void>();
    const timer = systemClock.after(2 ** 32, fire);
    vi.advanceTimersByTime(2 ** 31);
    timer.cancel();
    timer.cancel();
    vi.advanceTimersByTime(2 ** 33);
    expect(fire).not.toHaveBeenCalled();
  });
});

describe('ids', () => {
  it('are UUIDv7 of the given instant, different and in order', () => {
    const entropy = createSystemEntropy();
    const now = Date.UTC(2030, 0, 1);
    const ids = Array.from({ length: 2000 }, () => entropy.uuid(now));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
    for (const id of ids) {
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
      expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(now);
    }
  });

  it('survive clocks that are badly wrong', () => {
    const entropy = createSystemEntropy();
    expect(entropy.uuid(-5)).toMatch(/^00000000-0000-7/);
    expect(entropy.uuid(2 ** 60)).toMatch(/^ffffffff-ffff-7/);
  });

  it('and nonces hold at least 96 bits', () => {
    const entropy = createSystemEntropy();
    expect(entropy.nonce()).toMatch(/^[\w-]{22}$/);
    expect(entropy.nonce()).not.toBe(entropy.nonce());
  });
});
