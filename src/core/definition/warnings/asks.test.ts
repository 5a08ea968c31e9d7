import { expect, it } from 'vitest';
import type { JsonObject } from '../../value/json.ts';
import type { Plan } from '../../plan.ts';
import { compileDefinition } from '../compile.ts';

const call = (body: string, changes: JsonObject = {}): JsonObject => ({
  kind: 'task',
  action: { mode: 'sync', request: { url: 'http://x/', verb: 'POST', body } },
  ...changes,
});

function planOf(nodes: Readonly<Record<string, JsonObject>>, changes: JsonObject = {}): Plan {
  const list = Object.entries(nodes).map(([id, node]) => ({ id, ...node }));
  const definition = { name: 'n', version: '1', entrypoint: list[0]?.id ?? '', nodes: list, ...changes };
  const compiled = compileDefinition(definition, { hash: 'h' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

/** The nodes whose outputs can be read from each node on. */
function askedFrom(plan: Plan): Record<string, string> {
  const named = (bits: bigint): string =>
    [...plan.nodes.values()].flatMap(({ id, index }) => ((bits >> BigInt(index)) & 1n ? [id] : [])).join(' ');
  return {
    ...Object.fromEntries(Array.from(plan.askedFrom, ([id, bits]) => [id, named(bits)])),
    end: named(plan.askedAtEnd),
  };
}

it('asks for less and less along a way', () => {
  const plan = planOf({
    a: call('', { next: 'b' }),
    b: call('{{nodes.a.response.body}}', { next: 'c' }),
    c: call('{{prev.body}}', { next: 'd' }),
    d: call('{{nodes.b.response.body}}', {
      compensation: { url: 'http://x/', verb: 'POST', body: '{{nodes.c.response.body}}' },
    }),
  });
  // Reads of compensations are loaded from the history.
  expect(askedFrom(plan)).toEqual({ a: 'a b', b: 'a b', c: 'b', d: 'b', end: '' });
  expect(plan.sought).toEqual(new Set(['a', 'b', 'c']));
});

it('asks again within a loop, and no more after it', () => {
  const plan = planOf({
    first: call('', { next: 'again' }),
    again: call('{{nodes.first.response.body}}', { next: 'more' }),
    more: {
      kind: 'switch',
      cases: [{ when: { '<': [{ var: 'nodes.again.visit' }, 3] }, target: 'again' }],
      default: 'last',
    },
    last: call('{{payload.x}}'),
  });
  expect(askedFrom(plan)).toEqual({
    first: 'first again',
    again: 'first again',
    more: 'first again',
    last: '',
    end: '',
  });
});

it('follows branches, joins, routes of failure and hooks', () => {
  const plan = planOf(
    {
      a: call('', { next: 's' }),
      s: { kind: 'split', branches: ['x', 'y'], join: 'j' },
      x: call('{{nodes.a.response.body}}', { next: 'j' }),
      y: call('', { next: 'j' }),
      j: { kind: 'join', next: 'risky' },
      risky: call('', { onFailure: 'rescue' }),
      rescue: call('{{nodes.y.response.body}}'),
    },
    { onFailureCallback: { url: 'http://x/', verb: 'POST', body: '{{nodes.x.response.body}}' } },
  );
  expect(askedFrom(plan)).toEqual({
    a: 'a y',
    s: 'a y',
    x: 'a y',
    y: 'y',
    j: 'y',
    risky: 'y',
    rescue: 'y',
    end: 'x',
  });
});

it('seeks async tasks by their ids, and others only where something reads them so', () => {
  const plan = planOf(
    {
      a: call('', { next: 'b' }),
      b: {
        kind: 'task',
        action: { mode: 'async', request: { url: 'http://x/', verb: 'POST' }, callback: { timeoutMillis: 1000 } },
        next: 'c',
      },
      c: call('{{prev.body}}', { next: 'd' }),
      d: call(''),
    },
    { onFailureCallback: { url: 'http://x/', verb: 'POST', body: '{{nodes.d.response.body}}' } },
  );
  expect(plan.sought).toEqual(new Set(['b', 'd']));
});

it('asks for everything where only the rendering can tell', () => {
  const plan = planOf({
    a: call('', { next: 'b' }),
    b: call('{{#steps}}{{name}}{{/steps}}', { next: 'c' }),
    c: call(''),
  });
  expect(askedFrom(plan)).toEqual({ a: 'a b c', b: 'a b c', c: '', end: '' });
  expect(plan.sought).toEqual(new Set(['a', 'b', 'c']));
});

it('is worked out in a moment for a large definition with loops', () => {
  const length = 500;
  const nodes = Object.fromEntries(
    Array.from({ length }, (_, i): [string, JsonObject] => [
      `n${String(i)}`,
      i % 2 === 0
        ? call(`{{nodes.n${String((i * 7) % length)}.response.body}}`, { next: `n${String(i + 1)}` })
        : {
            kind: 'switch',
            cases: [{ when: { '==': [{ var: 'payload.x' }, 1] }, target: `n${String(Math.floor(i / 2))}` }],
            default: i === length - 1 ? 'n0' : `n${String(i + 1)}`,
          },
    ]),
  );
  const plan = planOf(nodes);
  expect(new Set(plan.askedFrom.values()).size).toBe(1);
});
