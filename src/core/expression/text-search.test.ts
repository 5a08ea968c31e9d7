import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { holdsText } from './text-search.ts';

/** The result of a search, its charged steps, and the number of characters examined one by one. */
function search(text: string, needle: string): { holds: boolean; steps: number; looks: number } {
  const looks = vi.spyOn(String.prototype, 'charCodeAt');
  let steps = 0;
  const holds = holdsText(text, needle, (more) => (steps += more));
  const count = looks.mock.calls.length;
  looks.mockRestore();
  return { holds, steps, looks: count };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('holdsText', () => {
  it('finds what includes finds, in texts that repeat themselves', () => {
    const letters = fc.constantFrom('a', 'b');
    const texts = fc.array(letters, { maxLength: 200 }).map((all) => all.join(''));
    const needles = fc.array(letters, { maxLength: 24 }).map((all) => all.join(''));
    fc.assert(
      fc.property(texts, needles, fc.nat({ max: 60 }), fc.nat({ max: 10 }), (text, other, from, times) => {
        for (const needle of [other, text.slice(from, from + 20), 'ab'.repeat(times), `${'a'.repeat(times)}b`]) {
          expect(holdsText(text, needle, () => undefined)).toBe(text.includes(needle));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const n = 5_400;
  const a = (count: number): string => 'a'.repeat(count);
  it.each<[name: string, of: (size: number) => [text: string, needle: string]]>([
    ['a needle that breaks in its middle', (size) => [a(size), `${a(size / 4)}b${a(size / 4)}`]],
    ['a needle that breaks at its end', (size) => [a(size), `${a(size / 2)}b`]],
    ['a needle that breaks at its beginning', (size) => [a(size), `b${a(size / 2)}`]],
    ['a text of parts that almost fit', (size) => [`${a(999)}b`.repeat(size / 1000), `${a(1000)}b`]],
    ['a beginning that stands everywhere', (size) => ['aaaaaaaab'.repeat(size / 9), 'aaaaaaaac']],
    ['no beginning anywhere', (size) => [a(size), `c${a(50)}`]],
  ])('takes time in proportion: %s', (_name, of) => {
    const once = search(...of(n));
    const fourfold = search(...of(4 * n));
    expect([once.holds, fourfold.holds]).toEqual([false, false]);
    expect(fourfold.looks).toBeLessThan(4.4 * once.looks + 100);
    expect(fourfold.steps).toBeLessThan(4.4 * once.steps + 100);
    // Each character is examined and charged at most a few times.
    expect(fourfold.looks).toBeLessThan(7 * 4 * n + 1_000);
    expect(fourfold.looks).toBeLessThan(64 * 7 * fourfold.steps + 1_000);
  });

  it('stops where its work is no longer paid for', () => {
    let steps = 0;
    const pay = (more: number): void => {
      steps += more;
      if (steps > 10) throw new Error('too much');
    };
    const looks = vi.spyOn(String.prototype, 'charCodeAt');
    expect(() => holdsText(a(100_000), `${a(200)}b`, pay)).toThrow('too much');
    expect(looks.mock.calls.length).toBeLessThan(20_000);
  });
});
