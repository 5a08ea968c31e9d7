import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantFault, parseInstant } from './instant.ts';

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

describe('times with a zone', () => {
  const utc = (text: string): string => {
    const instant = parseInstant(text);
    return instant === undefined ? instantFault(text) : new Date(instant).toISOString();
  };

  it.each([
    ['2027-01-01T09:00[Europe/Berlin]', '2027-01-01T08:00:00.000Z'],
    ['2027-07-01T09:00:30.25[Europe/Berlin]', '2027-07-01T07:00:30.250Z'],
    ['2027-01-01T09:00[europe/berlin]', '2027-01-01T08:00:00.000Z'],
    ['2027-01-01T09:00[!America/Argentina/Buenos_Aires]', '2027-01-01T12:00:00.000Z'],
    ['2027-01-01T09:00[Asia/Kolkata]', '2027-01-01T03:30:00.000Z'],
    ['2027-01-01T09:00[Etc/GMT+5]', '2027-01-01T14:00:00.000Z'],
    ['2027-01-01T09:00[UTC]', '2027-01-01T09:00:00.000Z'],
    ['2027-01-01T09:00[+05:30]', '2027-01-01T03:30:00.000Z'],
    ['2027-01-01T09:00+01:00[Europe/Berlin]', '2027-01-01T08:00:00.000Z'],
    ['2027-01-01T09:00Z[Europe/Berlin]', '2027-01-01T09:00:00.000Z'],
    ['2027-01-01T09:00-00:00[Europe/Berlin]', '2027-01-01T09:00:00.000Z'],
    ['1850-01-01T00:00[Europe/Berlin]', '1849-12-31T23:06:32.000Z'],
    ['0001-01-01T00:00[Europe/Berlin]', '0000-12-31T23:06:32.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(utc(text)).toBe(instant);
  });

  it.each([
    // Skipped local times are moved later by the skipped amount.
    ['2027-03-28T02:30[Europe/Berlin]', '2027-03-28T01:30:00.000Z'],
    ['2027-03-28T02:00[Europe/Berlin]', '2027-03-28T01:00:00.000Z'],
    ['2027-03-28T03:00[Europe/Berlin]', '2027-03-28T01:00:00.000Z'],
    ['2027-10-03T02:15[Australia/Lord_Howe]', '2027-10-02T15:45:00.000Z'],
    ['2011-12-30T12:00[Pacific/Apia]', '2011-12-30T22:00:00.000Z'],
    // A local time that occurs twice is the earlier one, unless the offset selects one.
    ['2027-10-31T02:30[Europe/Berlin]', '2027-10-31T00:30:00.000Z'],
    ['2027-10-31T02:30+01:00[Europe/Berlin]', '2027-10-31T01:30:00.000Z'],
    ['2027-10-31T02:30+02:00[Europe/Berlin]', '2027-10-31T00:30:00.000Z'],
    ['2027-11-07T01:30[America/New_York]', '2027-11-07T05:30:00.000Z'],
  ])('where clocks change, %s is %s', (text, instant) => {
    expect(utc(text)).toBe(instant);
  });

  it.each([
    ['2027-01-01T09:00[Europe/Berln]', 'names the zone Europe/Berln, which the IANA database does not have'],
    ['2027-01-01T09:00+02:00[Europe/Berlin]', 'has the offset +02:00, which Europe/Berlin does not have at that time'],
    ['2027-03-28T02:30+01:00[Europe/Berlin]', 'has the offset +01:00, which Europe/Berlin does not have at that time'],
    ['2027-01-01T09:00', 'has neither an offset, like +01:00 or Z, nor a zone, like [Europe/Berlin]'],
    ['2027-02-30T09:00[Europe/Berlin]', 'is no ISO 8601 time with an offset or a zone'],
    ['2027-01-01T09:00[]', 'is no ISO 8601 time with an offset or a zone'],
    ['2027-01-01T09:00[Europe/Berlin][u-ca=hebrew]', 'is no ISO 8601 time with an offset or a zone'],
    ['2027-01-01', 'is no ISO 8601 time with an offset or a zone'],
    ['tomorrow', 'is no ISO 8601 time with an offset or a zone'],
  ])('%s %s', (text, why) => {
    expect(utc(text)).toBe(why);
  });

  it('read back every local time that a zone shows', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia'];
    const instants = fc.integer({ min: 0, max: 4_000_000_000 });
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), (seconds, timeZone) => {
        const shown = new Date(seconds * 1000).toLocaleString('sv-SE', { timeZone }).replace(' ', 'T');
        const read = parseInstant(`${shown}[${timeZone}]`);
        // A local time that occurs twice may be parsed as the earlier one.
        expect([0, 1_800_000, 3_600_000]).toContain(seconds * 1000 - (read ?? Number.NaN));
        expect(new Date(read ?? Number.NaN).toLocaleString('sv-SE', { timeZone }).replace(' ', 'T')).toBe(shown);
      }),
    );
  });
});
