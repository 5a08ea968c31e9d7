import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brokenDefinitions } from '../../../test/definitions/broken.ts';
import {
  asynchronous,
  authenticated,
  graph,
  linear,
  smallest,
  validDefinitions,
} from '../../../test/definitions/valid.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../value/json.ts';
import type { Ask, NodePlan, Plan, TaskPlan } from '../plan.ts';
import { compileDefinition } from './compile.ts';

const compile = (definition: Json): ReturnType<typeof compileDefinition> =>
  compileDefinition(definition, { hash: 'h' });

function planOf(definition: Json): Plan {
  const compiled = compile(definition);
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function warningsOf(definition: Json): readonly string[] {
  const compiled = compile(definition);
  expect(compiled.ok ? [] : compiled.errors).toEqual([]);
  return compiled.warnings;
}

function errorsOf(definition: Json): readonly string[] {
  const compiled = compile(definition);
  return compiled.ok ? [] : compiled.errors;
}

function nodeOf(plan: Plan, id: string): NodePlan {
  const node = plan.nodes.get(id);
  if (node === undefined) throw new Error(`no node ${id}`);
  return node;
}

function taskOf(plan: Plan, id: string): TaskPlan {
  const node = nodeOf(plan, id);
  if (node.kind !== 'task') throw new Error(`${id} is a ${node.kind}`);
  return node;
}

const call = (path: string, verb = 'GET'): JsonObject => ({ url: `http://shop.example/${path}`, verb });
const task = (id: string, changes: JsonObject = {}): JsonObject => ({
  kind: 'task',
  id,
  action: { mode: 'sync', request: call(id) },
  ...changes,
});
const graphOf = (entrypoint: string, ...nodes: JsonObject[]): JsonObject => ({
  name: 'n',
  version: '1',
  entrypoint,
  nodes,
});

describe('valid definitions', () => {
  it.each(validDefinitions)('$name compiles with its warnings', ({ definition, warnings }) => {
    expect(warningsOf(definition)).toEqual(warnings);
  });
});

describe('broken definitions', () => {
  it.each(brokenDefinitions)('$name', ({ definition, errors }) => {
    expect(errors).not.toEqual([]);
    expect(errorsOf(definition)).toEqual(errors);
  });

  it('are told in sentences that begin with a path', () => {
    for (const { errors } of brokenDefinitions) {
      for (const error of errors) expect(error).toMatch(/^[A-Za-z$][\w$.[\]" -]*: \S.*[.?]$/);
    }
  });

  it('have names of their own', () => {
    expect(new Set(brokenDefinitions.map(({ name }) => name)).size).toBe(brokenDefinitions.length);
  });
});

describe('plans', () => {
  it('take steps for a row of sync tasks', () => {
    const plan = planOf(linear);
    expect(plan.entry).toBe('reserve');
    expect([...plan.nodes.keys()]).toEqual(['reserve', 'charge', 'notify']);
    expect(taskOf(plan, 'reserve')).toMatchObject({
      mode: 'sync',
      index: 0,
      next: 'charge',
      compensateWhen: 'attempted',
    });
    expect(taskOf(plan, 'charge')).toMatchObject({ index: 1, next: 'notify', compensateWhen: 'unknown' });
    expect(taskOf(plan, 'notify')).not.toHaveProperty('next');
    expect(taskOf(plan, 'notify')).not.toHaveProperty('compensation');
    expect(taskOf(plan, 'reserve').compensation?.mutating).toBe(true);
  });

  it('hold the fields of the document', () => {
    expect(planOf(linear)).toMatchObject({
      hash: 'h',
      name: 'order',
      version: '2026-03',
      timeoutMillis: 600_000,
      maxNodeVisits: 100,
      labels: { team: 'shop' },
      requiredPayload: [
        { text: 'orderId', keys: ['orderId'] },
        { text: 'customer.id', keys: ['customer', 'id'] },
      ],
      failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 100 },
      onSuccess: { mutating: true },
      onFailure: { mutating: true },
    });
  });

  it('take the default policies where none are named', () => {
    const plan = planOf(smallest);
    const backoff = { type: 'backoff', initialDelayMillis: 500, multiplier: 2 };
    expect(plan.failureHandling).toEqual({ ...backoff, maxAttempts: 3, maxDelayMillis: 10_000, jitterRatio: 0.2 });
    expect(plan.compensationHandling).toEqual({ ...backoff, maxAttempts: 20, maxDelayMillis: 60_000, jitterRatio: 0 });
    expect(taskOf(plan, 'ping').retry).toBe(plan.failureHandling);
  });

  it("prefer a step's own policy, with what it retries", () => {
    expect(taskOf(planOf(linear), 'charge').retry).toEqual({
      type: 'backoff',
      maxAttempts: 5,
      initialDelayMillis: 50,
      maxDelayMillis: 50,
      multiplier: 2,
      jitterRatio: 0,
      retryOn: { statusCodes: new Set([429]), statusClasses: new Set([5]), errors: new Set(['timeout', 'connect']) },
    });
  });

  it("let the action's status codes win over the request's", () => {
    const request = { ...call('a'), successStatusCodes: [201], unknownStatusCodes: [500] };
    const codesOf = (action: JsonObject): [number[] | undefined, number[]] => {
      const { call: plan } = taskOf(planOf(graphOf('a', task('a', { action: { request, ...action } }))), 'a');
      return [plan.success === undefined ? undefined : [...plan.success], [...plan.unknown]];
    };
    const async = { mode: 'async', callback: { timeoutMillis: 1 } };
    expect(codesOf({ mode: 'sync' })).toEqual([[201], [500]]);
    expect(codesOf({ mode: 'sync', successStatusCodes: [204], unknownStatusCodes: [] })).toEqual([[204], []]);
    expect(codesOf({ ...async, acceptedStatusCodes: [202], successStatusCodes: [204] })).toEqual([[202], [500]]);
    expect(codesOf({ ...async, successStatusCodes: [204] })).toEqual([[204], [500]]);
    expect(codesOf(async)).toEqual([[201], [500]]);
    expect(codesOf({ mode: 'sync', request: call('a') })).toEqual([
      undefined,
      [408, 502, 504, 520, 521, 522, 523, 524, 598, 599],
    ]);
  });

  it('know the innermost branch of every node', () => {
    const plan = planOf(graph);
    const branchOf = (id: string): NodePlan['branch'] => nodeOf(plan, id).branch;
    expect(['start', 'both', 'booked', 'poll'].map(branchOf)).toEqual([undefined, undefined, undefined, undefined]);
    const flight = { split: 'both', entry: 'flight', join: 'booked' };
    expect(['flight', 'seats', 'seated', 'train'].map(branchOf)).toEqual([flight, flight, flight, flight]);
    expect(branchOf('meal')).toEqual({ split: 'seats', entry: 'meal', join: 'seated' });
  });

  it('hold every kind of node', () => {
    const plan = planOf(graph);
    expect(nodeOf(plan, 'both')).toMatchObject({ kind: 'split', branches: ['hotel', 'flight'], join: 'booked' });
    expect(nodeOf(plan, 'seated')).toMatchObject({ kind: 'join', onBranchFailure: 'continue', next: 'booked' });
    expect(nodeOf(plan, 'booked')).toMatchObject({ onBranchFailure: 'fail' });
    expect(nodeOf(plan, 'wait')).toMatchObject({ kind: 'sleep', wait: { durationMillis: 300_000 }, next: 'poll' });
    expect(nodeOf(plan, 'until')).toMatchObject({
      wait: { until: { isValue: false, template: { source: '{{nodes.poll.response.body.at}}' } } },
    });
    expect(nodeOf(plan, 'ready')).toMatchObject({
      kind: 'switch',
      cases: [{ name: 'yes', target: 'until' }, { target: 'give-up' }],
      default: 'wait',
    });
    expect(nodeOf(plan, 'give-up')).toMatchObject({ kind: 'fail' });
    expect(taskOf(plan, 'flight').onFailure).toBe('train');
  });

  it('hold callbacks and authentication', () => {
    const { callback } = taskOf(planOf(asynchronous), 'approve');
    expect(callback).toMatchObject({ timeoutMillis: 86_400_000, successWhen: {}, failureWhen: {}, pendingWhen: {} });
    expect(taskOf(planOf(authenticated), 'oauth').call.auth).toEqual({
      type: 'oauth2ClientCredentials',
      tokenUrl: 'https://login.example/token',
      clientIdSecret: 'CLIENT_ID',
      clientSecretSecret: 'CLIENT_SECRET',
      scope: 'shop',
    });
  });

  it('know what is read', () => {
    const reading = (body: string): { ask: Ask | undefined; usesOrder: boolean } => {
      const last = task('b', { action: { mode: 'sync', request: { ...call('b', 'PUT'), body } } });
      const { asks, usesOrder } = planOf(graphOf('a', task('a', { next: 'b' }), last));
      return { ask: asks.during.get('b'), usesOrder };
    };
    expect(reading('{{nodes.a.response.body}}')).toEqual({ ask: { nodes: ['a'], prev: false }, usesOrder: false });
    expect(reading('{{step.a.body}}')).toEqual({ ask: { nodes: ['a'], prev: false }, usesOrder: false });
    expect(reading('{{prev.body}}')).toEqual({ ask: { nodes: [], prev: true }, usesOrder: false });
    expect(reading('{{step.0.body}}')).toEqual({ ask: { nodes: 'all', prev: false }, usesOrder: true });
    expect(reading('{{#steps}}{{name}}{{/steps}}')).toEqual({ ask: { nodes: 'all', prev: false }, usesOrder: true });
    expect(reading('{{step.a.index}}')).toEqual({ ask: { nodes: 'all', prev: false }, usesOrder: true });
    expect(reading('{{payload.a}}')).toEqual({ ask: undefined, usesOrder: false });
  });

  it('take null for absence and numbers by their value', () => {
    const text = `{ "name": "n", "version": "1", "timeoutMillis": 1.0e3, "nodes": null, "labels": { "a": null },
      "steps": [{ "name": "a", "down": null, "up": { "url": "http://a.example/", "verb": "GET", "headers": { "X": null },
      "body": null, "successStatusCodes": [200.0] } }] }`;
    const plan = planOf(parseJson(text));
    expect(plan.timeoutMillis).toBe(1000);
    expect(taskOf(plan, 'a').call.success).toEqual(new Set([200]));
    expect(taskOf(plan, 'a').call.request.headers).toEqual([]);
  });
});

it('allows x-* in every object of a definition', () => {
  const marked = (value: Json): Json => {
    if (Array.isArray(value)) return value.map((item) => marked(item as Json));
    if (!isJsonObject(value) || Object.keys(value).join() === 'value') return value;
    const entries = Object.entries(value).map(([key, item]): [string, Json] => {
      const isOfUsers = ['body', 'headers', 'labels', 'when', 'successWhen', 'failureWhen', 'pendingWhen'].includes(
        key,
      );
      return [key, isOfUsers || key.startsWith('x-') ? item : marked(item)];
    });
    return Object.fromEntries([...entries, ['x-note', { any: ['thing'] }]]);
  };
  for (const { definition, warnings } of validDefinitions) expect(warningsOf(marked(definition))).toEqual(warnings);
});

describe('warnings', () => {
  const post = (id: string, changes: JsonObject = {}): JsonObject =>
    task(id, { action: { mode: 'sync', request: call(id, 'POST') }, ...changes });
  const reader = (id: string, other: string, changes: JsonObject = {}): JsonObject =>
    task(id, { action: { mode: 'sync', request: call(`{{nodes.${other}.response.body.id}}`) }, ...changes });

  it('name the step that may fail after a call that nothing undoes', () => {
    expect(warningsOf(graphOf('a', post('a', { next: 'b' }), task('b')))).toEqual([
      'nodes[0].action.request.verb: POST changes something, and nothing undoes it when "b" fails later; add a compensation, or "uncompensated": true where that is meant.',
    ]);
    expect(warningsOf(graphOf('a', post('a')))).toEqual([]);
    expect(warningsOf(graphOf('a', post('a', { next: 'b', uncompensated: true }), task('b')))).toEqual([]);
    expect(warningsOf(graphOf('a', post('a', { next: 'b', uncompensated: false }), task('b')))).toHaveLength(1);
    expect(warningsOf(graphOf('a', task('a', { uncompensated: true })))).toEqual([
      'nodes[0].uncompensated: This field has no effect: GET changes nothing that could be undone.',
    ]);
    const [up, down] = [call('a', 'POST'), call('b', 'POST')];
    const steps = (first: JsonObject): JsonObject => ({ name: 'n', version: '1', steps: [first, { name: 'b', up }] });
    expect(warningsOf(steps({ name: 'a', up }))[0]).toContain('add a down call, or "uncompensated": true where');
    expect(warningsOf(steps({ name: 'a', up, uncompensated: true }))).toEqual([]);
    expect(errorsOf(steps({ name: 'a', up, down, uncompensated: true }))).toEqual([
      'steps[0].uncompensated: The call has a compensation; remove one of them.',
    ]);
    expect(errorsOf(steps({ name: 'a', up, uncompensated: 'yes' }))).toEqual([
      'steps[0].uncompensated: Must be true or false, not "yes".',
    ]);
    expect(warningsOf(graphOf('a', post('a', { next: 'b', compensation: call('a', 'DELETE') }), task('b')))).toEqual(
      [],
    );
    expect(warningsOf(graphOf('a', post('a', { next: 'b' }), { kind: 'sleep', id: 'b', durationMillis: 1 }))).toEqual(
      [],
    );
    // Only reached if the call was rejected.
    expect(warningsOf(graphOf('a', post('a', { onFailure: 'b' }), task('b')))).toEqual([]);
  });

  it('tell that secrets of a call go to a host that comes from data only where it is named for them', () => {
    const warning =
      'nodes[0].action.request.url: The host comes from data: the secrets of this call, and tokens fetched with them, go only ' +
      'to hosts that secrets.hosts names for them.';
    const saga = (request: JsonObject): JsonObject =>
      graphOf('a', task('a', { action: { mode: 'sync', request: { ...call('a'), ...request } } }));
    const auth = { type: 'bearer', secret: 'KEY' };
    const headers = { 'X-Key': '{{secrets.KEY}}' };
    expect(warningsOf(saga({ url: '{{payload.url}}', headers }))).toEqual([warning]);
    expect(warningsOf(saga({ url: 'https://{{labels.host}}/', auth }))).toEqual([warning]);
    expect(warningsOf(saga({ url: '{{payload.url}}' }))).toEqual([]);
    expect(warningsOf(saga({ url: '{{vars.BASE}}/{{payload.id}}', headers, auth }))).toEqual([]);
  });

  it('tell that a header of the call keeps its authentication from being applied', () => {
    const auth = { type: 'bearer', secret: 'KEY' };
    const request = { ...call('a'), auth, headers: { AUTHORIZATION: 'Bearer {{secrets.OTHER}}' } };
    expect(warningsOf(graphOf('a', task('a', { action: { mode: 'sync', request } })))).toEqual([
      'nodes[0].action.request.auth: It is not applied: the Authorization header of the call wins.',
    ]);
    const silent = { ...request, headers: { 'X-Authorization': 'x' } };
    expect(warningsOf(graphOf('a', task('a', { action: { mode: 'sync', request: silent } })))).toEqual([]);
  });

  it('see that a sibling branch may fail, unless its join continues', () => {
    const split = (onBranchFailure: string): JsonObject =>
      graphOf('s', { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' }, post('a'), task('b'), {
        kind: 'join',
        id: 'j',
        onBranchFailure,
      });
    expect(warningsOf(split('fail'))).toHaveLength(1);
    expect(warningsOf(split('continue'))).toEqual([]);
  });

  it('see which nodes every way to a template has visited', () => {
    const choose = { kind: 'switch', id: 's', cases: [{ when: true, target: 'a' }], default: 'b' };
    const ways = graphOf('s', choose, task('a', { next: 'c' }), task('b', { next: 'c' }), reader('c', 'a'));
    expect(warningsOf(ways)).toEqual([
      'nodes[3].action.request.url: "nodes.a.response.body.id" may be missing: some way to "c" does not visit "a".',
    ]);
    expect(warningsOf(graphOf('a', task('a', { next: 'c' }), reader('c', 'a')))).toEqual([]);
    expect(warningsOf(graphOf('c', reader('c', 'c')))).toHaveLength(1);
  });

  it('see through loops', () => {
    const again = { kind: 'switch', id: 's', cases: [{ when: true, target: 'b' }], default: 'd' };
    const loop = graphOf(
      'a',
      task('a', { next: 'b' }),
      reader('b', 'c', { next: 'c' }),
      reader('c', 'a', { next: 's' }),
      again,
      reader('d', 'c'),
    );
    expect(warningsOf(loop).map((warning) => warning.split(':')[0])).toEqual(['nodes[1].action.request.url']);
  });

  it('see every branch after a join, unless failed ones are let pass', () => {
    const split = (onBranchFailure: string): JsonObject =>
      graphOf(
        's',
        { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
        task('a'),
        task('b'),
        { kind: 'join', id: 'j', onBranchFailure, next: 'c' },
        reader('c', 'a'),
      );
    expect(warningsOf(split('fail'))).toEqual([]);
    expect(warningsOf(split('continue'))).toHaveLength(1);
  });
});

describe('limits', () => {
  it('are the given ones', () => {
    const failed = compileDefinition(linear, { hash: 'h', limits: { maxNodes: 2, maxNodeVisitsCap: 50 } });
    expect(failed).toMatchObject({
      errors: [
        'maxNodeVisits: Must be a number of visits, a whole number from 1 to 50, not 100.',
        'steps: A definition has at most 2 steps, not 3.',
      ],
    });
  });

  it('count bytes as they are sent', () => {
    const definition: JsonObject = {
      ...smallest,
      description: 'ä€😀"\n\ud800',
      'x-a': [1, 2.5, true, false, null, {}],
    };
    const bytes = Buffer.byteLength(JSON.stringify(definition));
    const accepts = (maxBytes: number): boolean =>
      compileDefinition(definition, { hash: 'h', limits: { maxBytes } }).ok;
    expect([accepts(bytes), accepts(bytes - 1)]).toEqual([true, false]);
  });

  it('hold for what has no end', () => {
    const endless: Record<string, Json> = { ...smallest };
    endless['x-self'] = endless;
    let wide: Json = 'x';
    for (let i = 0; i < 60; i++) wide = [wide, wide];
    let deep: Json = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(errorsOf(endless)).toHaveLength(1);
    expect(errorsOf({ ...smallest, 'x-wide': wide })).toHaveLength(1);
    expect(errorsOf(deep)).toHaveLength(1);
  });

  it('keep the time for the largest graph short', () => {
    // Every node but the last may go back to each node before it.
    const nodes = Array.from({ length: 499 }, (_, i): JsonObject => ({
      kind: 'switch',
      id: `n${String(i)}`,
      cases: [{ when: true, target: `n${String(Math.max(0, i - 1))}` }],
      default: i === 498 ? 'end' : `n${String(i + 1)}`,
    }));
    const began = performance.now();
    expect(errorsOf(graphOf('n0', ...nodes.reverse(), task('end')))).toEqual([]);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('compileDefinition', () => {
  const check = (definition: Json): void => {
    const compiled = compile(definition);
    expect(compiled.ok || compiled.errors.length > 0).toBe(true);
    expect(compile(definition).warnings).toEqual(compiled.warnings);
  };

  it('never throws, whatever the document is', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => check(value as Json)));
  });

  it('never throws, whatever stands somewhere in a definition', () => {
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(
        '{{',
        '{{#a}}',
        '{{nodes.}}',
        '__proto__',
        'constructor',
        'http://',
        { value: 'x' },
        { var: '' },
        1e308,
      ),
      fc.constantFrom('a', 'both', 'booked', 'hotel', 'seats', 'seated', 'poll', 'split', 'join', 'async', 'toString'),
    );
    const definitions = validDefinitions.map(({ definition }) => definition);
    const property = fc.property(
      fc.constantFrom(...definitions),
      fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 4 }),
      (definition, changes) => {
        const document = structuredClone(definition) as Json;
        for (const [position, value] of changes) replaceAt(document, position, structuredClone(value) as Json);
        check(document);
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
});

/** Replaces one value within a document, selected by its position in document order. */
function replaceAt(document: Json, position: number, value: Json): void {
  const places: [Record<string, Json>, string][] = [];
  const collect = (item: Json): void => {
    if (typeof item !== 'object' || item === null) return;
    for (const [key, child] of Object.entries(item as JsonObject)) {
      places.push([item as Record<string, Json>, key]);
      collect(child);
    }
  };
  collect(document);
  const place = places[position % Math.max(1, places.length)];
  if (place !== undefined)
    Object.defineProperty(place[0], place[1], { value, enumerable: true, configurable: true, writable: true });
}

it('refuses labels that not every store can keep', () => {
  const labels = { good: 'x', bad: 'a\0b', ['\ud800']: 'x' };
  const sentence = 'Must hold no control character and no half of a character.';
  expect(errorsOf({ ...graphOf('a', task('a')), labels })).toEqual([
    `labels.bad: ${sentence}`,
    `labels["\\ud800"]: ${sentence}`,
  ]);
});

// Each of these once took seconds to minutes; the time limit of the test detects a regression.
describe('a hostile definition', () => {
  it('is not compared letter by letter to find what its dangling references meant', () => {
    const long = 'a'.repeat(100_000);
    expect(errorsOf(graphOf(`${long}b`, task(`${long}c`)))).not.toEqual([]);
    const ids = Array.from({ length: 450 }, (_, i) => `${'p'.repeat(110)}${String(i).padStart(5, '0')}`);
    const nodes = ids.map((id) => ({ kind: 'sleep', id, durationMillis: 1, next: `${'p'.repeat(110)}zzzzz` }));
    expect(errorsOf(graphOf(ids[0] ?? '', ...nodes))).not.toEqual([]);
  });

  it('may have a path of very many parts', () => {
    const body = `{{nodes.${'a.'.repeat(100_000)}b}}`;
    const action = { mode: 'sync', request: { ...call('a', 'POST'), body } };
    expect(errorsOf(graphOf('a', task('a', { action })))).toHaveLength(1);
  });
});

describe('what a dangling reference meant', () => {
  const nodes = (next: string): Json => graphOf('reserve', task('reserve', { next }), task('shipment'));

  it.each(['shipmnt', 'Shipment', 'shippmennt', 'hsipment', 'shipments', 'hipmen'])('is found for %s', (next) => {
    const sentence = `nodes[0].next: There is no node "${next}"; did you mean "shipment"?`;
    expect(errorsOf(nodes(next))).toContain(sentence);
  });

  it.each(['shpmet1', 'xxipmenty', 'ship', 'tnempihs'])('is not guessed for %s', (next) => {
    expect(errorsOf(nodes(next))).toContain(`nodes[0].next: There is no node "${next}".`);
  });
});
