import { expect, it } from 'vitest';
import { allows, isRole, roles } from './roles.ts';

it('gives each role what it includes, and nothing else', () => {
  const may = Object.fromEntries(roles.map((held) => [held, roles.filter((needed) => allows([held], needed))]));
  expect(may).toEqual({
    viewer: ['viewer'],
    runner: ['viewer', 'runner'],
    author: ['viewer', 'runner', 'author'],
    operator: ['viewer', 'runner', 'operator'],
    admin: ['viewer', 'runner', 'author', 'operator', 'admin'],
  });
});

it('adds roles up', () => {
  expect(allows(['author', 'operator'], 'operator')).toBe(true);
  expect(allows(['author', 'operator'], 'admin')).toBe(false);
  expect(allows([], 'viewer')).toBe(false);
});

it('knows roles by name', () => {
  expect(['admin', 'Admin', 'toString', 1].map(isRole)).toEqual([true, false, false, false]);
});
