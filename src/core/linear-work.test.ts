/**
 * Work grows at most linearly with its input. For random conditions, templates and requests built from potentially
 * expensive parts, four times the input may cost at most six times as much (quadratic work would cost sixteen times as
 * much), both in charged and in actual work. Actual work is counted without a clock: reads of the data through proxies,
 * node lookups, and functions that process a whole text.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeView, RenderContext } from './context/context.ts';
import { compileExpression } from './expression/expression.ts';
import { isRawNumber, type Json, type JsonArray, type JsonObject, rawNumber } from './value/json.ts';
import type { Meter } from './meter.ts';
import { renderRequest } from './request/render.ts';
import { compileRequest } from './request/request.ts';
import { compileTemplate } from './template/template.ts';

/** The charged and the actual work. */
interface Work {
  readonly steps: number;
  readonly bytes: number;
  readonly done: number;
  /** The error, if any. */
  readonly error: string | undefined;
}

class Tally implements Meter {
  steps = 0;
  bytes = 0;
  done = 0;

  charge(steps: number, bytes: number): void {
    this.steps += steps;
    this.bytes += bytes;
  }
}

/** Wraps a value and counts every read of it. */
function counted(value: Json, tally: Tally): Json {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  return new Proxy<JsonArray | JsonObject>(value, {
    get: (target, key, receiver) => {
      tally.done++;
      return counted(Reflect.get(target, key, receiver) as Json, tally);
    },
  });
}

/** Data of which every part grows with `size`. */
function dataOf(size: number): JsonObject {
  const half = 'a'.repeat(4 * size);
  return {
    text: 'a'.repeat(16 * size),
    needle: `${half}b${half}`,
    digits: '7'.repeat(16 * size),
    number: rawNumber(`1${'0'.repeat(16 * size)}`),
    list: Array.from({ length: size }, (_, i) => i),
    texts: Array.from({ length: size }, (_, i) => `text ${String(i % 10)}`),
    people: Array.from({ length: size }, (_, i) => ({ name: 'Al', age: i % 90 })),
    path: 'list.'.repeat(size),
  };
}

function contextOf(size: number, tally: Tally): RenderContext {
  const ids = Array.from({ length: size }, (_, i) => `n${String(i)}`);
  return {
    payload: counted(dataOf(size), tally) as JsonObject,
    labels: {},
    sagaId: 'e',
    sagaName: 's',
    sagaVersion: '1',
    stepName: 'n0',
    phase: 'UP',
    attempt: 1,
    round: 1,
    variable: () => undefined,
    secret: () => undefined,
    node: (nodeId): NodeView => {
      tally.done++;
      return { nodeId, visit: 1, round: 1, response: { status: 200, headers: {}, body: null } };
    },
    get completed() {
      tally.done += ids.length;
      return ids;
    },
  };
}

/** Counts the characters that string functions process while `work` runs; 64 characters count as one read. */
function watched(tally: Tally, work: () => string | undefined): Work {
  const text = String.prototype;
  // oxlint-disable-next-line typescript/unbound-method -- called with their texts below
  const { indexOf, includes, charCodeAt } = text;
  const replacements = {
    indexOf(this: string, search: string, from = 0) {
      const at = indexOf.call(this, search, from);
      tally.done += ((at === -1 ? this.length : at) - from) / 64;
      return at;
    },
    includes(this: string, search: string) {
      // The worst case is proportional to the product of both lengths.
      tally.done += (this.length * search.length) / 64;
      return includes.call(this, search);
    },
    charCodeAt(this: string, at: number) {
      tally.done += 1 / 64;
      return charCodeAt.call(this, at);
    },
  };
  // oxlint-disable-next-line no-extend-native -- put back below
  Object.assign(text, replacements);
  try {
    const error = work();
    return { steps: tally.steps, bytes: tally.bytes, done: tally.done, error };
  } finally {
    // oxlint-disable-next-line no-extend-native -- as it was
    Object.assign(text, { indexOf, includes, charCodeAt });
  }
}

