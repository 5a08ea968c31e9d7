import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../core/definition/compile.ts';
import type { Plan } from '../core/plan.ts';
import type { Json, JsonObject } from '../core/value/json.ts';
import { readScenario } from './document/read.ts';
import { simulate, type SimulationResult } from './simulate.ts';

const url = 'http://a.example';
const none = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

function compile(nodes: readonly JsonObject[], more: JsonObject = {}): ReturnType<typeof compileDefinition> {
  const document = {
    name: 'd',
    version: '1',
    entrypoint: nodes[0]?.['id'] ?? '',
    failureHandling: none,
    nodes,
    ...more,
  };
  return compileDefinition(document, { hash: '' });
}

function planOf(nodes: readonly JsonObject[], more?: JsonObject): Plan {
  const compiled = compile(nodes, more);
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function play(plan: Plan, payload: JsonObject, more: JsonObject = {}): SimulationResult {
  const read = readScenario({ payload, ...more }, plan);
  if (!read.ok) throw new Error(read.errors.join('\n'));
  return simulate(plan, read.scenario);
}

const put = (id: string, body: Json, more: JsonObject = {}): JsonObject => ({
  kind: 'task',
  id,
  action: { mode: 'sync', request: { url: `${url}/${id}`, verb: 'PUT', body } },
  uncompensated: true,
  ...more,
});

/** The bodies of the calls of a node. */
function bodies(result: SimulationResult, id: string): readonly (string | undefined)[] {
  return result.trace.flatMap((entry) => (entry.kind === 'call' && entry.nodeId === id ? [entry.request?.body] : []));
}

describe('a set', () => {
  const total = {
    $logic: { reduce: [{ var: 'payload.lines' }, { '+': [{ var: 'accumulator' }, { var: 'current.price' }] }, 0] },
  };

  it('computes a value that later nodes read, exactly', () => {
    const plan = planOf([
      {
        kind: 'set',
        id: 'sum',
        body: { total, of: '{{payload.order}}', text: 'Order {{payload.order}}' },
        next: 'pay',
      },
      put('pay', { amount: '{{nodes.sum.response.body.total}}', prev: '{{prev.body.text}}' }),
    ]);
    const result = play(plan, { order: 7, lines: [{ price: 0.1 }, { price: 0.2 }] });
    expect(bodies(result, 'pay')).toEqual(['{"amount":0.3,"prev":"Order 7"}']);
    expect(result.trace).toContainEqual(expect.objectContaining({ kind: 'step', nodeId: 'sum', phase: 'SET' }));
  });

  it('is the result of a run that ends with it', () => {
    expect(play(planOf([{ kind: 'set', id: 'sum', body: { total } }]), { lines: [] }).result).toEqual({ total: 0 });
  });

  it('fails unsent where its value cannot be computed, or takes its route', () => {
    const broken = { kind: 'set', id: 'sum', body: { $logic: { '/': [1, 0] } } };
    expect(play(planOf([broken]), {})).toMatchObject({ status: 'FAILED', reason: 'unsent', failedNodeId: 'sum' });
    const routed = planOf([{ ...broken, onFailure: 'pay' }, put('pay', '{{nodes.sum.failure.reason}}')]);
    const result = play(routed, {});
    expect(result.status).toBe('SUCCEEDED');
    expect(bodies(result, 'pay')).toEqual(['unsent']);
  });

  it('is bounded', () => {
    const large = { $logic: { map: [{ range: [0, 9_000] }, '{{}}'.repeat(50)] } };
    expect(play(planOf([{ kind: 'set', id: 'sum', body: large }]), {})).toMatchObject({
      status: 'FAILED',
      reason: 'unsent',
    });
  });

  it('reads no secrets, and warns of a value that is always the same', () => {
    const secret = compile([{ kind: 'set', id: 'sum', body: { key: '{{secrets.KEY}}' } }]);
    expect(secret).toMatchObject({ ok: false, errors: [expect.stringContaining('nodes[0].body.key')] });
    const constant = compile([{ kind: 'set', id: 'sum', body: { $logic: { '+': [1, 1] } } }]);
    expect(constant.warnings).toEqual([
      'nodes[0].body: This expression reads nothing, so that it always gives the same value.',
    ]);
  });
});

describe('now and uuid', () => {
  const body = { at: { $logic: { now: [] } }, id: { $logic: { uuid: ['a'] } } };

  it('are the same on every attempt of a visit, and others on the next visit', () => {
    const again = { failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 1_000 } };
    const check = {
      kind: 'switch',
      id: 'check',
      cases: [{ when: { '<': [{ var: 'nodes.pay.visit' }, 2] }, target: 'wait' }],
      default: 'end',
    };
    const plan = planOf([
      put('pay', body, { ...again, next: 'check' }),
      check,
      { kind: 'sleep', id: 'wait', durationMillis: 5_000, next: 'pay' },
      { kind: 'sleep', id: 'end', durationMillis: 1 },
    ]);
    const [first, second, third] = bodies(play(plan, {}, { nodes: { pay: [{ status: 503 }, {}, {}] } }), 'pay');
    expect(first).toBe(second);
    expect(third).not.toBe(first);
  });

  it('are those of the earlier round where its key is sent again', () => {
    const plan = planOf([put('pay', body, { next: 'ship' }), put('ship', 1)]);
    const result = play(
      plan,
      {},
      {
        nodes: { ship: [{ status: 409 }, {}] },
        actions: [{ do: 'retry', atMillis: 60_000 }],
      },
    );
    const [first, second] = bodies(result, 'pay');
    expect([result.status, second]).toEqual(['SUCCEEDED', first]);
    const keys = result.trace.flatMap((entry) =>
      entry.kind === 'call' && entry.nodeId === 'pay' ? [entry.idempotencyKey] : [],
    );
    expect(new Set(keys).size).toBe(1);
  });

  it('are the same whenever a compensation is called, also by a retry', () => {
    const down = { url: `${url}/refund`, verb: 'POST', body };
    const pay = { ...put('pay', body, { next: 'wait' }), uncompensated: null, compensation: down };
    const wait = { kind: 'sleep', id: 'wait', durationMillis: 5_000, next: 'ship' };
    const result = play(
      planOf([pay, wait, put('ship', 1)], { compensationHandling: none }),
      {},
      {
        nodes: { ship: [{ status: 409 }], 'pay:DOWN': [{ status: 409 }, {}] },
        actions: [{ do: 'retry', atMillis: 60_000 }],
      },
    );
    const downs = result.trace.flatMap((entry) =>
      entry.kind === 'call' && entry.nodeId === 'pay' && entry.phase === 'DOWN' ? [entry.request?.body] : [],
    );
    expect(downs).toHaveLength(2);
    expect(downs[0]).toBe(downs[1]);
    expect(downs[0]).not.toBe(bodies(result, 'pay')[0]);
    expect(result.status).toBe('FAILED');
  });

  it('give a sleep its end and a fail its reason', () => {
    const until = { $logic: { date_add: [{ now: [] }, 'PT1H'] } };
    const reason = { $logic: { cat: ['Gave up on ', { var: 'payload.order' }] } };
    const plan = planOf([
      { kind: 'sleep', id: 'wait', until, next: 'stop' },
      { kind: 'fail', id: 'stop', reason },
    ]);
    const result = play(plan, { order: 7 });
    expect(result).toMatchObject({ status: 'FAILED', durationMillis: 3_600_000 });
    expect(result.trace.at(-1)).toMatchObject({ note: 'Gave up on 7' });
  });

  it('are within the steps of an expression, also with a long name', () => {
    const again = { $logic: { map: [{ range: [0, 1_000] }, { uuid: [{ var: '$.payload.text' }] }] } };
    const result = play(planOf([{ kind: 'set', id: 'sum', body: again }]), { text: 'x'.repeat(100_000) });
    expect(result).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(result.trace.at(-1)?.note).toContain('more than 100000 steps');
  });

  it.each(['until', 'reason'])('read no secrets in %s', (field) => {
    const kind = field === 'until' ? 'sleep' : 'fail';
    for (const value of ['{{secrets.KEY}}', { $logic: { var: 'secrets.KEY' } }]) {
      const { errors } = compile([{ kind, id: 'n', [field]: value }]) as { errors?: readonly string[] };
      expect(errors).toEqual([expect.stringMatching(`^nodes\\[0\\]\\.${field}: The path "secrets.KEY"`)]);
    }
  });

  it('name the place of a reason that cannot be computed', () => {
    const result = play(
      planOf([{ kind: 'fail', id: 'stop', reason: { $logic: { '/': [1, { var: 'payload.n' }] } } }]),
      { n: 0 },
    );
    expect(result.trace.at(-1)?.note).toMatch(/^The node stop fails the execution\. .*The \$logic at reason failed: /);
  });

  it.each([[true], [7], ['text'], [{ a: 1 }]])('refuse items that are no list: %j', (items) => {
    const nodes = [
      { kind: 'forEach', id: 'each', items, entry: 'one' },
      { kind: 'set', id: 'one', body: 1 },
    ];
    expect(compile(nodes)).toMatchObject({
      ok: false,
      errors: [expect.stringMatching('^nodes\\[0\\]\\.items: The items are')],
    });
  });

  it('are a warning where a set makes them for a request that a later round compares', () => {
    const warnings = (more: JsonObject, read = '{{nodes.sum.response.body.at}}'): readonly string[] =>
      compile([{ kind: 'set', id: 'sum', body, next: 'pay', ...more }, put('pay', { at: read })]).warnings;
    expect(warnings({})).toEqual([
      expect.stringMatching(/^nodes\[1\]\.action\.request\.body.*: "sum" reads now or uuid/),
    ]);
    expect(warnings({}, '{{nodes.sum.visit}}')).toEqual([]);
    expect(warnings({ body: { at: '{{payload.at}}' } })).toEqual([]);
  });

  it('say so where a value is no text', () => {
    const plan = planOf([{ kind: 'sleep', id: 'wait', until: { $logic: { '+': [1, 1] } } }]);
    const result = play(plan, {});
    expect(result.trace.at(-1)).toMatchObject({
      note: 'The time to sleep until could not be rendered: The value is no text, but 2.',
    });
  });
});
