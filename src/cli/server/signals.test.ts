import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilStopped, type StopSignals } from './signals.ts';

let signals: StopSignals;
let again: ReturnType<typeof vi.fn<() => void>>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  again = vi.fn<() => void>();
  signals = untilStopped(again);
});
afterEach(() => {
  signals.forget();
  vi.useRealTimers();
});

/** What arrives, and how many milliseconds after the one before. */
function arrive(...events: readonly (readonly [name: 'SIGINT' | 'SIGTERM', millis: number])[]): void {
  for (const [name, millis] of events) {
    vi.advanceTimersByTime(millis);
    process.emit(name, name);
  }
}

describe('a signal', () => {
  it('stops, and a second one ends the waiting', async () => {
    arrive(['SIGTERM', 0]);
    await signals.stopped;
    expect(again).not.toHaveBeenCalled();
    arrive(['SIGTERM', 0]);
    expect(again).toHaveBeenCalledTimes(1);
  });

  it('that npm hands on beside the terminal is the same one', async () => {
    arrive(['SIGINT', 0], ['SIGINT', 20]);
    await signals.stopped;
    expect(again).not.toHaveBeenCalled();
    // Pressed again, and handed on again.
    arrive(['SIGINT', 600], ['SIGINT', 20]);
    expect(again).toHaveBeenCalledTimes(1);
    arrive(['SIGTERM', 1]);
    expect(again).toHaveBeenCalledTimes(2);
  });
});
