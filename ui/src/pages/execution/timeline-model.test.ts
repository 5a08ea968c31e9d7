import { array, assert, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimelineRow } from '../../api/timeline.ts';
import { axisOf, timelineOf } from './timeline-model.ts';

const attempt = (
  nodeId: string,
  from: number,
  to: number | undefined,
  more: Partial<TimelineRow> = {},
): TimelineRow => ({
  seq: from,
  kind: 'attempt',
  nodeId,
  visit: 1,
  round: 1,
  attempt: 1,
  phase: 'UP',
  outcome: to === undefined ? '' : 'succeeded',
  from,
  to,
  ...more,
});

describe('the timeline', () => {
  it('has a lane for each node of each round, in the order in which they were reached', () => {
    const rows = [attempt('a', 0, 10), attempt('b', 10, 20), attempt('a', 20, 30), attempt('a', 40, 50, { round: 2 })];
    const { rounds } = timelineOf(rows, 100);
    expect(rounds.map(({ round, lanes }) => [round, lanes.map(({ nodeId, bars }) => [nodeId, bars.length])])).toEqual([
      [
        1,
        [
          ['a', 2],
          ['b', 1],
        ],
      ],
      [2, [['a', 1]]],
    ]);
  });

  it('says the answers of a node, many of the same once', () => {
    const rows = [500, 500, 500, 201].map((statusCode, index) => attempt('a', index, index + 1, { statusCode }));
    expect(timelineOf(rows, 9).rounds[0]?.lanes[0]?.note).toBe('3× 500, then 201');
  });

  it('lets what goes on reach until now, and knows when the way turned', () => {
    const undo = { kind: 'compensation', phase: 'DOWN' };
    const { rounds, to } = timelineOf(
      [attempt('a', 0, 10), attempt('a', 40, 45, undo), attempt('b', 50, undefined)],
      70,
    );
    expect(to).toBe(70);
    expect(rounds[0]?.turnedAt).toBe(40);
    expect(rounds[0]?.lanes[1]?.bars).toEqual([expect.objectContaining({ kind: 'running', from: 50, to: 70 })]);
  });

  it('shows a row of a kind or outcome that it does not know, or leaves it out, and never throws', () => {
    const rows = [attempt('a', 0, 5, { outcome: 'FUTURE' }), attempt('b', 5, 6, { kind: 'FUTURE' })];
    expect(timelineOf(rows, 9).rounds[0]?.lanes.map(({ nodeId, bars }) => [nodeId, bars[0]?.kind])).toEqual([
      ['a', 'other'],
    ]);
    expect(timelineOf([], 9).rounds).toEqual([]);
  });
});

describe('the axis', () => {
  const day = 86_400_000;

  it('collapses a gap, so that a late retry does not shrink the bars before it', () => {
    const model = timelineOf([attempt('a', 0, 1000), attempt('a', 3 * day, 3 * day + 1000)], 3 * day + 1000);
    const { stretches, at } = axisOf(model, true);
    expect(stretches.map(({ isGap }) => isGap)).toEqual([false, true, false]);
    expect(at(1000) - at(0)).toBeGreaterThan(30);
    expect(at(3 * day + 1000) - at(3 * day)).toBeCloseTo(at(1000) - at(0));
    // With the gap as long as it is, the bars are a hair.
    const even = axisOf(model, false);
    expect(even.at(1000) - even.at(0)).toBeLessThan(0.01);
  });

  it('goes from left to right, within the width, whatever the times are', () => {
    const spans = array(tuple(integer({ min: 0, max: day }), integer({ min: 0, max: day })), {
      minLength: 1,
      maxLength: 20,
    });
    assert(
      property(spans, (times) => {
        const rows = times
          .map(([from, length]) => attempt('a', from, from + length))
          .toSorted((a, b) => a.from - b.from);
        const model = timelineOf(rows, 3 * day);
        for (const isCollapsing of [true, false]) {
          const { at } = axisOf(model, isCollapsing);
          const places = rows
            .flatMap(({ from, to = from }) => [from, to])
            .toSorted((a, b) => a - b)
            .map(at);
          for (const [index, place] of places.entries()) {
            expect(place).toBeGreaterThanOrEqual((places[index - 1] ?? 0) - 1e-9);
            expect(place).toBeLessThanOrEqual(90);
          }
        }
      }),
    );
  });
});
