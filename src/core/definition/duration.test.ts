import { describe, expect, it } from 'vitest';
import { hasMonthsOrYears, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['PT5M', 300_000],
    ['P1D', 86_400_000],
    ['P2W', 1_209_600_000],
    ['P1DT2H3M4.5S', 93_784_500],
    ['PT0,25S', 250],
    ['PT1.5H', 5_400_000],
    ['P0D', 0],
    ['PT36H', 129_600_000],
  ])('reads %s', (text, millis) => {
    expect(parseDuration(text)).toBe(millis);
  });

  it.each([
    '',
    'P',
    'PT',
    'P1',
    '5M',
    'PT5',
    'P1Y',
    'P1M',
    'P1M1D',
    'P1W1D',
    'PT1.5H1M',
    '-PT5M',
    'pt5m',
    ' PT5M',
    'PT5M ',
    'P1DT',
    'PT1S1M',
    'PT5M\n',
    'PT.5S',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe('hasMonthsOrYears', () => {
  it('tells months from minutes', () => {
    expect(['P1Y', 'P2M', 'P1Y2M3DT4H', 'P1M'].map(hasMonthsOrYears)).toEqual([true, true, true, true]);
    expect(['PT2M', 'P1D', 'year', 'PXM', 'P'].map(hasMonthsOrYears)).toEqual([false, false, false, false, false]);
  });
});
