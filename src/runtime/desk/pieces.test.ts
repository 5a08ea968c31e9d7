import { expect, it } from 'vitest';
import { mapInPieces } from './pieces.ts';

/** A clock on which each item takes some time; `turns` are those in which others had their turn. */
function clockOf(millisPerItem: number): {
  turns: number;
  monotonic(): number;
  after(millis: number, fire: () => void): never;
} {
  let now = 0;
  return {
    turns: 0,
    monotonic: () => (now += millisPerItem),
    after(_millis, fire) {
      this.turns++;
      queueMicrotask(fire);
      return undefined as never;
    },
  };
}

it('keeps the order, and lets others have their turn in between', async () => {
  const items = Array.from({ length: 100 }, (_, i) => i);
  for (const [millis, turns] of [
    [0, 0],
    [1, 4],
    [30, 99],
  ] as const) {
    const clock = clockOf(millis);
    expect(await mapInPieces(clock, items, (item) => 2 * item)).toEqual(items.map((item) => 2 * item));
    expect(clock.turns).toBeGreaterThanOrEqual(turns);
    expect(clock.turns).toBeLessThanOrEqual(turns + 2);
  }
});

it('gives what the mapping throws to its caller', async () => {
  const failing = mapInPieces(clockOf(1), [1], () => {
    throw new Error('broken');
  });
  await expect(failing).rejects.toThrow('broken');
});