const sizes = [64, 256, 1024] as const;
const unlimited = 1e9;

/** Expects that work grows at most linearly with its input, and that the charged work covers the actual work. */
function expectLinear(what: string, of: (size: number) => Work): void {
  const works = sizes.map(of);
  for (const [i, work] of works.entries()) {
    // One step covers 64 characters or a few reads.
    expect(work.done, `work of ${what} of size ${String(sizes[i])}`).toBeLessThan(40 * work.steps + work.bytes + 4_000);
    const before = works[i - 1];
    if (before === undefined || before.error !== work.error) continue;
    for (const part of ['steps', 'bytes', 'done'] as const) {
      expect(work[part], `${part} of ${what} of size ${String(sizes[i])}`).toBeLessThanOrEqual(6 * before[part] + 400);
    }
  }
}

const read = (name: string): Json => ({ var: `payload.${name}` });
const item: Json = { var: '' };

const values = fc.constantFrom<Json>(
  ...['text', 'needle', 'digits', 'number', 'list', 'texts', 'people', 'path'].map(read),
  { var: 'payload' },
  { var: { cat: ['payload.', read('path')] } },
  { var: 'steps' },
  { var: 'step.0.index' },
  { map: [read('list'), 'x'] },
  { map: [read('people'), { var: 'age' }] },
  { filter: [read('people'), { '>': [{ var: 'age' }, 30] }] },
  { merge: [read('list'), read('texts')] },
  { cat: [read('text'), read('list'), read('texts')] },
  { reduce: [read('list'), { '+': [{ var: 'accumulator' }, { var: 'current' }] }, 0] },
  1,
  'x',
  null,
);

const each = fc.constantFrom<Json>(
  item,
  { '==': [item, 3] },
  { in: ['text 1', item] },
  { cat: [item, 'x'] },
  { missing: ['name'] },
  { '+': [{ var: 'age' }, 1] },
  { var: { cat: ['na', 'me'] } },
);

const conditions: fc.Arbitrary<Json> = fc.oneof(
  fc
    .tuple(fc.constantFrom('==', '!=', '===', '<', '>=', 'in', 'cat', '+', '*', 'max', 'merge', 'or'), values, values)
    .map(([name, a, b]): Json => ({ [name]: [a, b] })),
  fc.tuple(fc.constantFrom('!', 'length', 'missing', '-', '+'), values).map(([name, a]): Json => ({ [name]: [a] })),
  fc.tuple(values, values, values).map(([a, b, c]): Json => ({ substr: [a, b, c] })),
  fc.tuple(values, values).map(([a, b]): Json => ({ missing_some: [a, b] })),
  fc
    .tuple(fc.constantFrom('map', 'filter', 'all', 'none', 'some'), values, each)
    .map(([name, list, logic]): Json => ({ [name]: [list, logic] })),
);

/** Inputs that once were exploitable, and variants of them. */
const seen: readonly Json[] = [
  { in: [read('needle'), read('text')] },
  { in: [read('text'), { map: [read('list'), read('text')] }] },
  { '+': [read('digits'), read('digits'), read('number')] },
  { '<': [read('digits'), 1, read('digits')] },
  { '==': [read('digits'), 7] },
  { in: [read('number'), read('list')] },
  { '===': [read('text'), { cat: [read('text')] }] },
  { some: [read('texts'), { '===': [item, 'text 11'] }] },
  { and: [{ var: 'steps' }, { var: 'steps.0' }, { var: 'step.3.index' }, { var: 'step.4' }] },
  { missing: read('texts') },
  { var: read('path') },
  { length: [{ var: 'payload' }] },
];

