/** Ranges of seeds as tests. */
import { expect, it } from 'vitest';
import { simulate } from '../../simulator/simulate.ts';

const share = 100;

/** One test for each hundred seeds of [start, start + count). A broken rule is shown with the command that replays its seed. */
export function seedsHold(start: number, count: number): void {
  const ends: Record<string, number> = {};
  for (let first = start; first < start + count; first += share) {
    const last = Math.min(first + share, start + count) - 1;
    it(`seeds ${first} to ${last} keep every rule`, async () => {
      const broken: string[] = [];
      for (let seed = first; seed <= last; seed++) {
        const report = await simulate({ seed });
        for (const [status, times] of Object.entries(report.ends)) ends[status] = (ends[status] ?? 0) + times;
        for (const { rule, what } of report.violations) {
          broken.push(`${rule}: ${what} — npm run simulate:seeds -- --seed ${seed} --trace`);
        }
      }
      expect(broken).toEqual([]);
    });
  }

  it('ends executions in every way', () => {
    expect(Object.keys(ends).sort()).toEqual(['CANCELLED', 'CORRUPTED', 'FAILED', 'SUCCEEDED', 'TERMINATED']);
  });
}
