import { describe, expect, it } from 'vitest';
import { assignShards } from './ownership.ts';

const pods = (n: number, seed = 0): string[] =>
  Array.from({ length: n }, (_, i) => `pod-${i}/${(seed * 7919 + i * 104_729).toString(36)}`);

function loadsOf(members: readonly string[], count: number): number[] {
  const loads = members.map(() => 0);
  for (const owner of assignShards(members, count)) loads[owner]! += 1;
  return loads;
}

describe('ownership of shards', () => {
  it('gives a single member everything', () => {
    expect([...assignShards(['a/1'], 64)]).toEqual(new Array(64).fill(0));
  });

  it('stays within 15 % of even for 2 to 32 members at 1024 shards', () => {
    for (let n = 2; n <= 32; n++) {
      for (let seed = 0; seed < 4; seed++) {
        const even = 1024 / n;
        for (const load of loadsOf(pods(n, seed), 1024)) expect(Math.abs(load - even) / even).toBeLessThanOrEqual(0.15);
      }
    }
  });

  it('gives every member a shard while there are enough', () => {
    expect(Math.min(...loadsOf(pods(64), 64))).toBe(1);
    expect(Math.max(...loadsOf(pods(100), 64))).toBe(1);
  });

  it('moves about 1/N of the shards when a member joins or leaves', () => {
    const ratios: number[] = [];
    for (let n = 2; n <= 31; n++) {
      for (let seed = 0; seed < 4; seed++) {
        const members = pods(n + 1, seed);
        const before = assignShards(members.slice(0, n), 1024);
        const after = assignShards(members, 1024);
        const moved = before.reduce((sum, owner, shard) => sum + (after[shard] === owner ? 0 : 1), 0);
        ratios.push(moved / (1024 / (n + 1)));
      }
    }
    ratios.sort((a, b) => a - b);
    expect(ratios[ratios.length >> 1]).toBeLessThan(1.3);
    expect(ratios.at(-1)).toBeLessThan(2.2);
  });

  it('depends on nothing but the members', () => {
    expect([...assignShards(pods(5), 256)]).toEqual([...assignShards([...pods(5)], 256)]);
  });
});
