import { array, assert, dictionary, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missingPaths, templateOf } from '../pages/definitions/payload.ts';
import { filters, isSameFilter, withoutValue, withValue } from '../pages/executions/filters.ts';
import { parseSearch, stringifySearch } from './search.ts';
import { agoText, countdownText, durationText, instantText, timeOfDay } from './times.ts';

describe('the search part of an address', () => {
  it('is read as it was written', () => {
    const values = array(string({ minLength: 1 }), { minLength: 1, maxLength: 3 });
    const names = string({ minLength: 1 }).filter((name) => name !== '__proto__');
    assert(
      property(dictionary(names, values), (search) => {
        expect(parseSearch(stringifySearch(search))).toEqual({ ...search });
      }),
    );
  });

  it('has plain repeated names, as the API', () => {
    expect(stringifySearch({ status: ['FAILED', 'CORRUPTED'], label: ['tenant:a b'] })).toBe(
      '?status=FAILED&status=CORRUPTED&label=tenant%3Aa+b',
    );
  });
});

describe('filters', () => {
  const [status, name] = ['status', 'name'].map((wanted) => filters.find((each) => each.name === wanted));

  it('add to what is repeatable, and replace what is not', () => {
    if (status === undefined || name === undefined) throw new Error('The filters have other names.');
    const one = withValue({ status: ['FAILED'] }, status, 'CORRUPTED');
    expect(one).toEqual({ status: ['FAILED', 'CORRUPTED'] });
    expect(withValue(withValue(one, name, 'a'), name, 'b')).toEqual({ ...one, name: ['b'] });
    expect(withoutValue(withoutValue(one, 'status', 'FAILED'), 'status', 'CORRUPTED')).toEqual({});
  });

  it('are the same in any order, and whatever the preview shows', () => {
    expect(isSameFilter({ status: ['A', 'B'], run: ['x'] }, { status: ['B', 'A'] })).toBe(true);
    expect(isSameFilter({ status: ['A'] }, { status: ['B'] })).toBe(false);
  });
});

describe('times', () => {
  const at = Date.UTC(2030, 10, 14, 3, 11, 2);

  it.each([
    [0, '0 ms'],
    [45, '45 ms'],
    [2800, '2.8 s'],
    [59_960, '1 min 0 s'],
    [886_000, '14 min 46 s'],
    [7_800_000, '2 h 10 min'],
    [518_400_000, '6 d 0 h'],
  ])('%i ms is %s', (millis, text) => {
    expect(durationText(millis)).toBe(text);
  });

  it('are short where the day is clear', () => {
    expect(instantText(at, 'utc', at + 1000)).toBe('03:11:02');
    expect(instantText(at, 'utc', at + 86_400_000)).toBe('14 Nov 03:11');
    expect(instantText(at, 'utc', at + 366 * 86_400_000)).toBe('14 Nov 2030 03:11');
    expect(timeOfDay(at + 250, 'utc', true)).toBe('03:11:02.2');
  });

  it('count down and back', () => {
    expect([countdownText(43_000), countdownText(3_725_000), countdownText(-5)]).toEqual(['00:43', '1:02:05', '00:00']);
    expect([agoText(5000), agoText(300_000), agoText(90_000_000)]).toEqual(['5 s ago', '5 min ago', '1 d ago']);
  });
});

describe('the payload of a form', () => {
  it('begins with every required path, also into lists and of names that objects have by themselves', () => {
    const paths = ['order', 'items.0.sku', '["user.email"]', '__proto__'];
    const template = templateOf(paths);
    expect(JSON.stringify(template)).toBe('{"order":"","items":[{"sku":""}],"user.email":"","__proto__":""}');
    expect(missingPaths(JSON.parse(JSON.stringify(template)), paths)).toEqual([]);
  });

  it('lacks what is absent or null', () => {
    expect(missingPaths({ order: null, items: [] }, ['order', 'items.0.sku', 'amount'])).toEqual([
      'order',
      'items.0.sku',
      'amount',
    ]);
  });
});
