import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../core/definition/compile.ts';
import type { Plan } from '../core/plan.ts';
import { type Json, type JsonObject, parseJson } from '../core/value/json.ts';
import { readScenario } from './document/read.ts';
import { simulate, type SimulationResult } from './simulate.ts';

const url = 'http://a.example';

/** A call whose path tells the item, with a compensation that does, too. */
function task(id: string, more: JsonObject = {}, path = `${id}/{{item}}`): JsonObject {
  const request = { url: `${url}/${path}`, verb: 'POST' };
  return {
    kind: 'task',
    id,
    action: { mode: 'sync', request },
    compensation: { url: `${url}/${path}`, verb: 'DELETE' },
    ...more,
  };
}

const open = task('open', { next: 'each' }, 'open');
const loop = (more: JsonObject = {}): JsonObject => ({
  kind: 'forEach',
  id: 'each',
  items: '{{payload.items}}',
  entry: 'charge',
  next: 'done',
  ...more,
});
const done: JsonObject = {
  kind: 'task',
  id: 'done',
  action: { mode: 'sync', request: { url: `${url}/done`, verb: 'PUT', body: '{{nodes.each.response.body}}' } },
  uncompensated: true,
};

function compile(nodes: readonly JsonObject[], more: JsonObject = {}): ReturnType<typeof compileDefinition> {
  const policies = { failureHandling: none, compensationHandling: none };
  return compileDefinition(
    { name: 'd', version: '1', entrypoint: nodes[0]?.['id'] ?? '', ...policies, nodes, ...more },
    { hash: '' },
  );
}

const none = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

