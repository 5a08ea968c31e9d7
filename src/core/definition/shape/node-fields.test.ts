import { describe, expect, it } from 'vitest';
import type { Json } from '../../value/json.ts';
import { compileDefinition } from '../compile.ts';

function problemsOf(path: string, condition: Json = { var: path }): readonly string[] {
  const compiled = compileDefinition(
    {
      name: 'n',
      version: '1',
      entrypoint: 'nap',
      nodes: [
        { kind: 'sleep', id: 'nap', durationMillis: 1, next: 'both' },
        { kind: 'split', id: 'both', branches: ['left', 'right'], join: 'end' },
        { kind: 'task', id: 'left', action: { mode: 'sync', request: { url: 'http://h/', verb: 'GET' } }, next: 'end' },
        {
          kind: 'task',
          id: 'right',
          action: {
            mode: 'async',
            request: { url: 'http://h/', verb: 'GET' },
            callback: { timeoutMillis: 1 },
          },
          next: 'end',
        },
        { kind: 'join', id: 'end', next: 'choose' },
        { kind: 'switch', id: 'choose', cases: [{ when: condition, target: 'last' }], default: 'last' },
        {
          kind: 'task',
          id: 'last',
          action: { mode: 'sync', request: { url: `http://h/?{{${path}}}`, verb: 'GET' } },
        },
      ],
    },
    { hash: '' },
  );
  return compiled.ok ? compiled.warnings : compiled.errors;
}

const places = ['nodes[5].cases[0].when', 'nodes[6].action.request.url'];

describe('fields of nodes', () => {
  it.each([
    'nodes.nap.visit',
    'nodes.both.visit',
    'nodes.choose.visit',
    'nodes.end.visit',
    'nodes.end.response.body.allSucceeded',
    'step.end.body',
    'nodes.right.accepted.status',
    'nodes.right.callback.body',
    'nodes.left.idempotencyKey',
    'nodes.left.failure.reason',
  ])('%s can be read', (path) => {
    expect(problemsOf(path)).toEqual([]);
  });

  it.each([
    ['nodes.nap.response.body', '"nap" is a sleep, which answers nothing; its visit is all that can be read.'],
    ['nodes.choose.idempotencyKey', '"choose" is a switch, which answers nothing; its visit is all that can be read.'],
    ['nodes.both.failure.reason', '"both" is a split, which answers nothing; its visit is all that can be read.'],
    ['step.nap.body', '"nap" is a sleep, which answers nothing; its visit is all that can be read.'],
    ['step["choose"].index', '"choose" is a switch, which answers nothing; its visit is all that can be read.'],
    ['nodes.end.idempotencyKey', '"end" is a join, which has only response and visit.'],
    ['nodes.end.callback.body', '"end" is a join, which has only response and visit.'],
  ])('%s is refused', (path, why) => {
    const read = JSON.stringify(path);
    expect(problemsOf(path)).toEqual(
      places
        .toReversed()
        .map((place) => `${place}: ${read} is never there: ${why}`)
        .toSorted(),
    );
  });

  it.each(['nodes.left.accepted.body', 'nodes.left.callback.body'])('%s is a warning', (path) => {
    expect(problemsOf(path)).toEqual(
      places.map((place) => `${place}: "${path}" is always missing: "left" is not asynchronous.`),
    );
  });

  it('asks for the visits that are read, of all where a path is only known when it is evaluated', () => {
    const visitsRead = (path: string, condition?: Json): readonly string[] => {
      const compiled = compileDefinition(
        {
          name: 'n',
          version: '1',
          entrypoint: 'a',
          nodes: [
            { kind: 'sleep', id: 'a', durationMillis: 1, next: 'b' },
            { kind: 'switch', id: 'b', cases: [{ when: condition ?? true, target: 'c' }], default: 'c' },
            { kind: 'fail', id: 'c', reason: `{{${path}}}` },
          ],
        },
        { hash: '' },
      );
      return compiled.ok ? [...compiled.plan.visitsRead] : compiled.errors;
    };
    expect(visitsRead('sagaId')).toEqual([]);
    expect(visitsRead('nodes.a.visit')).toEqual(['a']);
    expect(visitsRead('sagaId', { var: 'nodes.b' })).toEqual(['b']);
    expect(visitsRead('sagaId', { var: { cat: ['nodes.', 'a.visit'] } })).toEqual(['a', 'b', 'c']);
  });
});
