/** Rules of the cluster's queue broken on purpose, the seed that is known to find each, and the rule that says so. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../simulator/simulate.ts';
import {
  absences,
  bells,
  comings,
  deaths,
  lateEndings,
  losses,
  lostAnswers,
  lostShards,
  lostWhileMoving,
  naps,
  pauses,
  rolls,
} from './quiet.ts';
import {
  withoutAgain,
  withoutBells,
  withoutCountInKey,
  withoutExpiryLook,
  withoutMarks,
  withoutMemberBells,
  withoutOrphans,
  withoutReleases,
  withoutRest,
  withoutReturns,
  withoutTokensAtEnd,
} from './sabotage-shards.ts';
import { hearingLate, withoutReconcile } from './sabotage.ts';

describe('the simulator of clusters', () => {
  it.each([
    { broken: 'the renewal is complete', seed: 3, rule: 'recovery', adjust: lostAnswers, wrap: withoutOrphans },
    { broken: 'bells ring', seed: 1, rule: 'recovery', adjust: bells, wrap: withoutBells },
    { broken: 'members hear of members', seed: 1, rule: 'recovery', adjust: comings, wrap: withoutMemberBells },
    { broken: 'what is handed back is ready', seed: 11, rule: 'recovery', adjust: bells, wrap: withoutReleases },
    { broken: 'keys name the number', seed: 1, rule: 'rebuilds', adjust: rolls, wrap: withoutCountInKey },
    { broken: 'shards bear marks', seed: 38, rule: 'recovery', adjust: lostShards, wrap: withoutMarks },
    { broken: 'a token ends its claim only', seed: 2, rule: 'one at a time', adjust: pauses, wrap: withoutTokensAtEnd },
    { broken: 'what is due again is ready', seed: 79, rule: 'recovery', adjust: lateEndings, wrap: withoutAgain },
    { broken: 'the end of a heartbeat is noticed', seed: 2, rule: 'recovery', adjust: deaths, wrap: withoutExpiryLook },
    { broken: 'who returns looks again', seed: 122, rule: 'recovery', adjust: naps, wrap: withoutReturns },
  ])('notices that "$broken" does not hold, with seed $seed', async ({ seed, rule, adjust, wrap }) => {
    expect((await simulate({ seed, kind: 'cluster', adjust })).violations).toEqual([]);
    const { violations } = await simulate({ seed, kind: 'cluster', adjust, wrapServer: wrap() });
    expect(violations.map((violation) => violation.rule)).toContain(rule);
  });

  // Processes know who holds what, unless they hear late of those that have just started: only then does the rest matter here.
  it('notices that "what is lost rests" does not hold, with seed 17', async () => {
    const options = { seed: 17, kind: 'cluster', adjust: lostWhileMoving, wrapStore: hearingLate } as const;
    expect((await simulate(options)).violations).toEqual([]);
    const { violations } = await simulate({ ...options, wrapServer: withoutRest() });
    expect(violations.map((violation) => violation.rule)).toContain('one at a time');
  });

  it('notices that the reconcile is missing, with seed 1', async () => {
    const options = { seed: 1, kind: 'cluster', adjust: losses } as const;
    const { violations } = await simulate({ ...options, wrapStore: withoutReconcile });
    expect(violations.map((violation) => violation.rule)).toContain('recovery');
  });
});

describe('clusters with one kind of fault', () => {
  it.each([
    { what: 'a process gained the shard after its loss', seed: 4 },
    { what: 'the process at work did not own the shard', seed: 21 },
  ])('repeat no call where $what, with seed $seed', async ({ seed }) => {
    expect((await simulate({ seed, kind: 'cluster', adjust: lostWhileMoving })).violations).toEqual([]);
  });

  it.each([
    { what: 'fill a lost queue again within seconds', adjust: losses },
    { what: 'bring what is due to its owner at once', adjust: bells },
    { what: 'hand over what processes leave that stop one after the other', adjust: comings },
    { what: 'find what lost answers left behind', adjust: lostAnswers },
    { what: 'take up what a process left that was cut off', adjust: absences },
  ])('$what', async ({ adjust }) => {
    for (let seed = 1; seed <= 40; seed++) {
      const { violations } = await simulate({ seed, kind: 'cluster', adjust });
      expect({ seed, violations }).toEqual({ seed, violations: [] });
    }
  });
});
