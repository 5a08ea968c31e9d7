import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../core/definition/compile.ts';
import type { Plan } from '../core/plan.ts';
import { type Json, type JsonObject, parseJson } from '../core/value/json.ts';
import { readScenario } from './document/read.ts';
import { simulate, type SimulationResult } from './simulate.ts';

const url = 'http://a.example';
const none = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

function task(id: string, more: JsonObject = {}): JsonObject {
  const request = { url: `${url}/${id}`, verb: 'POST' };
  return {
    kind: 'task',
    id,
    action: { mode: 'sync', request },
    compensation: { url: `${url}/${id}`, verb: 'DELETE' },
    ...more,
  };
}

const race = (join: JsonObject = {}, branches: readonly string[] = ['a', 'b']): readonly JsonObject[] => [
  { kind: 'split', id: 'race', branches, join: 'won' },
  { kind: 'join', id: 'won', mode: 'first', next: 'done', ...join },
];

const done: JsonObject = {
  kind: 'task',
  id: 'done',
  action: {
    mode: 'sync',
    request: {
      url: `${url}/done`,
      verb: 'PUT',
      body: { join: '{{nodes.won.response.body}}', a: '{{nodes.a.response.status}}', b: '{{nodes.b.response.status}}' },
    },
  },
  uncompensated: true,
};

