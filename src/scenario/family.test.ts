import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../core/definition/compile.ts';
import type { Plan } from '../core/plan.ts';
import type { JsonObject } from '../core/value/json.ts';
import { readScenario } from './document/read.ts';
import { simulate, type SimulationResult } from './simulate.ts';

const url = 'http://a.example';
const none = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

function task(id: string, more: JsonObject = {}): JsonObject {
  const request = { url: `${url}/${id}`, verb: 'POST' };
  const compensation = { url: `${url}/${id}`, verb: 'DELETE' };
  return { kind: 'task', id, action: { mode: 'sync', request }, compensation, ...more };
}

const start = (id: string, name: string, more: JsonObject = {}): JsonObject => ({
  kind: 'workflow',
  id,
  definition: { name, version: 'latest' },
  ...more,
});

const fail: JsonObject = { kind: 'fail', id: 'no', reason: 'No.' };

function planOf(name: string, nodes: readonly JsonObject[], more: JsonObject = {}): Plan {
  const policies = { failureHandling: none, compensationHandling: none };
  const entrypoint = nodes[0]?.['id'] ?? '';
  const compiled = compileDefinition(
    { name, version: '1', entrypoint, ...policies, nodes, ...more },
    { hash: `hash of ${name}` },
  );
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function errorsOf(plan: Plan, others: readonly Plan[], scenario: JsonObject): readonly string[] {
  const read = readScenario(scenario, plan, { with: others });
  return read.ok ? [] : read.errors;
}

function play(plan: Plan, others: readonly Plan[], scenario: JsonObject = {}): SimulationResult {
  const read = readScenario(scenario, plan, { with: others });
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return simulate(plan, read.scenario, { with: others });
}

const inner = planOf('inner', [task('reserve', { next: 'pack' }), task('pack')]);
const outer = planOf('outer', [
  task('open', { next: 'ship' }),
  start('ship', 'inner', { next: 'close' }),
  task('close'),
]);

describe('a scenario with children', () => {
  it('answers their nodes by their paths, and has their calls and the result', () => {
    const result = play(outer, [inner], { nodes: { 'ship/pack': { body: { parcel: 7 } } } });
    expect(result.calls).toEqual(['open:UP', 'ship/reserve:UP', 'ship/pack:UP', 'close:UP']);
    expect(result.status).toBe('SUCCEEDED');
    const ends = result.trace.filter(({ kind }) => kind === 'end');
    expect(ends).toMatchObject([{ run: 'ship', status: 'SUCCEEDED' }, { status: 'SUCCEEDED' }]);
  });

  it('undoes what a child did before it failed, and takes back one that had succeeded', () => {
    const failed = play(outer, [inner], { nodes: { 'ship/pack': { status: 400 } } });
    expect(failed.calls.slice(3)).toEqual(['ship/reserve:DOWN', 'open:DOWN']);
    expect(failed).toMatchObject({ status: 'FAILED', reason: 'child', failedNodeId: 'ship', standing: [] });
    const taken = play(outer, [inner], { nodes: { close: { status: 400 } } });
    expect(taken.calls.slice(4)).toEqual(['ship/pack:DOWN', 'ship/reserve:DOWN', 'open:DOWN']);
    expect(taken).toMatchObject({ status: 'FAILED', standing: [] });
  });

  it('lists a child that stands', () => {
    const { status, standing, calls } = play(outer, [inner], {
      nodes: { close: { status: 400 }, 'ship/reserve:DOWN': { status: 500 } },
    });
    expect(calls.at(-1)).toBe('open:DOWN');
    expect(status).toBe('CORRUPTED');
    expect(standing).toEqual([{ nodeId: 'ship', visit: 1, round: 1, outcome: 'succeeded' }]);
  });

  it('starts a child for each item, and tells them apart by their places', () => {
    const each = { kind: 'forEach', id: 'each', items: [0, 1, 2], entry: 'sub', onItemFailure: 'continue' };
    const root = planOf('root', [each, start('sub', 'inner')]);
    const { status, calls } = play(root, [inner], { nodes: { 'sub[1]/pack': { status: 400 } } });
    expect(status).toBe('SUCCEEDED');
    expect(calls).toEqual([
      'sub[0]/reserve:UP',
      'sub[0]/pack:UP',
      'sub[1]/reserve:UP',
      'sub[1]/pack:UP',
      'sub[1]/reserve:DOWN',
      'sub[2]/reserve:UP',
      'sub[2]/pack:UP',
    ]);
    const any = { calls: calls.map((name) => name.replace(/\[\d\]/, '')), status: 'SUCCEEDED' };
    expect(play(root, [inner], { nodes: { 'sub[1]/pack': { status: 400 } }, expect: any }).diffs).toEqual([]);
  });

  it('answers the attempts of one item by its place, and of all others in the order of the calls', () => {
    const each = { kind: 'forEach', id: 'each', items: [0, 1, 2], entry: 'charge', onItemFailure: 'continue' };
    const once = { failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 5 } };
    const root = planOf('root', [each, task('charge', once)]);
    const nodes = { charge: [{ status: 201 }, { status: 202 }], 'charge[1]': [{ status: 503 }, { status: 204 }] };
    const { trace } = play(root, [], { nodes });
    const seen = trace.flatMap((entry) => (entry.kind === 'call' ? [[entry.item, entry.statusCode]] : []));
    expect(seen).toEqual([
      [[0], 201],
      [[1], 503],
      [[1], 204],
      [[2], 202],
    ]);
  });

  it('nests: a node of an item of an item, and a child of a child', () => {
    const each = { kind: 'forEach', id: 'each', items: [[0], [0, 1]], entry: 'again', next: 'sub' };
    const again = { kind: 'forEach', id: 'again', items: '{{item}}', entry: 'charge' };
    const middle = planOf('middle', [each, again, task('charge'), start('sub', 'inner')]);
    const root = planOf('root', [start('top', 'middle')]);
    const { calls, status } = play(root, [inner, middle], { nodes: { 'top/charge[1,1]': { status: 200 } } });
    expect(status).toBe('SUCCEEDED');
    expect(calls).toEqual([
      'top/charge[0,0]:UP',
      'top/charge[1,0]:UP',
      'top/charge[1,1]:UP',
      'top/sub/reserve:UP',
      'top/sub/pack:UP',
    ]);
  });

  it('lets people act on a child', () => {
    const slow = planOf('slow', [
      task('reserve', { next: 'nap' }),
      { kind: 'sleep', id: 'nap', durationMillis: 9_000 },
    ]);
    const root = planOf('root', [start('ship', 'slow')]);
    const woken = play(root, [slow], { actions: [{ do: 'wake', at: 'ship', atMillis: 1_000 }] });
    expect(woken).toMatchObject({ status: 'SUCCEEDED', durationMillis: 1_000 });
    const cancelled = play(root, [slow], { actions: [{ do: 'cancel', at: 'ship', atMillis: 1_000, reason: 'Stop.' }] });
    expect(cancelled).toMatchObject({ status: 'FAILED', reason: 'child' });
    expect(cancelled.calls).toEqual(['ship/reserve:UP', 'ship/reserve:DOWN']);
    const early = play(root, [slow], { actions: [{ do: 'retry', at: 'ship', atMillis: 20_000 }] });
    expect(early.trace.at(-1)).toMatchObject({ kind: 'action', run: 'ship', accepted: false });
  });

  it('refuses to undo a child before its root is over', () => {
    const actions = [
      { do: 'undo', at: 'ship', atMillis: 10 },
      { do: 'undo', at: 'ship', atMillis: 200, reason: 'Alone.' },
      { do: 'undo', atMillis: 300 },
    ];
    const result = play(outer, [inner], { nodes: { close: { afterMillis: 100 } }, actions });
    const acted = result.trace.filter((entry) => entry.kind === 'action');
    expect(acted).toMatchObject([
      { run: 'ship', accepted: false },
      { run: 'ship', accepted: true },
      { accepted: true },
    ]);
    expect(acted[0]?.note).toContain('is not over');
    // The undo of the root finds the child undone.
    expect(result.calls.slice(4)).toEqual(['ship/pack:DOWN', 'ship/reserve:DOWN', 'close:DOWN', 'open:DOWN']);
    expect(result).toMatchObject({ status: 'CANCELLED', reason: 'undone' });
  });

  it('wakes one item alone', () => {
    const each = { kind: 'forEach', id: 'each', items: [1, 2], entry: 'nap', maxConcurrency: 2 };
    const root = planOf('root', [
      each,
      { kind: 'sleep', id: 'nap', durationMillis: 9_000, next: 'charge' },
      task('charge'),
    ]);
    const result = play(root, [], { actions: [{ do: 'wake', atMillis: 10, item: 1 }] });
    const calls = result.trace.filter((entry) => entry.kind === 'call');
    expect(calls).toMatchObject([
      { item: [1], sentAtMillis: 10 },
      { item: [0], sentAtMillis: 9_000 },
    ]);
    const errors = errorsOf(root, [], { actions: [{ do: 'wake', atMillis: 10, item: [-1] }] });
    expect(errors).toEqual([expect.stringMatching(/^actions\[0\]\.item/)]);
  });

  it('answers the call that compensates instead of the child', () => {
    const compensation = { url: `${url}/ship`, verb: 'DELETE' };
    const root = planOf('root', [start('ship', 'inner', { compensation, next: 'no' }), fail]);
    const nodes = { 'ship:DOWN': [{ status: 403 }] };
    const calls = ['ship/reserve:UP', 'ship/pack:UP', 'ship:DOWN'];
    const result = play(root, [inner], { nodes, expect: { status: 'CORRUPTED', calls } });
    expect(result.diffs).toEqual([]);
  });

  it('cancels its children with it, and terminates them', () => {
    const slow = planOf('slow', [
      task('reserve', { next: 'nap' }),
      { kind: 'sleep', id: 'nap', durationMillis: 9_000 },
    ]);
    const root = planOf('root', [start('ship', 'slow')]);
    const cancelled = play(root, [slow], { actions: [{ do: 'cancel', atMillis: 1_000 }] });
    expect(cancelled).toMatchObject({ status: 'CANCELLED', standing: [], durationMillis: 1_000 });
    expect(cancelled.calls).toEqual(['ship/reserve:UP', 'ship/reserve:DOWN']);
    const terminated = play(root, [slow], { actions: [{ do: 'terminate', atMillis: 1_000 }] });
    expect(terminated).toMatchObject({ status: 'TERMINATED', standing: [{ nodeId: 'ship', outcome: 'unknown' }] });
    const ends = terminated.trace.flatMap((entry) => (entry.kind === 'end' ? [[entry.run, entry.status]] : []));
    expect(ends).toEqual([
      [undefined, 'TERMINATED'],
      ['ship', 'TERMINATED'],
    ]);
  });

  it('goes on in a new round with the child of which something stands, under its earlier keys', () => {
    const { compensation: _none, ...kept } = task('reserve', { next: 'pack', uncompensated: true });
    const standing = planOf('inner', [kept, task('pack')]);
    const { trace, calls, status } = play(outer, [standing], {
      nodes: { 'ship/pack': [{ status: 400 }, {}] },
      actions: [{ do: 'retry', atMillis: 5_000 }],
    });
    expect(status).toBe('SUCCEEDED');
    expect(calls.slice(0, 4)).toEqual(['open:UP', 'ship/reserve:UP', 'ship/pack:UP', 'open:DOWN']);
    expect(calls.slice(4)).toEqual(['open:UP', 'ship/reserve:UP', 'ship/pack:UP', 'close:UP']);
    const keys = (nodeId: string): readonly unknown[] =>
      trace.flatMap((entry) => (entry.kind === 'call' && entry.nodeId === nodeId ? [entry.idempotencyKey] : []));
    expect(new Set(keys('reserve')).size).toBe(1);
    expect(new Set(keys('pack')).size).toBe(2);
    expect(trace).toContainEqual(expect.objectContaining({ run: 'ship', kind: 'call', nodeId: 'reserve', round: 2 }));
  });

  it('goes on in a new round with the child of the same input in a loop, whatever the order of the items', () => {
    const each = { kind: 'forEach', id: 'each', items: '{{nodes.list.response.body}}', entry: 'ship', next: 'close' };
    const list = {
      ...task('list', { next: 'each' }),
      action: { mode: 'sync', request: { url: `${url}/list`, verb: 'GET' } },
    };
    const { compensation: _compensation, ...read } = list as JsonObject;
    const root = planOf('root', [
      read,
      each,
      start('ship', 'inner', { payload: { n: '{{item}}' }, compensation: 'none' }),
      task('close'),
    ]);
    const nodes = { list: [{ body: [1, 2, 2] }, { body: [2, 1, 2, 2] }], close: [{ status: 409 }, {}] };
    const result = play(root, [inner], { nodes, actions: [{ do: 'retry', atMillis: 100 }] });
    expect(result.status).toBe('SUCCEEDED');
    // Three children of the first round, and one that is new in the second.
    expect(result.calls.filter((name) => name.endsWith('/reserve:UP'))).toHaveLength(4);
  });

  it('undoes a finished run with its children', () => {
    const { status, calls } = play(outer, [inner], { actions: [{ do: 'undo', atMillis: 1_000, reason: 'Back.' }] });
    expect(status).toBe('CANCELLED');
    expect(calls.slice(4)).toEqual(['close:DOWN', 'ship/pack:DOWN', 'ship/reserve:DOWN', 'open:DOWN']);
  });

  it('refuses what the server would refuse: a payload that lacks something, and a definition that is not there', () => {
    const strict = planOf('inner', [task('reserve')], { requiredPayload: ['order'] });
    const lacking = play(outer, [strict]);
    expect(lacking).toMatchObject({ status: 'FAILED', failedNodeId: 'ship', reason: 'unsent' });
    expect(lacking.failureDescription).toContain('order');
    expect(play(outer, []).failureDescription).toContain('There is no definition "inner"');
  });

  it('gives a child its payload, labels and latest definition', () => {
    const echo = (version: string): Plan => {
      const body = { order: '{{payload.order}}', label: '{{labels.team}}', version };
      const request = { url: `${url}/echo`, verb: 'PUT', body };
      const nodes = [{ kind: 'task', id: 'echo', action: { mode: 'sync', request }, uncompensated: true }];
      const compiled = compileDefinition({ name: 'echo', version, entrypoint: 'echo', nodes }, { hash: version });
      if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
      return compiled.plan;
    };
    const more = { payload: { order: '{{payload.o}}' }, labels: { team: 'blue' } };
    const root = planOf('root', [start('sub', 'echo', more)]);
    const { trace } = play(root, [echo('1'), echo('2')], { payload: { o: 5 } });
    const call = trace.find((entry) => entry.kind === 'call');
    expect(JSON.parse(call?.request?.body ?? '')).toEqual({ order: 5, label: 'blue', version: '2' });
  });
});

