import { describe, expect, it } from 'vitest';
import type { CallRow, StepRow } from '../history.ts';
import { timelineRows } from './timeline.ts';

const place = { nodeId: 'pay', index: 0, visit: 1, round: 1 } as const;
const call = (ord: number, attempt: number, from: number, at: number, rest: Partial<CallRow> = {}): CallRow => ({
  ...place,
  ord,
  callId: ord,
  phase: 'UP',
  attempt,
  outcome: 'unknown',
  startedAt: 0,
  attemptAt: from,
  at,
  ...rest,
});
const step = (
  ord: number,
  phase: StepRow['phase'],
  from: number,
  at: number,
  rest: Partial<StepRow> = {},
): StepRow => ({
  ...place,
  ord,
  phase,
  attempt: 1,
  outcome: 'succeeded',
  startedAt: 0,
  attemptAt: from,
  at,
  scope: '',
  final: true,
  ...rest,
});

describe('the rows of a timeline', () => {
  it('tell a block between two attempts after the wait of the policy', () => {
    const waited = { since: 30, cause: 'circuit', host: 'bank.example:443' } as const;
    const rows = timelineRows({ calls: [call(1, 1, 0, 10), call(2, 2, 50, 60, { waited })], steps: [] });
    expect(rows.map(({ kind, seq, from, to, wait }) => [kind, seq, from, to, wait])).toEqual([
      ['attempt', 1, 0, 10, undefined],
      ['wait', 2, 10, 30, { for: 'backoff' }],
      ['wait', 2, 30, 50, { for: 'blocked', host: 'bank.example:443', circuit: true }],
      ['attempt', 2, 50, 60, undefined],
    ]);
  });

  it.each([
    [{ cause: 'hold', holdId: 'h-1' } as const, { for: 'blocked', holdId: 'h-1' }],
    [{ cause: 'slots', host: 'a:80' } as const, { for: 'blocked', host: 'a:80', place: true }],
  ])('tell what blocked a first attempt: %j', (why, wait) => {
    const [row] = timelineRows({ calls: [call(1, 1, 50, 60, { waited: { since: 20, ...why } })], steps: [] });
    expect(row).toMatchObject({ kind: 'wait', attempt: 1, from: 20, to: 50, wait });
  });

  it('tell a recorded attempt once, and a visit that was settled by hand besides its attempts', () => {
    const calls = [call(1, 1, 0, 10)];
    const recorded = step(2, 'UP', 0, 10, { outcome: 'unknown' });
    const settled = step(4, 'UP', 0, 90, { note: 'Settled by an operator: paid' });
    const rows = timelineRows({ calls, steps: [recorded, step(3, 'RESOLVE', 90, 90), settled] });
    expect(rows.map(({ kind, seq, callId }) => [kind, seq, callId])).toEqual([
      ['attempt', 1, '1'],
      ['attempt', 4, undefined],
    ]);
  });

  it('tell the wait for a callback from its acceptance to its arrival', () => {
    const accepted = call(1, 1, 0, 10, { outcome: 'succeeded' });
    const rows = timelineRows({ calls: [accepted], steps: [step(2, 'UP', 0, 10), step(3, 'CALLBACK', 0, 70)] });
    expect(rows.map(({ kind, from, to, wait }) => [kind, from, to, wait?.for])).toEqual([
      ['attempt', 0, 10, undefined],
      ['wait', 10, 70, 'callback'],
      ['callback', 70, 70, undefined],
    ]);
  });

  it('keep visits, rounds and phases apart', () => {
    const others = [
      call(1, 1, 0, 10),
      call(2, 2, 20, 30, { visit: 2 }),
      call(3, 2, 20, 30, { round: 2 }),
      call(4, 2, 20, 30, { phase: 'DOWN' }),
    ];
    expect(timelineRows({ calls: others, steps: [] }).map(({ kind }) => kind)).toEqual([
      'attempt',
      'attempt',
      'attempt',
      'compensation',
    ]);
  });

  it('leave out rows that exist for templates only, and name the items of loops', () => {
    const rows = timelineRows({
      calls: [call(4, 1, 0, 10, { item: [3] })],
      steps: [step(1, 'FOREACH', 0, 1), step(2, 'FOREACH', 0, 1, { repeat: true })],
    });
    expect(rows.map(({ kind, item }) => [kind, item])).toEqual([
      ['forEach', undefined],
      ['attempt', [3]],
    ]);
  });
});
