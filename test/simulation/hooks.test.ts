/** Hooks whose receiver is away as long as the storm lasts: they are delivered after the end, whatever else goes wrong. */
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../../simulator/scenario.ts';
import { simulate } from '../../simulator/simulate.ts';

const seeds = 60;

const hooksAway = (scenario: Scenario): Scenario => ({
  ...scenario,
  manners: { ...scenario.manners, hooksAway: true },
});

describe('hooks whose receiver is away', () => {
  it.each(['hub', 'cluster'] as const)('are delivered after the end, over a %s', async (kind) => {
    let late = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const print = (line: string): void => {
        if (line.includes('its hook is to be delivered')) late++;
      };
      const { violations } = await simulate({ seed, kind, adjust: hooksAway, print });
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
    expect(late).toBeGreaterThan(seeds / 2);
  });
});