describe('names in scenarios', () => {
  const each = { kind: 'forEach', id: 'each', items: [1], entry: 'charge', next: 'ship' };
  const root = planOf(
    'root',
    [each, task('charge'), start('ship', 'inner', { next: 'lost' }), start('lost', 'gone'), fail].map((node, i) =>
      i === 3 ? { ...node, next: 'no' } : node,
    ),
  );
  const answer = (name: string): readonly string[] => errorsOf(root, [inner], { nodes: { [name]: { status: 200 } } });

  it.each(['charge', 'charge:DOWN', 'charge[0]', 'charge[17]:DOWN', 'ship/reserve', 'ship/reserve:DOWN'])(
    'know %s',
    (name) => {
      expect(answer(name)).toEqual([]);
    },
  );

  it.each([
    ['chrge', 'did you mean "charge"?'],
    ['charge[0,1]', 'is in one forEach: name a place in each, as charge[0].'],
    ['ship[0]', 'is in no forEach'],
    ['ship', 'name a node of it, as ship/<node>'],
    ['ship/reserv', 'The definition "inner" has no node "reserv"; did you mean "reserve"?'],
    ['shipp/reserve', 'The definition has no node "shipp/reserve"; did you mean "ship/reserve"?'],
    ['ship:DOWN', 'name a node of it, as ship/<node>'],
    ['charge/reserve', 'The task node "charge" starts no execution.'],
    ['lost/reserve', 'starts "gone" with version "latest", which was not given: add --with and its file.'],
    ['ship/onSuccessCallback', 'The definition has no onSuccessCallback.'],
    ['charge[x]', 'has no node "charge[x]"'],
    ['', 'has no node ""'],
  ])('do not know %s', (name, why) => {
    expect(answer(name).join('\n')).toContain(why);
    expect(errorsOf(root, [inner], { expect: { calls: [name] } }).join('\n')).toContain(why);
  });

  it.each([
    ['charge', 'The task node "charge" starts no execution.'],
    ['shop', 'did you mean "ship"?'],
    ['lost', 'add --with'],
  ])('name no execution: %s', (at, why) => {
    const errors = errorsOf(root, [inner], { actions: [{ do: 'cancel', atMillis: 0, at }] });
    expect(errors).toEqual([expect.stringMatching(/^actions\[0\]\.at: /)]);
    expect(errors[0]).toContain(why);
  });

  it('have no places in a mock, which cannot tell items apart', () => {
    const read = readScenario({ nodes: { 'charge[0]': {} } }, root, { isRun: false, with: [inner] });
    expect(read.ok ? [] : read.errors).toEqual([expect.stringContaining('cannot tell the items')]);
  });
});
