import { expect, it } from 'vitest';
import { compileDefinition } from '../definition/compile.ts';
import { definitionJsonSchema } from '../definition/shape/json-schema.ts';
import type { Json, JsonObject } from '../value/json.ts';

/** Compiles a graph that begins with a workflow node of these fields. */
function compile(fields: JsonObject, others: readonly Json[] = [], more: JsonObject = {}) {
  const node = { kind: 'workflow', id: 'sub', definition: { name: 'other', version: '1' }, ...fields };
  return compileDefinition(
    { name: 'n', version: '1', entrypoint: 'sub', nodes: [node, ...others], ...more },
    { hash: 'hash' },
  );
}

function errorsOf(fields: JsonObject, others: readonly Json[] = []): readonly string[] {
  const compiled = compile(fields, others);
  return compiled.ok ? [] : compiled.errors;
}

const end = (reason: string) => ({ kind: 'fail', id: 'end', reason });

it('compiles with defaults, and names what it starts', () => {
  const compiled = compile({ labels: null, payload: null });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  expect(compiled.warnings).toEqual([]);
  expect(compiled.plan).toMatchObject({ format: 2, starts: [{ name: 'other', version: '1' }] });
  expect(compiled.plan.nodes.get('sub')).toMatchObject({ wait: true, compensation: 'undo' });
});

it.each<readonly [string, JsonObject, readonly string[]]>([
  ['no definition', { definition: null }, ['nodes[0].definition: This field is required.']],
  [
    'a policy',
    { failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1 } },
    ['nodes[0].failureHandling: This field belongs to kind "task", not to "workflow".'],
  ],
  [
    'a start time',
    { startAt: '2030-01-01T00:00:00Z' },
    [
      'nodes[0].startAt: This field is unknown here; known are kind, id, definition, payload, labels, wait, timeoutMillis, compensation, onFailure, next.',
    ],
  ],
  [
    'a secret in the payload',
    { payload: { a: '{{secrets.A}}' } },
    ['nodes[0].payload.a: The path "secrets.A" can be read in calls only.'],
  ],
  [
    'a callback in the payload',
    { payload: { a: '{{runtime.callback.url}}' } },
    ['nodes[0].payload.a: The path "runtime.callback.url" can be read in requests of async nodes only.'],
  ],
  [
    'another compensation',
    { compensation: 'und' },
    ['nodes[0].compensation: Must be "undo", "none" or a call, not "und".'],
  ],
  [
    'a compensation without a URL',
    { compensation: { verb: 'POST' } },
    ['nodes[0].compensation.url: This field is required.'],
  ],
  [
    'an unknown path in the compensation',
    { compensation: { url: 'http://x/{{nodes.no.visit}}', verb: 'POST' } },
    ['nodes[0].compensation.url: The path "nodes.no.visit" names a node that the definition does not have.'],
  ],
  [
    'a misspelled field',
    { definitoin: {} },
    ['nodes[0].definitoin: This field is unknown here; did you mean "definition"?'],
  ],
])('reports %s', (_what, fields, expected) => {
  expect(errorsOf(fields)).toEqual(expected);
});

it('reports fields of the child that no child has, and places that may not have run', () => {
  expect(errorsOf({ next: 'end' }, [end('{{nodes.sub.child.result}}')])).toEqual([
    'nodes[1].reason: The path "nodes.sub.child.result" knows no child.result.',
  ]);
  expect(errorsOf({ next: 'end' }, [end('{{nodes.sub.callback.body}}')])).toEqual([
    'nodes[1].reason: "nodes.sub.callback.body" is never there: "sub" is a workflow, which has only response, failure, child and visit.',
  ]);
  expect(errorsOf({ next: 'end' }, [end('{{nodes.sub.child.status}} {{nodes.sub.response.body.a}}')])).toEqual([]);
});

it.each<readonly [string, JsonObject, readonly string[]]>([
  [
    'its own name',
    { definition: { name: 'n', version: '2' } },
    [
      'nodes[0].definition.name: "n" is the definition itself, so that each run may start another one; a family is at most 10 deep.',
    ],
  ],
  [
    'a time that nothing waits for',
    { wait: false, timeoutMillis: 5 },
    ['nodes[0].timeoutMillis: This field has no effect: the node does not wait for the run.'],
  ],
])('warns of %s', (_what, fields, expected) => {
  expect(compile(fields).warnings).toEqual(expected);
});

it('is part of the JSON Schema', () => {
  const { $defs } = definitionJsonSchema() as { readonly $defs: { readonly Node: JsonObject } };
  expect($defs.Node['properties']).toMatchObject({ kind: { enum: expect.arrayContaining(['workflow']) as unknown } });
  expect(JSON.stringify($defs.Node)).toContain('What compensates the node');
});
