/** Each invariant broken on purpose, the seed that is known to find it, and the rule that says so. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../simulator/simulate.ts';
import { busyInboxes, deafDeaths, deathsAfterHolds, keptBack, lostCommits, poison } from './quiet.ts';
import { deafToLifts, openTo, withSpentAttempts } from './sabotage-gate.ts';
import {
  withEagerAnswers,
  withoutDueOfOffers,
  withoutDueOfTakeOvers,
  withoutFencing,
  withoutInboxCheck,
  withoutInboxIds,
  withoutPoisonCount,
  withoutReconcile,
  withoutResends,
  withoutUndoOfUnknown,
  withoutWriteIds,
} from './sabotage.ts';

describe('the simulator', () => {
  it.each([
    { broken: 'fencing', seed: 183, rule: 'one outcome', wrapStore: withoutFencing },
    { broken: 'compensation of unknown outcomes', seed: 35, rule: 'compensation', wrapStore: withoutUndoOfUnknown },
    { broken: 'the checkpoint before the call', seed: 1, rule: 'checkpoint before call', wrapStore: withEagerAnswers },
    { broken: 'the look into the inbox', seed: 69, rule: 'accepted callbacks', wrapStore: withoutInboxCheck },
    { broken: 'the look into the inbox', seed: 818, rule: 'accepted resolve', wrapStore: withoutInboxCheck },
    { broken: 'the reconcile', seed: 27, rule: 'recovery', wrapStore: withoutReconcile },
  ])('notices that $broken is missing, with seed $seed', async ({ seed, rule, wrapStore }) => {
    expect((await simulate({ seed, kind: 'hub' })).violations).toEqual([]);
    const { violations } = await simulate({ seed, kind: 'hub', wrapStore });
    expect(violations.map((violation) => violation.rule)).toContain(rule);
  });

  it.each([
    { broken: 'the poison count', seed: 1, rule: 'poison', adjust: poison, wrap: { wrapStore: withoutPoisonCount } },
    { broken: 'the write id', seed: 1, rule: 'repeats', adjust: lostCommits, wrap: { wrapStore: withoutWriteIds } },
    { broken: 'the resent flush', seed: 1, rule: 'repeats', adjust: lostCommits, wrap: { wrapLink: withoutResends } },
    {
      broken: 'consuming by ids',
      seed: 5,
      rule: 'accepted callbacks',
      adjust: busyInboxes,
      wrap: { wrapStore: withoutInboxIds },
    },
    {
      broken: 'the due time of what comes from outside',
      seed: 52,
      rule: 'recovery',
      adjust: deafDeaths,
      wrap: { wrapStore: withoutDueOfOffers },
    },
    {
      broken: 'the due time of what is taken over',
      seed: 48,
      rule: 'recovery',
      adjust: deathsAfterHolds,
      wrap: { wrapStore: withoutDueOfTakeOvers },
    },
    { broken: 'what a hold means', seed: 1, rule: 'holds', adjust: keptBack, wrap: { wrapGate: openTo('hold') } },
    { broken: 'the circuit', seed: 3, rule: 'circuit', adjust: keptBack, wrap: { wrapGate: openTo('circuit') } },
    { broken: 'the limit of a host', seed: 1, rule: 'places', adjust: keptBack, wrap: { wrapGate: openTo('slots') } },
    { broken: 'the end of a hold', seed: 1, rule: 'blocked', adjust: keptBack, wrap: { wrapLink: deafToLifts } },
    {
      broken: 'that waiting spends no attempt',
      seed: 1,
      rule: 'attempts',
      adjust: keptBack,
      wrap: { wrapStore: withSpentAttempts },
    },
  ])('notices that $broken is missing, with seed $seed', async ({ seed, rule, adjust, wrap }) => {
    expect((await simulate({ seed, kind: 'hub', adjust })).violations).toEqual([]);
    const { violations } = await simulate({ seed, kind: 'hub', adjust, ...wrap });
    expect(violations.map((violation) => violation.rule)).toContain(rule);
  });

  it('replays a seed exactly, watched or not', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const lines: string[] = [];
      const { hash } = await simulate({ seed, print: (line) => lines.push(line) });
      return [...lines, hash];
    };
    for (const seed of [2, 7, 28]) {
      const first = await run(seed);
      expect(first.length).toBeGreaterThan(10);
      expect(await run(seed)).toEqual(first);
      expect((await simulate({ seed })).hash).toBe(first.at(-1));
    }
    expect((await simulate({ seed: 2 })).hash).not.toBe((await simulate({ seed: 7 })).hash);
  });
});
