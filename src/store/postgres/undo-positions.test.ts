import { expect, it } from 'vitest';
import type { UndoState } from '../../core/history.ts';
import { beginning, UndoPositions, type UndoChange } from './undo-positions.ts';

const here = { rank: 2, sort: 7 };

function change(
  rows: readonly { readonly round?: number; readonly scope?: string; readonly undo?: UndoState }[],
  marks: Readonly<Record<number, UndoState>> = {},
  reopened: readonly number[] = [],
): UndoChange {
  return {
    steps: rows.map((row) => ({ row: { round: 1, scope: '', ...row } })),
    marks: new Map(Object.entries(marks).map(([ord, undo]) => [Number(ord), undo])),
    reopened,
  };
}

/** Positions after a search of a scope of round 1 has reached a row and the execution was changed like this. */
function after(scope: string, ...changes: readonly UndoChange[]): unknown {
  const positions = new UndoPositions();
  positions.reached(positions.search('x'), 1, { scope }, here);
  for (const each of changes) positions.changed('x', each);
  return beginning(positions.search('x'), 1, { scope });
}

it('begins where the last search of the same round, kind and scope ended', () => {
  const positions = new UndoPositions();
  const search = positions.search('x');
  expect(beginning(search, 1, { scope: '' })).toBeUndefined();
  positions.reached(search, 1, { scope: '' }, here);
  expect(beginning(positions.search('x'), 1, { scope: '', undo: 'pending' })).toEqual(here);
  expect(beginning(positions.search('x'), 2, { scope: '' })).toBeUndefined();
  expect(beginning(positions.search('x'), 1, { scope: '', undo: 'reopened' })).toBeUndefined();
  expect(beginning(positions.search('x'), 1, { scope: '/a' })).toBeUndefined();
  expect(beginning(positions.search('y'), 1, { scope: '' })).toBeUndefined();
});

it('neither notes nor uses a position for the search of one visit', () => {
  const positions = new UndoPositions();
  const only = { nodeId: 'a', visit: 1 };
  positions.reached(positions.search('x'), 1, { scope: '', only }, here);
  expect(beginning(positions.search('x'), 1, { scope: '' })).toBeUndefined();
  positions.reached(positions.search('x'), 1, { scope: '' }, here);
  expect(beginning(positions.search('x'), 1, { scope: '', only })).toBeUndefined();
});

it.each([
  ['a row to be undone in the scope', '', change([{ undo: 'pending' }])],
  ['a row to be undone in an inner scope', '/a', change([{ scope: '/a/b', undo: 'pending' }])],
  ['a mark that a row is to be undone', '', change([], { 3: 'pending' })],
  ['failed compensations that are due again', '', change([], {}, [1])],
])('begins at the front after %s', (_what, scope, each) => {
  expect(after(scope, each)).toBeUndefined();
});

it.each([
  ['ended compensations', '', change([], { 3: 'done', 4: 'failed' })],
  ['a row without a compensation', '', change([{}])],
  ['a row of another round', '', change([{ round: 2, undo: 'pending' }])],
  ['a row of an outer scope', '/a', change([{ undo: 'pending' }])],
  ['a row of another scope', '/a', change([{ scope: '/ab', undo: 'pending' }])],
])('keeps its place after %s', (_what, scope, each) => {
  expect(after(scope, each)).toEqual(here);
});

it('does not note what a search found that began before a change', () => {
  const positions = new UndoPositions();
  const search = positions.search('x');
  positions.changed('x', change([{ undo: 'pending' }]));
  positions.reached(search, 1, { scope: '' }, here);
  expect(beginning(positions.search('x'), 1, { scope: '' })).toBeUndefined();
});

it('forgets an execution that is taken over', () => {
  const positions = new UndoPositions();
  const search = positions.search('x');
  positions.reached(search, 1, { scope: '' }, here);
  positions.forget('x');
  positions.reached(search, 1, { scope: '' }, here);
  expect(beginning(positions.search('x'), 1, { scope: '' })).toBeUndefined();
});

it('remembers a bounded number of executions and scopes', () => {
  const positions = new UndoPositions();
  for (let i = 0; i < 2500; i++) positions.reached(positions.search(`${i}`), 1, { scope: '' }, here);
  expect(beginning(positions.search('2499'), 1, { scope: '' })).toEqual(here);
  expect(beginning(positions.search('0'), 1, { scope: '' })).toBeUndefined();
  const search = positions.search('many');
  for (let i = 0; i < 500; i++) positions.reached(search, 1, { scope: `/${i}` }, here);
  expect(search.places.size).toBeLessThanOrEqual(50);
});
