import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget } from './budget.ts';
import { dateMethods } from './operators/dates.ts';

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Pacific/Apia'];
const zone = fc.constantFrom(...zones);
const instant = fc.date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });

/** Runs an operator on values. */
function run(name: string, ...args: unknown[]): unknown {
  const method = dateMethods(new Budget(100_000))[name];
  return method?.method(args, undefined, undefined, undefined as never);
}

/** The local time in a zone as Intl has it: `yyyy-MM-dd HH:mm:ss`. */
function local(time: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(time);
  return parts.replace(',', '');
}

describe('times against Intl', () => {
  it('are formatted in a zone', () => {
    fc.assert(
      fc.property(instant, zone, (time, timeZone) => {
        expect(run('date_format', time.toISOString(), 'yyyy-MM-dd HH:mm:ss', timeZone)).toBe(local(time, timeZone));
      }),
      { numRuns: 500 },
    );
  });

  it('are read as they are written', () => {
    fc.assert(
      fc.property(instant, zone, (time, timeZone) => {
        const pattern = 'yyyy-MM-dd HH:mm:ss.SSS XXX';
        // Offsets with seconds, before 1972 in some zones, cannot be written in hours and minutes.
        const written = run('date_format', time.toISOString(), pattern, timeZone) as string;
        const read = run('date_parse', written, pattern) as string;
        expect(Math.abs(Date.parse(read) - time.getTime())).toBeLessThan(60_000);
      }),
      { numRuns: 500 },
    );
  });

  it('keep the local time when days are added, unless it does not exist', () => {
    fc.assert(
      fc.property(instant, zone, fc.integer({ min: -400, max: 400 }), (time, timeZone, days) => {
        const moved = new Date(
          run('date_add', time.toISOString(), `P${String(days)}D`.replace('P-', '-P'), timeZone) as string,
        );
        const wanted = new Date(`${local(time, timeZone).replace(' ', 'T')}Z`);
        wanted.setUTCDate(wanted.getUTCDate() + days);
        const difference =
          Date.parse(`${local(moved, timeZone).replace(' ', 'T')}Z`) - Math.trunc(wanted.getTime() / 1000) * 1000;
        // A local time that is skipped moves forward, by a day at most (Apia left out one).
        expect(difference).toBeGreaterThanOrEqual(0);
        expect(difference).toBeLessThanOrEqual(86_400_000);
        if (timeZone === 'UTC' || timeZone === 'Asia/Kolkata') expect(difference).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('start at the beginning of their local day', () => {
    fc.assert(
      fc.property(instant, zone, (time, timeZone) => {
        const start = new Date(run('start_of', time.toISOString(), 'day', timeZone) as string);
        expect(local(start, timeZone).slice(0, 10)).toBe(local(time, timeZone).slice(0, 10));
        expect(local(new Date(start.getTime() - 1), timeZone).slice(0, 10)).not.toBe(
          local(time, timeZone).slice(0, 10),
        );
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['2028-02-29T12:00:00Z', 'P1Y', '2029-02-28T12:00:00.000Z'],
    ['2028-02-28T12:00:00Z', 'P1D', '2028-02-29T12:00:00.000Z'],
    ['2028-03-31T12:00:00Z', '-P1M', '2028-02-29T12:00:00.000Z'],
    ['2027-12-31T23:59:59.999Z', 'PT0.001S', '2028-01-01T00:00:00.000Z'],
  ])('%s and %s are %s', (from, duration, to) => {
    expect(run('date_add', from, duration)).toBe(to);
  });

  it('take the earlier of two equal local times', () => {
    expect(run('date_parse', '2027-10-31 02:30', 'yyyy-MM-dd HH:mm', 'Europe/Berlin')).toBe('2027-10-31T00:30:00.000Z');
    expect(run('date_add', '2027-10-30T00:30:00Z', 'P1D', 'Europe/Berlin')).toBe('2027-10-31T00:30:00.000Z');
  });
});
