import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../core/definition/compile.ts';
import type { Json, JsonObject } from '../core/value/json.ts';
import type { Plan } from '../core/plan.ts';
import { readScenario } from './document/read.ts';
import { simulate } from './simulate.ts';
import type { SimulationOptions, SimulationResult } from './simulate.ts';
import type { CallEntry } from './trace.ts';

const url = 'http://a.example';

function task(id: string, more: JsonObject = {}): JsonObject {
  const request = { url: `${url}/${id}`, verb: 'POST' };
  const compensation = { url: `${url}/${id}`, verb: 'DELETE' };
  return { kind: 'task', id, action: { mode: 'sync', request }, compensation, ...more };
}

function asked(id: string, callback: JsonObject, more: JsonObject = {}): JsonObject {
  const request = { url: `${url}/${id}`, verb: 'POST', body: { to: '{{runtime.callback.signedUrl}}' } };
  return task(id, { action: { mode: 'async', request, callback }, ...more });
}

function planOf(nodes: readonly JsonObject[], more: JsonObject = {}): Plan {
  const document: Json = {
    name: 'd',
    version: '1',
    entrypoint: nodes[0]?.['id'] ?? '',
    failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1000 },
    compensationHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1000 },
    nodes,
    ...more,
  };
  const compiled = compileDefinition(document, { hash: '' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function play(plan: Plan, document: JsonObject, options?: SimulationOptions): SimulationResult {
  const read = readScenario(document, plan);
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return simulate(plan, read.scenario, options);
}

function callsOf(result: SimulationResult): readonly CallEntry[] {
  return result.trace.filter((entry) => entry.kind === 'call');
}

describe('a simulation', () => {
  it('answers 200 {} where the scenario says nothing, and is the same every time', () => {
    const plan = planOf([task('a', { next: 'b' }), task('b')]);
    const result = play(plan, {});
    expect(result).toMatchObject({ status: 'SUCCEEDED', calls: ['a:UP', 'b:UP'], result: {}, standing: [], diffs: [] });
    expect(play(plan, {})).toEqual(result);
  });

  it("has the definition's labels, which those of the scenario win over", () => {
    const request = { url: `${url}/{{labels.team}}/{{labels.tier}}`, verb: 'GET' };
    const labelled = planOf([{ kind: 'task', id: 'a', action: { mode: 'sync', request } }], {
      labels: { team: 'shop', tier: 'gold' },
    });
    const [call] = callsOf(play(labelled, { labels: { team: 'a' } }));
    expect(call?.request?.url).toBe(`${url}/a/gold`);
  });

  it('says what a node calls success where it does not call 200 so', () => {
    const [first] = [task('a')];
    const action = { mode: 'sync', request: { url, verb: 'POST' }, successStatusCodes: [202, 201] };
    expect(callsOf(play(planOf([{ ...first, action }]), {}))[0]).toMatchObject({
      statusCode: 201,
      outcome: 'succeeded',
    });
  });

  it('tells each outcome apart', () => {
    const plan = planOf([task('a')]);
    const outcome = (answer: JsonObject): unknown => callsOf(play(plan, { nodes: { a: [answer] } }))[0]?.outcome;
    expect(outcome({ status: 409 })).toBe('rejected');
    expect(outcome({ status: 504 })).toBe('unknown');
    expect(outcome({ error: 'timeout' })).toBe('unknown');
    expect(outcome({ error: 'body' })).toBe('unknown');
    expect(outcome({ error: 'connect' })).toBe('unsent');
    expect(outcome({ afterMillis: 30_001 })).toBe('unknown');
    expect(outcome({ afterMillis: 30_000 })).toBe('succeeded');
  });

  it('waits between attempts in virtual time', () => {
    const plan = planOf([task('a')]);
    const result = play(plan, { nodes: { a: [{ status: 500, afterMillis: 20 }, { afterMillis: 30 }] } });
    expect(
      callsOf(result).map(({ sentAtMillis, atMillis, retryInMillis }) => [sentAtMillis, atMillis, retryInMillis]),
    ).toEqual([
      [0, 20, 1000],
      [1020, 1050, undefined],
    ]);
    expect(result.durationMillis).toBe(1050);
  });

  it.each(['pendingWhen', 'failureWhen', 'successWhen'])('takes a callback for a failure where %s throws', (name) => {
    const throws = { length: [{ var: 'callback.body.number' }] };
    const plan = planOf([asked('a', { timeoutMillis: 1000, successWhen: true, [name]: throws })]);
    const result = play(plan, { nodes: { a: [{ callback: { body: { number: 1 } } }] } });
    expect(result).toMatchObject({ status: 'FAILED', reason: 'callback_failure' });
    expect(result.trace.find((entry) => entry.kind === 'step')?.note).toBe(
      `The condition ${name} could not be evaluated: The operator "length" has nothing to measure.`,
    );
  });

  it('names the template path of a call that cannot be sent', () => {
    const action = { mode: 'sync', request: { url: '{{vars.BASE}}/x', verb: 'GET' } };
    const plan = planOf([{ kind: 'task', id: 'a', action }]);
    const result = play(plan, {});
    expect(result).toMatchObject({ status: 'FAILED', reason: 'unsent', failedNodeId: 'a' });
    expect(callsOf(result)[0]?.note).toContain('vars.BASE');
    expect(play(plan, { vars: { BASE: url } }).status).toBe('SUCCEEDED');
  });

  it('shows requests without secrets and tokens', () => {
    const request = {
      url: `${url}/x`,
      verb: 'POST',
      headers: { Authorization: 'Bearer {{secrets.KEY}}' },
      body: '{{runtime.callback.token}}',
    };
    const plan = planOf([
      { kind: 'task', id: 'a', action: { mode: 'async', request, callback: { timeoutMillis: 9 } } },
    ]);
    const [call] = callsOf(play(plan, {}));
    expect(call?.request).toMatchObject({ verb: 'POST', url: `${url}/x`, body: '***' });
    expect(call?.request?.headers).toMatchObject({ Authorization: 'Bearer ***KEY***', 'trama-node-id': 'a' });
  });
});

describe('callbacks', () => {
  const timeoutMillis = 60_000;

  it('come at once where the scenario says nothing of the node', () => {
    const result = play(planOf([asked('a', { timeoutMillis })]), {});
    expect(result).toMatchObject({ status: 'SUCCEEDED', durationMillis: 0, result: {} });
    expect(callsOf(result)[0]?.statusCode).toBe(202);
  });

  it('never come where the scenario lists answers without one', () => {
    const result = play(planOf([asked('a', { timeoutMillis })]), { nodes: { a: [{}] } });
    expect(result).toMatchObject({ status: 'FAILED', reason: 'callback_timeout', calls: ['a:UP', 'a:UP', 'a:DOWN'] });
    expect(result.durationMillis).toBe(2 * timeoutMillis + 1000);
  });

  it('are kept when they come before their answer', () => {
    const result = play(planOf([asked('a', { timeoutMillis })]), {
      nodes: { a: [{ afterMillis: 100, callback: { afterMillis: 50, body: { n: 1 } } }] },
    });
    expect(result).toMatchObject({ status: 'SUCCEEDED', durationMillis: 100, result: { n: 1 } });
    expect(result.trace.find((entry) => entry.kind === 'callback')).toMatchObject({ fate: 'kept', atMillis: 50 });
  });

  it('are refused as the API would: too late, another body, a duplicate', () => {
    const plan = planOf([
      asked('a', { timeoutMillis }, { next: 'nap' }),
      { kind: 'sleep', id: 'nap', durationMillis: 500 },
    ]);
    const bodies = [1, 2, 1].map((body, i) => ({ afterMillis: i, body }));
    const result = play(plan, { nodes: { a: [{ callback: [...bodies, { afterMillis: 900, body: 3 }] }] } });
    expect(result.trace.flatMap((entry) => (entry.kind === 'callback' ? [entry.fate] : []))).toEqual([
      'accepted',
      'refused',
      'refused',
      'refused',
    ]);
    expect(result.status).toBe('SUCCEEDED');
  });

  it('that say failure are repeated as a new operation where the policy lists it', () => {
    const callback = { timeoutMillis, successWhen: { '==': [{ var: 'callback.body.ok' }, true] } };
    const failureHandling = {
      type: 'retry',
      maxAttempts: 1,
      delayMillis: 10,
      retryOn: { errors: ['callback_failure'] },
    };
    const result = play(planOf([asked('a', callback, { failureHandling })]), {
      nodes: { a: [{ callback: { body: { ok: false } } }, { callback: { body: { ok: true } } }] },
    });
    expect(result).toMatchObject({ status: 'SUCCEEDED', calls: ['a:UP', 'a:UP'] });
    expect(callsOf(result).map((call) => call.idempotencyKey?.split(':').at(-1))).toEqual(['UP', 'UP.2']);
    expect(result.trace).toContainEqual(
      expect.objectContaining({ kind: 'step', phase: 'CALLBACK', outcome: 'rejected', retryInMillis: 10 }),
    );
  });
});

describe('visits of nodes that make no call', () => {
  const asking = (id: string, query: string, next?: string): JsonObject => {
    const action = { mode: 'sync', request: { url: `${url}/?${query}`, verb: 'GET' } };
    return { kind: 'task', id, action, ...(next === undefined ? undefined : { next }) };
  };

  it('can be read, their own while they decide', () => {
    const plan = planOf([
      task('a', { next: 'again' }),
      {
        kind: 'switch',
        id: 'again',
        cases: [{ when: { '<': [{ var: 'nodes.again.visit' }, 3] }, target: 'nap' }],
        default: 'stop',
      },
      { kind: 'sleep', id: 'nap', durationMillis: 1000, next: 'a' },
      { kind: 'fail', id: 'stop', reason: '{{nodes.stop.visit}} {{nodes.again.visit}} {{nodes.nap.visit}}' },
    ]);
    const result = play(plan, {});
    expect(result).toMatchObject({ status: 'FAILED', durationMillis: 2000 });
    expect(JSON.stringify(result.trace)).toContain('1 3 2');
  });

  it('are those that a branch may see', () => {
    const plan = planOf([
      { kind: 'split', id: 'both', branches: ['left', 'right'], join: 'end' },
      { kind: 'sleep', id: 'left', durationMillis: 10, next: 'end' },
      { kind: 'sleep', id: 'right', durationMillis: 1000, next: 'say' },
      asking('say', '{{nodes.both.visit}}-{{nodes.right.visit}}-{{nodes.left.visit}}', 'end'),
      { kind: 'join', id: 'end', next: 'all' },
      asking('all', '{{nodes.left.visit}}-{{nodes.right.visit}}-{{nodes.all.visit}}'),
    ]);
    const urls = callsOf(play(plan, {})).map((call) => call.request?.url);
    expect(urls).toEqual([`${url}/?1-1-`, `${url}/?1-1-1`]);
  });
});

describe('a sleep until a time in a zone', () => {
  const until = planOf([
    task('a', { next: 'nap' }),
    { kind: 'sleep', id: 'nap', until: '{{payload.day}}T{{payload.time}}[{{payload.zone}}]' },
  ]);
  const payload = { day: '2027-03-28', time: '09:00', zone: 'Europe/Berlin' };

  it('ends at that time there', () => {
    const startedAt = '2027-03-28T00:00:00Z';
    expect(play(until, { startedAt, payload })).toMatchObject({ status: 'SUCCEEDED', durationMillis: 7 * 3_600_000 });
  });

  it('fails the node where there is no such zone, and says so', () => {
    const result = play(until, { payload: { ...payload, zone: 'Europe/Berln' } });
    expect(result).toMatchObject({ status: 'FAILED', failedNodeId: 'nap' });
    expect(JSON.stringify(result.trace)).toContain(
      'names the zone Europe/Berln, which the IANA database does not have',
    );
  });
});

describe('people', () => {
  const nap = { kind: 'sleep', id: 'nap', durationMillis: 10_000 };

  it.each<[string, JsonObject, string, readonly string[]]>([
    ['cancel', { do: 'cancel', reason: 'no' }, 'CANCELLED', ['a:UP', 'a:DOWN']],
    ['terminate', { do: 'terminate' }, 'TERMINATED', ['a:UP']],
    ['wake', { do: 'wake' }, 'SUCCEEDED', ['a:UP']],
  ])('%s', (_name, action, status, calls) => {
    const result = play(planOf([task('a', { next: 'nap' }), nap]), { actions: [{ atMillis: 500, ...action }] });
    expect(result).toMatchObject({ status, calls, durationMillis: 500 });
    expect(result.standing).toEqual(
      status === 'TERMINATED' ? [{ nodeId: 'a', visit: 1, round: 1, outcome: 'succeeded' }] : [],
    );
  });

  it('retry: the same request goes out under its earlier key where its effect stands', () => {
    const result = play(planOf([task('a', { next: 'nap' }), nap]), {
      actions: [
        { atMillis: 500, do: 'terminate' },
        { atMillis: 600, do: 'retry', force: true },
      ],
    });
    const keys = callsOf(result).map((call) => call.idempotencyKey);
    expect(result).toMatchObject({ status: 'SUCCEEDED', round: 2, calls: ['a:UP', 'a:UP'] });
    expect(keys[0]).toBe(keys[1]);
  });

  it('are refused as the API would refuse them', () => {
    const result = play(planOf([task('a')]), {
      actions: ['cancel', 'wake', 'terminate', 'retry'].map((name) => ({ atMillis: 500, do: name })),
    });
    expect(result.trace.flatMap((entry) => (entry.kind === 'action' ? [entry.accepted] : []))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('settle a compensation that could not be completed, or run it again', () => {
    const plan = planOf([task('a', { next: 'b' }), task('b')]);
    const nodes = { b: [{ status: 422 }], 'a:DOWN': [{ status: 500 }, { status: 500 }, { status: 200 }] };
    const settle = { atMillis: 9000, do: 'resolve', nodeId: 'a', phase: 'DOWN' };
    expect(play(plan, { nodes })).toMatchObject({ status: 'CORRUPTED', standing: [{ nodeId: 'a' }] });
    expect(play(plan, { nodes, actions: [{ atMillis: 9000, do: 'retry' }] })).toMatchObject({
      status: 'FAILED',
      standing: [],
    });
    expect(play(plan, { nodes, actions: [{ ...settle, outcome: 'succeeded' }] })).toMatchObject({
      status: 'FAILED',
      standing: [],
    });
    expect(play(plan, { nodes, actions: [{ ...settle, outcome: 'failed' }] })).toMatchObject({
      status: 'FAILED',
      standing: [{ nodeId: 'a' }],
    });
  });
});

describe('bounds', () => {
  it('walks a loop without calls in pieces, up to the limit of visits', () => {
    const spin = { kind: 'switch', id: 's', cases: [{ when: { '==': [1, 2] }, target: 'a' }], default: 's' };
    const result = play(planOf([spin, task('a')]), {});
    expect(result).toMatchObject({ status: 'FAILED', reason: 'visits' });
  });

  it('gives up after as many events as it may take', () => {
    const plan = planOf([task('a', { next: 'a' })]);
    const result = play(plan, {}, { maxEvents: 10 });
    expect(result).toMatchObject({ status: 'IN_PROGRESS', stopped: 'It was given up after 10 events.' });
  });
});

describe('expectations', () => {
  const plan = planOf([task('a', { next: 'b' }), task('b')]);

  it('that hold leave no difference', () => {
    const expected = { status: 'SUCCEEDED', calls: ['a:UP', 'b:UP'], standing: [], result: { n: 1.0 } };
    expect(play(plan, { nodes: { b: [{ body: { n: 1 } }] }, expect: expected }).diffs).toEqual([]);
  });

  it('that do not hold are shown line by line', () => {
    const result = play(plan, {
      nodes: { b: [{ status: 422 }], 'a:DOWN': [{ status: 500 }] },
      expect: {
        status: 'SUCCEEDED',
        reason: 'timeout',
        failedNodeId: 'a',
        calls: ['a:UP', 'b:UP', 'b:DOWN', 'a:DOWN'],
        standing: ['b', { nodeId: 'a', outcome: 'unknown' }],
        result: 5,
      },
    });
    expect(Object.fromEntries(result.diffs.map(({ field, lines }) => [field, lines]))).toEqual({
      status: ['- SUCCEEDED', '+ CORRUPTED'],
      reason: ['- timeout', '+ compensation'],
      failedNodeId: ['- a', '+ b'],
      calls: ['  a:UP', '  b:UP', '- b:DOWN', '  a:DOWN', '+ a:DOWN'],
      standing: ['- b', '- a (unknown)', '+ a (visit 1, round 1, succeeded)'],
      result: ['- 5', '+ (none)'],
    });
  });
});