describe('work', () => {
  it('of conditions grows with their data', () => {
    const options = { nodeIds: new Set<string>(), allow: { callback: false }, maxSteps: unlimited };
    fc.assert(
      fc.property(conditions, (logic) => {
        const compiled = compileExpression(logic, options);
        if ('errors' in compiled) return;
        expectLinear(JSON.stringify(logic), (size) => {
          const tally = new Tally();
          const context = contextOf(size, tally);
          return watched(tally, () => {
            const verdict = compiled.expression.evaluate(context, { meter: tally });
            return verdict.ok ? undefined : verdict.error;
          });
        });
      }),
      { numRuns: 200, examples: seen.map((logic): [Json] => [logic]) },
    );
  });

  const parts = fc.constantFrom(
    '{{payload.text}}',
    '{{{payload.text}}}',
    '{{payload.list}}',
    '{{payload.number}}',
    '{{payload}}',
    '{{steps}}',
    '{{step.0.name}}',
    '{{#payload.list}}{{.}}{{/payload.list}}',
    '{{#payload.list}}{{steps.0.name}}{{step.0.index}}{{/payload.list}}',
    '{{#payload.people}}{{name}}{{^age}}{{steps.1.name}}{{/age}}{{/payload.people}}',
    '{{#payload.number}}x{{/payload.number}}',
    '{{#steps}}{{name}}{{/steps}}',
    '{{#payload.texts}}/{{.}}{{/payload.texts}}',
    'plain',
  );
  const templates = fc.array(parts, { minLength: 1, maxLength: 4 }).map((all) => all.join('-'));
  const options = {
    nodeIds: new Set<string>(),
    allow: { callback: false, failure: false },
    limits: { maxSteps: unlimited, maxBytes: unlimited },
  };

  it('of templates grows with their data', () => {
    const kinds = fc.constantFrom('text', 'json', 'xml', 'form', 'header');
    fc.assert(
      fc.property(templates, kinds, (source, kind) => {
        const compiled = compileTemplate(source, options, kind);
        if ('errors' in compiled) throw new Error(compiled.errors.join(' '));
        expectLinear(source, (size) => {
          const tally = new Tally();
          const context = contextOf(size, tally);
          return watched(tally, () => {
            const rendered = compiled.template.render(context, undefined, tally);
            return rendered.ok ? undefined : rendered.error;
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  it('of requests grows with their data, and with their headers', () => {
    const requests = fc.record({ path: templates, query: templates, header: templates, body: templates });
    fc.assert(
      fc.property(requests, ({ path, query, header, body }) => {
        expectLinear([path, query, header, body].join(' '), (size) => {
          const headers = Object.fromEntries(Array.from({ length: size / 64 }, (_, i) => [`X-${String(i)}`, 'plain']));
          const call = {
            url: `http://h/${path}?q=${query}`,
            verb: 'POST',
            headers: { ...headers, 'X-A': header },
            body,
          };
          const compiled = compileRequest(call, options);
          if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
          const tally = new Tally();
          const context = contextOf(size, tally);
          return watched(tally, () => {
            const rendered = renderRequest(compiled.request, context, undefined, tally);
            return rendered.kind === 'request' ? undefined : 'unsent';
          });
        });
      }),
      { numRuns: 40 },
    );
  });

  it('of a request ends at the first byte too many, over all of its parts', () => {
    for (const count of [7, 70, 700]) {
      const headers = Object.fromEntries(
        Array.from({ length: count }, (_, i) => [`X-${String(i)}`, '{{payload.text}}']),
      );
      const compiled = compileRequest({ url: 'http://h/', verb: 'GET', headers }, options);
      if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
      const tally = new Tally();
      const context = contextOf(1_000, tally);
      const limits = { maxSteps: 100_000, maxBytes: 40_000 };
      expect(renderRequest(compiled.request, context, limits, tally)).toEqual({
        kind: 'unsent',
        reason: 'The rendered request is larger than 40000 bytes.',
      });
      // The third header, of 16 000 characters, was not written.
      expect(tally.bytes).toBeLessThan(60_000);
      expect(tally.done).toBeLessThan(20);
    }
  });
});
