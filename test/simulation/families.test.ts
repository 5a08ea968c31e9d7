/** Loops over items, the first of several branches, executions that start each other, and undo: with faults, and each of their rules broken on purpose. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../simulator/simulate.ts';
import type { Scenario } from '../../simulator/scenario.ts';
import { families } from './quiet.ts';
import {
  withoutBegunItems,
  withoutChildIds,
  withoutEnds,
  withoutNotesOfUndo,
  withoutUndoOfBranches,
} from './sabotage-family.ts';

const seeds = 60;

/** All faults that the seed draws. */
const whole = (scenario: Scenario): Scenario => ({ ...scenario, family: true });

describe('the simulator of families', () => {
  it.each([
    { broken: 'an item begins once', seed: 2, rule: 'items', wrapStore: withoutBegunItems },
    { broken: 'a visit starts one child', seed: 56, rule: 'children', wrapStore: withoutChildIds },
    { broken: 'a parent learns of the end of its child', seed: 2, rule: 'terminal', wrapStore: withoutEnds },
    { broken: 'branches that come late are undone', seed: 5, rule: 'first', wrapStore: withoutUndoOfBranches },
    { broken: 'an undo compensates once', seed: 3, rule: 'history', wrapStore: withoutNotesOfUndo },
  ])('notices that "$broken" does not hold, with seed $seed', async ({ seed, rule, wrapStore }) => {
    expect((await simulate({ seed, kind: 'hub', adjust: families })).violations).toEqual([]);
    const { violations } = await simulate({ seed, kind: 'hub', adjust: families, wrapStore });
    expect(violations.map((violation) => violation.rule)).toContain(rule);
  });

  it.each([
    {
      what: 'a child whose id a process held that had crashed before it stored the child',
      seed: 37,
      kind: 'hub',
      adjust: families,
    },
    { what: 'a child that ended while its parent was asking about it', seed: 2_028, kind: undefined, adjust: whole },
  ] as const)('keeps every rule of $what, with seed $seed', async ({ seed, kind, adjust }) => {
    const { violations } = await simulate({ seed, ...(kind && { kind }), adjust });
    expect(violations).toEqual([]);
  });

  it(`keeps every rule in ${String(seeds)} runs whose processes often crash`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations } = await simulate({ seed, kind: 'hub', adjust: families });
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });

  it(`keeps every rule in ${String(seeds)} runs with all faults`, async () => {
    const ends: Record<string, number> = {};
    for (let seed = 1; seed <= seeds; seed++) {
      const report = await simulate({ seed, adjust: whole });
      expect({ seed, violations: report.violations }).toEqual({ seed, violations: [] });
      for (const [status, count] of Object.entries(report.ends)) ends[status] = (ends[status] ?? 0) + count;
    }
    // It reaches every end.
    expect(Object.keys(ends).toSorted()).toEqual(['CANCELLED', 'CORRUPTED', 'FAILED', 'SUCCEEDED', 'TERMINATED']);
  });
});
