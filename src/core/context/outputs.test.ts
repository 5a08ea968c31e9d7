import { describe, expect, it } from 'vitest';
import type { StepRow } from '../history.ts';
import { Outputs } from './outputs.ts';

/** A row with a response text of the given length. */
function rowOf(ord: number, nodeId: string, chars = 10, visit = 1): StepRow {
  return {
    ord,
    nodeId,
    index: 0,
    phase: 'UP',
    visit,
    round: 1,
    attempt: 1,
    outcome: 'succeeded',
    startedAt: 0,
    attemptAt: 0,
    at: 0,
    scope: '',
    final: true,
    output: { response: { status: 200, headers: {}, body: 'x'.repeat(chars) } },
  };
}

const all = Outputs.empty.with([rowOf(1, 'a', 1_000), rowOf(2, 'b', 100_000), rowOf(3, 'c', 10)]);
const bodyOf = (outputs: Outputs, nodeId: string): unknown => outputs.find(nodeId, '')?.response?.body;

describe('outputs', () => {
  it('leave in the store what is not wanted, and tell of it', () => {
    expect(all.isWhole).toBe(true);
    const trimmed = all.trimmed((nodeId) => nodeId === 'c', Infinity);
    expect(trimmed.leftOut).toEqual(['a', 'b']);
    expect([trimmed.lacks('a'), trimmed.lacks('c'), trimmed.lacks('never')]).toEqual([true, false, false]);
    expect(bodyOf(trimmed, 'c')).toHaveLength(10);
    expect(() => trimmed.find('a', '')).toThrow(/a was not read/);
    expect(() => trimmed.at({ nodeId: 'a', ord: 1 })).toThrow(/a was not read/);
    expect(trimmed.size).toBeLessThan(all.size / 100);
  });

  it('leave the largest first, as far as they must', () => {
    expect(all.trimmed(() => true, all.size)).toBe(all);
    expect(all.trimmed(() => true, all.size - 1).leftOut).toEqual(['b']);
    expect(all.trimmed(() => true, 0).leftOut.toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('are restored from rows, and keep what came meanwhile', () => {
    const trimmed = all.trimmed(() => false, 0).with([rowOf(4, 'a', 5, 2)]);
    expect(trimmed.lacks('a')).toBe(true);
    const restored = trimmed.restored(['a', 'never'], [rowOf(1, 'a', 1_000)]);
    expect(restored.lacks('a')).toBe(false);
    expect(bodyOf(restored, 'a')).toHaveLength(5);
    expect(restored.at({ nodeId: 'a', ord: 1 })?.response?.body).toHaveLength(1_000);
    expect(restored.leftOut.toSorted()).toEqual(['b', 'c']);
    expect(restored.restored(['b', 'c'], [rowOf(2, 'b', 7), rowOf(3, 'c')]).isWhole).toBe(true);
  });

  it('that cannot be had fail whatever asks for them', () => {
    const refusing = Outputs.leaving(['a', 'b']).refusing(['a'], 'The output of a is too large.');
    expect(refusing.leftOut).toEqual(['b']);
    expect(() => refusing.find('a', '')).toThrow('The output of a is too large.');
  });

  it('stay as they were when rows come after them, however many nodes there are', () => {
    const versions = [Outputs.empty];
    for (let ord = 1; ord <= 30; ord++) {
      const before = versions.at(-1) as Outputs;
      versions.push(before.with([rowOf(ord, `n${String(ord)}`, ord), rowOf(100 + ord, 'loop', ord, ord)]));
    }
    for (const [count, outputs] of versions.entries()) {
      const seen = Array.from({ length: 30 }, (_, i) => bodyOf(outputs, `n${String(i + 1)}`));
      expect(seen.filter((body) => body !== undefined)).toHaveLength(count);
      if (count > 0) expect(bodyOf(outputs, 'loop')).toHaveLength(count);
    }
  });
});