function planOf(nodes: readonly JsonObject[], more: JsonObject = {}): Plan {
  const compiled = compile(nodes, more);
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function play(plan: Plan, items: Json, nodes: JsonObject = {}): SimulationResult {
  const read = readScenario({ payload: { items }, nodes }, plan);
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return simulate(plan, read.scenario);
}

/** Method and path of every call, in order. */
function requests(result: SimulationResult): readonly string[] {
  return result.trace.flatMap((entry) =>
    entry.kind === 'call' && entry.request !== undefined
      ? [`${entry.request.verb} ${entry.request.url.slice(url.length + 1)}`]
      : [],
  );
}

/** What the node after the loop was sent. */
function summary(result: SimulationResult): Json {
  const call = result.trace.findLast((entry) => entry.kind === 'call' && entry.nodeId === 'done');
  return parseJson(call?.kind === 'call' ? (call.request?.body ?? 'null') : 'null');
}

describe('a forEach', () => {
  it('visits its body for each item, one after the other', () => {
    const plan = planOf([open, loop(), task('charge', { next: 'ship' }), task('ship'), done]);
    const result = play(plan, ['a', 'b']);
    expect(requests(result)).toEqual([
      'POST open',
      'POST charge/a',
      'POST ship/a',
      'POST charge/b',
      'POST ship/b',
      'PUT done',
    ]);
    expect(summary(result)).toEqual({
      allSucceeded: true,
      count: 2,
      failed: 0,
      failures: [],
      items: [
        { status: 'SUCCEEDED', result: {} },
        { status: 'SUCCEEDED', result: {} },
      ],
    });
  });

  it('runs as many items at the same time as it may', () => {
    const plan = planOf([open, loop({ maxConcurrency: 2 }), task('charge', { next: 'ship' }), task('ship'), done]);
    const slow = { charge: [{ afterMillis: 50 }, {}, {}, {}] };
    expect(requests(play(plan, ['a', 'b', 'c', 'd'], slow)).slice(1, -1)).toEqual([
      'POST charge/b',
      'POST ship/b',
      'POST charge/c',
      'POST ship/c',
      'POST charge/d',
      'POST ship/d',
      'POST charge/a',
      'POST ship/a',
    ]);
  });

  it.each<[string, Json]>([
    ['null', null],
    ['an empty list', []],
  ])('has no items in %s', (_name, items) => {
    const result = play(planOf([open, loop(), task('charge'), done]), items);
    expect(result.status).toBe('SUCCEEDED');
    expect(summary(result)).toEqual({ allSucceeded: true, count: 0, failed: 0, failures: [], items: [] });
  });

  it.each<[string, Json, string]>([
    ['a missing path', '{{payload.itmes}}', 'The items of each could not be evaluated: "payload.itmes" is missing.'],
    ['an object', { $literal: { a: 1 } }, 'The items of each are no list, but an object.'],
    ['a text', 'x{{payload.items}}', 'The items of each are no list, but a text.'],
    ['a number', { $literal: 7 }, 'The items of each are no list, but a number.'],
    ['too many', { $logic: { range: [0, 100_001] } }, 'The loop each has 100001 items; it can have at most 100000.'],
  ])('fails over %s, before any item', (_name, items, sentence) => {
    const result = play(planOf([open, loop({ items }), task('charge'), done]), ['a']);
    expect(result).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(result.trace.find((entry) => entry.kind === 'step' && entry.phase === 'FOREACH')).toMatchObject({
      outcome: 'unsent',
      note: sentence,
    });
    expect(requests(result)).toEqual(['POST open', 'DELETE open']);
  });

  it('is undone in reverse order over all items when an item fails', () => {
    const plan = planOf([open, loop(), task('charge', { next: 'ship' }), task('ship'), done]);
    const result = play(plan, ['a', 'b', 'c'], { ship: [{}, { status: 409 }] });
    expect(result).toMatchObject({ status: 'FAILED', failedNodeId: 'ship' });
    expect(requests(result).slice(1)).toEqual([
      'POST charge/a',
      'POST ship/a',
      'POST charge/b',
      'POST ship/b',
      'DELETE charge/b',
      'DELETE ship/a',
      'DELETE charge/a',
      'DELETE open',
    ]);
  });

  it('undoes a failed item alone and goes on where it continues', () => {
    const plan = planOf([
      open,
      loop({ onItemFailure: 'continue' }),
      task('charge', { next: 'ship' }),
      task('ship'),
      done,
    ]);
    const result = play(plan, ['a', 'b', 'c'], { ship: [{}, { status: 409 }, {}] });
    expect(requests(result).slice(1)).toEqual([
      'POST charge/a',
      'POST ship/a',
      'POST charge/b',
      'POST ship/b',
      'DELETE charge/b',
      'POST charge/c',
      'POST ship/c',
      'PUT done',
    ]);
    const failure = { nodeId: 'ship', outcome: 'rejected', reason: 'status_4xx', statusCode: 409 };
    expect(summary(result)).toEqual({
      allSucceeded: false,
      count: 3,
      failed: 1,
      failures: [{ index: 1, status: 'FAILED', nodeId: 'ship', reason: 'status_4xx', statusCode: 409 }],
      items: [
        { status: 'SUCCEEDED', result: {} },
        { status: 'FAILED', result: null, failure },
        { status: 'SUCCEEDED', result: {} },
      ],
    });
  });

  it('ends CORRUPTED over an item that cannot be undone, after the others have gone on', () => {
    const plan = planOf([
      open,
      loop({ onItemFailure: 'continue' }),
      task('charge', { next: 'ship' }),
      task('ship'),
      done,
    ]);
    const result = play(plan, ['a', 'b'], { ship: [{ status: 409 }, {}], 'charge:DOWN': [{ status: 500 }] });
    expect(result.status).toBe('CORRUPTED');
    expect(summary(result)).toMatchObject({ failed: 1, failures: [{ index: 0, status: 'CORRUPTED' }] });
  });

  it('compensates its items before it follows its onFailure route', () => {
    const plan = planOf([
      open,
      loop({ onFailure: 'apologise' }),
      task('charge', { next: 'ship' }),
      task('ship'),
      done,
      task('apologise', {}, 'apologise'),
    ]);
    const result = play(plan, ['a', 'b'], { ship: [{}, { status: 409 }] });
    expect(result.status).toBe('SUCCEEDED');
    expect(requests(result).slice(-4)).toEqual([
      'DELETE charge/b',
      'DELETE ship/a',
      'DELETE charge/a',
      'POST apologise',
    ]);
  });

  it('ends an item of the loop around it where its onFailure names that loop', () => {
    const outer = loop({ entry: 'inner' });
    const inner = loop({ id: 'inner', items: ['x'], next: 'each', onFailure: 'each' });
    const result = play(planOf([open, outer, inner, task('charge', {}, 'charge/{{parent.item}}'), done]), ['a', 'b'], {
      charge: [{ status: 409 }, {}],
    });
    expect(requests(result)).toEqual(['POST open', 'POST charge/a', 'POST charge/b', 'PUT done']);
    expect(summary(result)).toMatchObject({ count: 2, failed: 0 });
  });

  it('collects what it is told to, and nothing with false', () => {
    const collect = { id: '{{item}}', at: '{{index}}', of: { $logic: { '+': [{ var: 'index' }, 0.1] } } };
    const plan = (given: Json): Plan => planOf([open, loop({ collect: given }), task('charge'), done]);
    expect(summary(play(plan(collect), ['a', 'b']))).toMatchObject({
      items: [{ result: { id: 'a', at: 0, of: 0.1 } }, { result: { id: 'b', at: 1, of: 1.1 } }],
    });
    expect(summary(play(plan(false), ['a']))).toMatchObject({ items: [{ status: 'SUCCEEDED' }] });
  });

  it('leaves results out that are too large together, unless it was told to collect them', () => {
    const items = Array.from({ length: 30 }, (_, i) => i);
    const body = { text: 'x'.repeat(50_000) };
    const answers = { charge: [{ body }] };
    const plain = play(planOf([open, loop(), task('charge'), done]), items, answers);
    expect(summary(plain)).toEqual({ allSucceeded: true, count: 30, failed: 0, failures: [] });

    const told = loop({ collect: '{{nodes.charge.response.body}}' });
    const result = play(planOf([open, told, task('charge'), done]), items, answers);
    expect(result).toMatchObject({ status: 'FAILED', reason: 'unsent', failedNodeId: 'each' });
    expect(result.trace.at(-1)).toMatchObject({
      note: 'The result of an item of each (collect) passes 1 MiB with the results of the items before it.',
    });
    // No item began after the one with which it was too much.
    expect(requests(result).filter((line) => line.startsWith('POST charge')).length).toBe(21);
  });

  it('shows items of loops around it as parent', () => {
    const inner = {
      kind: 'forEach',
      id: 'lines',
      items: '{{item.lines}}',
      entry: 'charge',
      collect: { $logic: { cat: [{ var: 'parent.item.id' }, '-', { var: 'item' }, '-', { var: 'parent.index' }] } },
    };
    const outer = loop({ id: 'each', entry: 'lines', maxConcurrency: 2 });
    const plan = planOf([open, outer, inner, task('charge', {}, 'charge/{{parent.item.id}}/{{item}}'), done]);
    const items = [
      { id: 'o1', lines: ['x', 'y'] },
      { id: 'o2', lines: ['z'] },
    ];
    const result = play(plan, items);
    expect(
      requests(result)
        .filter((line) => line.startsWith('POST charge'))
        .sort(),
    ).toEqual(['POST charge/o1/x', 'POST charge/o1/y', 'POST charge/o2/z']);
    expect(summary(result)).toMatchObject({
      items: [
        { result: { items: [{ result: 'o1-x-0' }, { result: 'o1-y-0' }] } },
        { result: { items: [{ result: 'o2-z-1' }] } },
      ],
    });
  });

  it('shows the nodes of its body as those of the same item', () => {
    const check = {
      kind: 'switch',
      id: 'check',
      cases: [{ when: { '==': [{ var: 'item' }, 'a'] }, target: 'charge' }],
      default: 'ship',
    };
    const ship = task('ship', {}, 'ship/{{item}}?of={{nodes.charge.visit}}');
    const plan = planOf([open, loop({ entry: 'check' }), check, task('charge', { next: 'ship' }), ship, done]);
    // The second item never visited `charge`.
    expect(requests(play(plan, ['a', 'b'])).slice(1, -1)).toEqual([
      'POST charge/a',
      'POST ship/a?of=1',
      'POST ship/b?of=',
    ]);
  });

  it('counts the visits of each item by itself against endless loops', () => {
    const plan = planOf([open, loop(), task('charge', { next: 'ship' }), task('ship'), done], { maxNodeVisits: 5 });
    expect(play(plan, ['a', 'b', 'c', 'd', 'e', 'f']).status).toBe('SUCCEEDED');
    const endless = planOf([open, loop(), task('charge', { next: 'charge' }), done], { maxNodeVisits: 5 });
    const result = play(endless, ['a']);
    expect(result).toMatchObject({ status: 'FAILED', reason: 'visits' });
    expect(requests(result).filter((line) => line.startsWith('POST charge')).length).toBe(5);
  });

  it('gives each of a thousand items to its body once', () => {
    const items = { $logic: { range: [0, 1_000] } };
    const plan = planOf([open, loop({ items, maxConcurrency: 256 }), task('charge'), done]);
    const result = play(plan, null);
    expect(result.status).toBe('SUCCEEDED');
    expect(new Set(requests(result)).size).toBe(1_002);
  });
});

describe('the check of a forEach', () => {
  it.each<[string, readonly JsonObject[], string]>([
    ['a body that leaves it', [open, loop(), task('charge', { next: 'done' }), done], 'lies outside of the body'],
    ['its own body', [open, loop({ entry: 'each' }), done], 'cannot be its own body'],
    [
      'a node of a body that is named from outside',
      [
        open,
        loop(),
        task('charge'),
        { ...done, action: { mode: 'sync', request: { url, verb: 'PUT', body: '{{nodes.charge.response.body}}' } } },
      ],
      'read the items of nodes.each.response.body instead',
    ],
    [
      'an item outside of every loop',
      [{ ...open, compensation: { url: `${url}/{{item}}`, verb: 'DELETE' } }, loop(), task('charge'), done],
      'within a forEach only',
    ],
    [
      'more parents than there are',
      [open, loop(), task('charge', { compensation: { url: `${url}/{{parent.item}}`, verb: 'DELETE' } }), done],
      'leaves the one forEach around it',
    ],
    [
      'a secret in its items',
      [open, loop({ items: '{{secrets.KEY}}' }), task('charge'), done],
      'can be read in calls only',
    ],
  ])('refuses %s', (_name, nodes, part) => {
    const compiled = compile(nodes);
    expect(compiled.ok ? [] : compiled.errors).toEqual([expect.stringContaining(part)]);
  });
});

describe('a retry of a run with a forEach', () => {
  /** The keys of the calls of a node, by what they were for. */
  function keys(result: SimulationResult, id: string): ReadonlyMap<string, readonly (string | undefined)[]> {
    const calls = result.trace.flatMap((entry) =>
      entry.kind === 'call' && entry.nodeId === id && entry.phase === 'UP' ? [entry] : [],
    );
    const groups = Map.groupBy(calls, ({ request }) => request?.url ?? '');
    return new Map([...groups].map(([path, of]) => [path.slice(url.length), of.map((call) => call.idempotencyKey)]));
  }

  const standing = { uncompensated: true, compensation: null };

  it('sends what stands under its earlier key, in whatever order items come', () => {
    const nodes = [
      open,
      loop({ maxConcurrency: 3 }),
      task('charge', { ...standing, next: 'ship' }),
      task('ship', standing),
      done,
    ];
    const read = readScenario(
      {
        payload: { items: ['a', 'b', 'c'] },
        // In the first round `a` is the last to be charged; in the second it is the first.
        nodes: { charge: [{ afterMillis: 30 }, {}, {}, {}], ship: [{}, { afterMillis: 40, status: 409 }, {}] },
        actions: [{ do: 'retry', atMillis: 1_000 }],
      },
      planOf(nodes),
    );
    if (!read.ok) throw new Error(read.errors.join('\n'));
    const result = simulate(planOf(nodes), read.scenario);
    expect(result.status).toBe('SUCCEEDED');
    const charged = keys(result, 'charge');
    expect(new Set(charged.keys())).toEqual(new Set(['/charge/a', '/charge/b', '/charge/c']));
    for (const [first, second] of charged.values()) expect(second).toBe(first);
  });

  it('takes each effect over once where items ask for the same', () => {
    const nodes = [open, loop(), task('charge', { ...standing, next: 'ship' }, 'charge'), task('ship', standing), done];
    const read = readScenario(
      {
        payload: { items: ['a', 'b'] },
        nodes: { ship: [{}, { status: 409 }, {}] },
        actions: [{ do: 'retry', atMillis: 1_000 }],
      },
      planOf(nodes),
    );
    if (!read.ok) throw new Error(read.errors.join('\n'));
    const [all = []] = keys(simulate(planOf(nodes), read.scenario), 'charge').values();
    expect(all.length).toBe(4);
    expect(all.slice(2)).toEqual(all.slice(0, 2));
    expect(new Set(all).size).toBe(2);
  });
});
