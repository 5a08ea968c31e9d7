/**
 * The cost of a definition grows only linearly with its size. Two measures: the exact number of reads of the document
 * while it is checked, and, for the work on its compiled parts, the processor time at ten times the size relative to
 * the time at the size, with a tolerance factor of five. Quadratic work would take a hundred times as long.
 */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../value/json.ts';
import { compileDefinition } from './compile.ts';

const list = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const fields = (count: number, make: (index: number) => readonly [string, Json]): JsonObject =>
  Object.fromEntries(list(count, make));
const request = (more: JsonObject = {}): JsonObject => ({ url: 'http://a.example/', verb: 'POST', ...more });
const chain = (up: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: 'x',
  version: '1',
  steps: [{ name: 'a', up: request(up) }],
  ...more,
});
const graph = (...nodes: readonly JsonObject[]): JsonObject => ({ name: 'x', version: '1', entrypoint: 'a', nodes });
const end: JsonObject = { id: 'z', kind: 'sleep', durationMillis: 1 };
const cases = (count: number, of: (index: number) => JsonObject): JsonObject =>
  graph({ id: 'a', kind: 'switch', cases: list(count, of), default: 'z' }, end);
const split = (branches: readonly Json[]): JsonObject =>
  graph({ id: 'a', kind: 'split', branches, join: 'j' }, { id: 'j', kind: 'join' });
const retryOn = (statusCodes: readonly Json[]): JsonObject =>
  chain({}, { failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1, retryOn: { statusCodes } } });

/** Definitions of many kinds, including invalid ones, with about `n` parts. */
const definitions: readonly (readonly [string, (n: number) => JsonObject])[] = [
  ['tags', (n) => chain({ body: '{{payload.a}}'.repeat(n) })],
  ['tags that name nothing', (n) => chain({ body: '{{}}'.repeat(n) })],
  ['paths that do not exist', (n) => chain({ body: '{{nodes.b}}'.repeat(n) })],
  ['sections that are never closed', (n) => chain({ body: '{{#payload}}'.repeat(n) })],
  ['sections that were never opened', (n) => chain({ body: '{{/a}}'.repeat(n) })],
  ['comments', (n) => chain({ body: '{{!}}\n'.repeat(n) })],
  ['a long path', (n) => chain({ body: `{{payload${'.a'.repeat(n)}}}` })],
  ['a long path into a node', (n) => chain({ body: `{{nodes${'.a'.repeat(n)}}}` })],
  ['a list of templates', (n) => chain({ body: list(n, () => '{{payload.a}}') })],
  ['broken templates under a long key', (n) => chain({ body: { ['k'.repeat(10 * n)]: list(n, () => '{{a}}') } })],
  ['an object of texts', (n) => chain({ body: fields(n, (i) => [`k${String(i)}`, 'x']) })],
  ['headers', (n) => chain({ headers: fields(n, (i) => [`h${String(i)}`, '{{payload.a}}']) })],
  ['headers that are no templates', (n) => chain({ headers: fields(n, (i) => [`h${String(i)}`, i]) })],
  ['a long URL', (n) => chain({ url: `http://a.example/${'{{payload.a}}/'.repeat(n)}` })],
  ['status codes', (n) => chain({ successStatusCodes: list(n, (i) => 100 + (i % 500)) })],
  ['status codes that are none', (n) => chain({ successStatusCodes: list(n, () => 1) })],
  ['codes to retry', (n) => retryOn(list(n, () => 500))],
  ['codes to retry that are none', (n) => retryOn(list(n, () => 1))],
  ['labels', (n) => chain({}, { labels: fields(n, (i) => [`l${String(i)}`, 'x']) })],
  ['paths of the payload', (n) => chain({}, { requiredPayload: list(n, () => 'a') })],
  [
    'unknown fields',
    (n) =>
      chain(
        {},
        fields(n, (i) => [`f${String(i)}`, 1]),
      ),
  ],
  ['unknown fields like known ones', (n) => graph({ ...end, ...fields(n, (i) => [`durationMill${String(i)}`, 1]) })],
  ['branches', (n) => split(list(n, (i) => `b${String(i)}`))],
  ['one branch again and again', (n) => split(list(n, () => 'b'))],
  ['branches that are numbers', (n) => split(list(n, (i) => i))],
  ['cases', (n) => cases(n, () => ({ when: { '==': [{ var: 'payload.a' }, 1] }, target: 'z' }))],
  ['cases that lead nowhere', (n) => cases(n, (i) => ({ when: true, target: `b${String(i)}` }))],
  ['cases without anything', (n) => cases(n, () => ({}))],
  [
    'a condition of many',
    (n) => cases(1, () => ({ when: { and: list(n, () => ({ var: 'payload.a' })) }, target: 'z' })),
  ],
  ['operators that do not exist', (n) => cases(1, () => ({ when: { and: list(n, () => ({ no: 1 })) }, target: 'z' }))],
  ['nodes that are none', (n) => ({ ...graph(), nodes: list(n, () => null) })],
  ['nodes without anything', (n) => ({ ...graph(), nodes: list(n, () => ({})) })],
];

