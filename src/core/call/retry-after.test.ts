import { afterEach, expect, it } from 'vitest';
import { retryAfterMillis } from './retry-after.ts';

const now = Date.UTC(1994, 10, 6, 8, 49, 7);
const zone = process.env['TZ'];

afterEach(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

it.each(['UTC', 'America/New_York', 'Asia/Kolkata'])('reads every form of a date as GMT, in a zone of %s', (local) => {
  process.env['TZ'] = local;
  for (const date of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    expect([date, retryAfterMillis(date, now)]).toEqual([date, 30_000]);
  }
});

it.each([
  ['0', 0],
  [' 120 ', 120_000],
  ['2030', 2_030_000],
  ['Sun, 06 Nov 1994 08:48:37 GMT', 0],
  ['Sunday, 06-Nov-94 08:48:37 GMT', 0],
])('reads %j as %d ms', (value, millis) => {
  expect(retryAfterMillis(value, now)).toBe(millis);
});

it.each([
  undefined,
  '',
  '-1',
  '1.5',
  '12345678901',
  'soon',
  '1994-11-06T08:49:37Z',
  'Sun, 06 Nov 1994 08:49:37 CET',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 99 Nov 1994 08:49:37 GMT',
])('reads nothing from %j', (value) => {
  expect(retryAfterMillis(value, now)).toBeUndefined();
});
