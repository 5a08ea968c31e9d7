import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../core/value/json.ts';
import { timeline } from './timeline.ts';

const at = (millis: number): string => new Date(1_000_000 + millis).toISOString();

function row(stepName: string, phase: string, began: number, ended: number, more: JsonObject = {}): JsonObject {
  const times = { startedAt: at(began), stepStartedAt: at(began), createdAt: at(ended) };
  return { stepName, phase, visit: 1, round: 1, attempt: 1, outcome: 'succeeded', ...times, ...more };
}

const request = { requestVerb: 'PUT', requestUrl: 'http://s/a' };

describe('the timeline', () => {
  it('has no lines where nothing happened', () => {
    expect(timeline({ steps: [], calls: [] })).toEqual([]);
  });

  it('shows every call once, and steps without calls in between', () => {
    const calls = [
      row('a', 'UP', 0, 5, { ...request, outcome: 'rejected', statusCode: 503, error: 'The downstream answered 503.' }),
      row('a', 'UP', 0, 20, { ...request, attempt: 2, statusCode: 200 }),
      row('b', 'UP', 20, 1030, { outcome: 'unknown', error: 'No whole answer came in time.' }),
    ];
    const steps = [
      row('a', 'UP', 0, 20, { attempt: 2, statusCode: 200 }),
      row('choose', 'SWITCH', 20, 20, { note: 'Took x to b.', attempt: 0 }),
      row('b', 'UP', 20, 1030, { outcome: 'unknown' }),
      row('a', 'RESOLVE', 2000, 2000, { visit: 2 }),
    ];
    expect(timeline({ steps, calls })).toEqual([
      '      5 ms  UP       a            rejected (503)   PUT http://s/a',
      '     20 ms  UP       a attempt 2  succeeded (200)  PUT http://s/a',
      '     20 ms  SWITCH   choose       succeeded        Took x to b.',
      '   1030 ms  UP       b            unknown          No whole answer came in time.',
      '   2000 ms  RESOLVE  a#2          succeeded',
    ]);
  });
});
