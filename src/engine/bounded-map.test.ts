import { expect, it } from 'vitest';
import { BoundedMap } from './bounded-map.ts';

const keysIn = (map: BoundedMap<string, number>, keys: string): string =>
  keys
    .split('')
    .filter((key) => map.take(key) !== undefined)
    .join('');

it('forgets what was used longest ago beyond the number of entries', () => {
  const map = new BoundedMap<string, number>(3);
  for (const key of 'abc') map.set(key, 1);
  map.get('a');
  map.set('d', 1);
  expect(map.size).toBe(3);
  expect(keysIn(map, 'abcd')).toBe('acd');
});

it('forgets as many as are needed for the weight of a new one', () => {
  const map = new BoundedMap<string, number>(10, { most: 100, of: (value) => value });
  for (const key of 'abcde') map.set(key, 20);
  map.set('f', 50);
  expect(map.weight).toBe(90);
  expect(keysIn(map, 'abcdef')).toBe('def');
  expect(map.weight).toBe(0);
});

it('does not keep what alone is too heavy, nor what stood in its place', () => {
  const map = new BoundedMap<string, number>(10, { most: 100, of: (value) => value });
  map.set('a', 100);
  map.set('b', 0);
  map.set('a', 101);
  expect([map.weight, map.size]).toEqual([0, 1]);
  map.set('b', 60);
  map.set('b', 70);
  expect([map.weight, map.size]).toEqual([70, 1]);
});