function planOf(nodes: readonly JsonObject[], more: JsonObject = {}): Plan {
  const policies = { failureHandling: none, compensationHandling: none };
  const document = { name: 'd', version: '1', entrypoint: nodes[0]?.['id'] ?? '', ...policies, nodes, ...more };
  const compiled = compileDefinition(document, { hash: '' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function play(plan: Plan, nodes: JsonObject = {}, more: JsonObject = {}): SimulationResult {
  const read = readScenario({ nodes, ...more }, plan);
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return simulate(plan, read.scenario);
}

/** What the last call of the node after the join was sent. */
function told(result: SimulationResult): Json {
  const call = result.trace.findLast((entry) => entry.kind === 'call' && entry.nodeId === 'done');
  return parseJson(call?.kind === 'call' ? (call.request?.body ?? 'null') : 'null');
}

describe('a join that takes the first', () => {
  it('goes on with the first branch that succeeds, and undoes what the others did', () => {
    const plan = planOf([
      ...race(),
      task('a', { next: 'a2' }),
      task('a2'),
      task('b', { next: 'b2' }),
      task('b2'),
      done,
    ]);
    const result = play(plan, {
      a: [{ afterMillis: 10 }],
      a2: [{ afterMillis: 10 }],
      b: [{ afterMillis: 15 }],
      b2: [{ afterMillis: 50 }],
    });
    expect(result.calls).toEqual(['a:UP', 'b:UP', 'a2:UP', 'b2:UP', 'b2:DOWN', 'b:DOWN', 'done:UP']);
    expect(result).toMatchObject({ status: 'SUCCEEDED', standing: [] });
    expect(told(result)).toEqual({
      join: {
        allSucceeded: true,
        winner: 'a',
        branches: { a: { status: 'SUCCEEDED', result: {} }, b: { status: 'CANCELLED', result: null } },
      },
      a: 200,
      b: null,
    });
  });

  it('makes no further call in the others, and drops what waits there', () => {
    const ask: JsonObject = {
      ...task('b'),
      action: {
        mode: 'async',
        request: { url: `${url}/b`, verb: 'POST', body: '{{runtime.callback.signedUrl}}' },
        callback: { timeoutMillis: 60_000 },
      },
    };
    const plan = planOf([
      ...race(),
      { kind: 'sleep', id: 'a', durationMillis: 1_000 },
      ask,
      { ...done, action: { mode: 'sync', request: { url, verb: 'PUT' } } },
    ]);
    const result = play(plan, { b: [{ status: 202, callback: { afterMillis: 5_000 } }] });
    // What became of the request is unknown, so it is undone.
    expect(result.calls).toEqual(['b:UP', 'b:DOWN', 'done:UP']);
    expect(result).toMatchObject({ status: 'SUCCEEDED', durationMillis: 1_000 });
  });

  it('lets a branch with nothing to call win before any call of the others goes out', () => {
    const plan = planOf([...race({}, ['b', 'a']), { kind: 'set', id: 'a', body: 1 }, task('b'), done]);
    expect(play(plan).calls).toEqual(['done:UP']);
  });

  it('undoes a failed branch at once, and goes on with another', () => {
    const plan = planOf([...race(), task('a', { next: 'a2' }), task('a2'), task('b'), done]);
    const result = play(plan, { a2: [{ status: 409 }], b: [{ afterMillis: 100 }] });
    expect(result.calls).toEqual(['a:UP', 'b:UP', 'a2:UP', 'a:DOWN', 'done:UP']);
    expect(told(result)).toMatchObject({
      join: { winner: 'b', branches: { a: { status: 'FAILED' } } },
      a: null,
      b: 200,
    });
  });

  it('fails as the last branch did if all fail, or goes on where it is told to', () => {
    const nodes = [task('a'), task('b'), done];
    const answers = { a: [{ status: 409 }], b: [{ status: 422, afterMillis: 5 }] };
    expect(play(planOf([...race(), ...nodes]), answers)).toMatchObject({
      status: 'FAILED',
      failedNodeId: 'b',
      reason: 'status_4xx',
      calls: ['a:UP', 'b:UP'],
    });
    const result = play(planOf([...race({ onBranchFailure: 'continue' }), ...nodes]), answers);
    expect(told(result)).toMatchObject({ join: { allSucceeded: false, winner: null } });
  });

  it('goes on past a loser that cannot be undone, and ends CORRUPTED', () => {
    const plan = planOf([...race(), task('a'), task('b', { next: 'b2' }), task('b2'), done]);
    const result = play(plan, { a: [{ afterMillis: 10 }], b2: [{ afterMillis: 20 }], 'b:DOWN': [{ status: 500 }] });
    expect(result.status).toBe('CORRUPTED');
    expect(told(result)).toMatchObject({
      join: { winner: 'a', branches: { b: { status: 'CORRUPTED', result: null } } },
    });
  });

  it('ends with the run on a cancel', () => {
    const plan = planOf([...race(), task('a'), task('b'), done]);
    const slow = { a: [{ afterMillis: 100 }], b: [{ afterMillis: 100 }] };
    const result = play(plan, slow, { actions: [{ do: 'cancel', atMillis: 10 }] });
    expect(result.status).toBe('CANCELLED');
    expect(result.calls.toSorted()).toEqual(['a:DOWN', 'a:UP', 'b:DOWN', 'b:UP']);
  });

  it('shows the winner of each pass through a loop', () => {
    const again = {
      kind: 'switch',
      id: 'again',
      cases: [{ when: { '<': [{ var: 'nodes.race.visit' }, 2] }, target: 'race' }],
      default: 'done',
    };
    const plan = planOf([...race({ next: 'again' }), again, task('a'), task('b'), done]);
    const result = play(plan, { a: [{}, { afterMillis: 50 }], b: [{ afterMillis: 50 }, {}] });
    expect(told(result)).toMatchObject({ join: { winner: 'b' }, a: null, b: 200 });
  });

  it('races within the items of a loop', () => {
    const each = {
      kind: 'forEach',
      id: 'each',
      items: [1, 2],
      entry: 'race',
      collect: '{{nodes.won.response.body.winner}}',
    };
    const plan = planOf([each, ...race({ next: null }), task('a'), task('b')]);
    const result = play(plan, { a: [{}, { afterMillis: 50 }], b: [{ afterMillis: 50 }, {}] });
    expect(result.result).toMatchObject({ items: [{ result: 'a' }, { result: 'b' }] });
  });
});