/** Graphs of `n` nodes. */
const graphs: readonly (readonly [string, (n: number) => JsonObject])[] = [
  [
    'calls without compensation before many ways',
    (n) =>
      graph(
        ...list(n, (i) => ({
          id: i === 0 ? 'a' : `t${String(i)}`,
          kind: 'task',
          action: { mode: 'sync', request: request() },
          next: i < n - 1 ? `t${String(i + 1)}` : 's',
        })),
        { id: 's', kind: 'switch', cases: list(10 * n, () => ({ when: true, target: 'z' })), default: 'z' },
        end,
      ),
  ],
  [
    'a loop that is entered at its end',
    (n) =>
      graph(
        { id: 'a', kind: 'switch', cases: [{ when: true, target: `n${String(n - 1)}` }], default: 'n0' },
        ...list(n, (i) => ({
          id: `n${String(i)}`,
          kind: 'switch',
          cases: [{ when: true, target: i === 0 ? 'z' : `n${String(i - 1)}` }],
          default: i === n - 1 ? 'z' : `n${String(i + 1)}`,
        })),
        end,
      ),
  ],
  [
    'splits within splits',
    (n) =>
      graph(
        ...list(n / 3, (i) => [
          {
            id: i === 0 ? 'a' : `s${String(i)}`,
            kind: 'split',
            branches: [`t${String(i)}`, i < n / 3 - 1 ? `s${String(i + 1)}` : 'z'],
            join: `j${String(i)}`,
          },
          { id: `j${String(i)}`, kind: 'join' },
          { id: `t${String(i)}`, kind: 'task', action: { mode: 'sync', request: request() } },
        ]).flat(),
        end,
      ),
  ],
];

const limits = { maxBytes: 100_000_000, maxNodes: 1_000_000 };

/** Wraps a document and counts all reads of it. */
function counting(document: Json, count: { reads: number }): Json {
  if (typeof document !== 'object' || document === null) return document;
  const children = new Map<unknown, Json>();
  const read = <T>(value: T): T => {
    count.reads++;
    return value;
  };
  return new Proxy(document, {
    get(target, key) {
      const value = read(Reflect.get(target, key) as Json);
      if (typeof value !== 'object' || value === null) return value;
      if (!children.has(key)) children.set(key, counting(value, count));
      return children.get(key);
    },
    has: (target, key) => read(Reflect.has(target, key)),
    ownKeys(target) {
      const keys = Reflect.ownKeys(target);
      count.reads += keys.length;
      return keys;
    },
    getOwnPropertyDescriptor(target, key) {
      return read(Reflect.getOwnPropertyDescriptor(target, key));
    },
  });
}

function readsOf(document: Json): number {
  const count = { reads: 0 };
  compileDefinition(counting(document, count), { hash: 'h', limits });
  return count.reads;
}

/** Processor time in milliseconds; the minimum of three measurements. */
function millisOf(document: Json): number {
  return Math.min(
    ...list(3, () => {
      const before = process.cpuUsage();
      compileDefinition(document, { hash: 'h', limits });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    }),
  );
}

describe('a definition is read in proportion to its size', () => {
  it.each(definitions)('with %s', (_of, make) => {
    const [some, more] = [readsOf(make(200)), readsOf(make(2000))];
    expect(more).toBeLessThan(11 * some + 1000);
  });
});

describe('a definition is compiled in proportion to its size', () => {
  it.each(definitions)('with %s', (_of, make) => {
    const some = millisOf(make(500));
    expect(millisOf(make(5000))).toBeLessThan(50 * Math.max(some, 1));
  });
});

describe('a graph is analysed in proportion to what it may have', () => {
  it.each(graphs)('with %s', (_of, make) => {
    // For every call, all nodes that may follow are visited, so the work is quadratic in the number of nodes, which is
    // bounded.
    const some = millisOf(make(48));
    expect(millisOf(make(480))).toBeLessThan(200 * Math.max(some, 1));
  });
});
