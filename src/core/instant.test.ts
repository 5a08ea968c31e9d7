import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInstant } from './instant.ts';

describe('parseInstant', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-03-01T09:30Z', Date.UTC(2026, 2, 1, 9, 30)],
    ['2026-03-01T09:30:15.250+02:00', Date.UTC(2026, 2, 1, 7, 30, 15, 250)],
    ['2026-03-01T09:30:15,2509-0130', Date.UTC(2026, 2, 1, 11, 0, 15, 250)],
    ['2024-02-29T00:00+05', Date.UTC(2024, 1, 28, 19)],
    ['2000-02-29T00:00Z', Date.UTC(2000, 1, 29)],
    ['0001-01-01T00:00Z', -62_135_596_800_000],
  ])('reads %s', (text, millis) => {
    expect(parseInstant(text)).toBe(millis);
  });

  it.each([
    '',
    '2026-03-01',
    '2026-03-01T09:30',
    '2026-03-01 09:30Z',
    '2026-3-1T09:30Z',
    '2026-02-29T00:00Z',
    '1900-02-29T00:00Z',
    '2026-13-01T00:00Z',
    '2026-00-01T00:00Z',
    '2026-04-31T00:00Z',
    '2026-01-00T00:00Z',
    '2026-01-01T24:00Z',
    '2026-01-01T00:60Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00+24:00',
    '2026-01-01T00:00+01:60',
    '2026-01-01t00:00z',
    'tomorrow',
    '1772357400000',
    '2026-01-01T00:00Z\n',
    '+002026-01-01T00:00Z',
  ])('refuses %j', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it('reads what a date writes', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date(-62_135_596_800_000), max: new Date(253_402_300_799_999) }),
        (date) => {
          expect(parseInstant(date.toISOString())).toBe(date.getTime());
        },
      ),
    );
  });
});
