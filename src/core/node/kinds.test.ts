import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apply, type Env, type Run } from '../apply.ts';
import { compileDefinition, type Compilation } from '../definition/compile.ts';
import { edgeAt } from '../definition/node-draft.ts';
import { next, nodeShape, required, template } from '../definition/shape/fields.ts';
import { definitionJsonSchema } from '../definition/shape/json-schema.ts';
import { compileText } from '../definition/call-plan.ts';
import { conditionContext } from '../context/context-of.ts';
import type { NodeBase, Plan } from '../plan.ts';
import { begin } from '../start.ts';
import { currentNodes, summarize } from '../summary.ts';
import type { Template } from '../template/template.ts';
import { goTo } from '../transition/route.ts';
import type { Json, JsonObject } from '../value/json.ts';
import { nextOf, placeOf, type NodeKind } from './kind.ts';
import { nodeKinds } from './kinds.ts';
import { quietRow } from '../transition/quiet-row.ts';

/**
 * A node kind that does not exist in the product: it adds a remark to the history, sleeps for a second and continues.
 */
interface RemarkPlan extends NodeBase {
  readonly kind: 'remark';
  readonly remark: Template;
  readonly next?: string;
}

const remarkKind: NodeKind<RemarkPlan> = {
  shape: nodeShape({ remark: required(template, 'What the history says; a template.'), next }),
  read: (json, path) => ({ edges: edgeAt('next', json, path), canFail: true, fields: ['response'] }),
  compile(node, base, compiling) {
    const remark = compileText(placeOf(node, 'remark'), { kind: 'during', nodeId: base.id }, compiling);
    return remark === undefined ? undefined : { ...base, kind: 'remark', remark, ...nextOf(node) };
  },
  enter(d, token, node, visit) {
    const rendered = node.remark.render(conditionContext(d.run, token, d.env, visit), undefined, d);
    const note = rendered.ok ? rendered.text : rendered.error;
    const output = { response: { status: 200, headers: {}, body: note } };
    d.step({ ...quietRow(d, token, node, visit), phase: 'SLEEP', outcome: 'succeeded', final: true, note, output });
    d.move(token, { kind: 'sleeping', since: d.now, until: d.now + 1_000, visit });
  },
  wake(d, token, node) {
    goTo(d, token, node.next);
  },
};

const env: Env = {
  now: 1_000,
  advance: true,
  random: () => 0.5,
  nonce: () => 'n',
  executionId: () => 'child',
  callbackKey: () => undefined,
  variable: () => undefined,
  limits: {
    maxNodeVisits: 10,
    maxNodeVisitsCap: 10,
    hookMaxMillis: 0,
    hookDeliverMillis: 0,
    maxRetryAfterMillis: 0,
    maxAdvances: 10,
    maxTurnSteps: 1_000,
    maxTurnBytes: 1_000,
  },
};

const call: JsonObject = { mode: 'sync', request: { url: 'http://x/', verb: 'POST' } };

function compile(changes: JsonObject, others: readonly Json[] = []): Compilation {
  const first = { id: 'first', kind: 'remark', remark: 'Hello {{payload.who}}.', next: 'end', ...changes };
  const end = { id: 'end', kind: 'fail', reason: 'After: {{nodes.first.response.body}}' };
  const nodes = [first, end, ...others];
  return compileDefinition({ name: 'n', version: '1', entrypoint: 'first', nodes }, { hash: 'hash' });
}

function planOf(compiled: Compilation): Plan {
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

describe('a kind that only the registry knows', () => {
  const kinds: Record<string, unknown> = nodeKinds;
  beforeEach(() => {
    kinds['remark'] = remarkKind;
  });
  afterEach(() => {
    delete kinds['remark'];
  });

  it('runs from its document', () => {
    const compiled = compile({});
    expect(compiled).toMatchObject({ ok: true, warnings: [] });
    const plan = planOf(compiled);
    const header = { id: 'e1', name: 'n', version: '1', payload: { who: 'you' }, labels: {} };
    const begun = begin(plan, header, env);
    expect(begun.steps.map(({ nodeId, note }) => [nodeId, note])).toEqual([['first', 'Hello you.']]);
    expect(summarize(begun.state).status).toBe('SLEEPING');
    expect(currentNodes(plan, begun.state)).toEqual([
      { nodeId: 'first', visit: 1, state: 'SLEEPING', attempt: 1, since: 1_000, until: 2_000 },
    ]);

    const run: Run = { plan, header, state: begun.state, outputs: begun.outputs };
    const woken = apply(run, { type: 'timer' }, { ...env, now: 2_000 });
    expect(woken.steps.map(({ nodeId, note }) => [nodeId, note])).toEqual([['end', 'After: Hello you.']]);
    expect(summarize(woken.state)).toMatchObject({ status: 'COMPENSATING', failureDescription: 'After: Hello you.' });
  });

  it('enters once the outputs that it reads are in memory', () => {
    const reader = { id: 'reader', kind: 'remark', remark: '{{nodes.first.response.body}}' };
    const plan = planOf(
      compile({ next: 'both' }, [
        { id: 'both', kind: 'switch', cases: [{ when: true, target: 'reader' }], default: 'end' },
        reader,
      ]),
    );
    expect(plan.asks.entry.get('reader')).toEqual({ nodes: ['first'], prev: false });
    expect(plan.asks.entry.has('both')).toBe(false);
  });

  it.each<readonly [JsonObject, readonly string[]]>([
    [{ remark: 7 }, ['nodes[0].remark: Must be a template, which is a string, not 7.']],
    [{ reason: 'no' }, ['nodes[0].reason: This field belongs to kind "fail", not to "remark".']],
    [{ next: 'ned' }, ['nodes[0].next: There is no node "ned".']],
    [
      { kind: 'remarc' },
      [
        'nodes[0].kind: "remarc" is not one of task, switch, sleep, split, join, fail, set, forEach, workflow, remark; did you mean "remark"?',
      ],
    ],
    [
      { remark: '{{nodes.end.response.body}}' },
      [
        'nodes[0].remark: "nodes.end.response.body" is never there: "end" is a fail, which answers nothing; its visit is all that can be read.',
      ],
    ],
    [
      { remark: '{{nodes.first.callback.body}}' },
      [
        'nodes[0].remark: "nodes.first.callback.body" is never there: "first" is a remark, which has only response and visit.',
      ],
    ],
  ])('is validated: %j', (changes, expected) => {
    const compiled = compile(changes);
    expect(compiled.ok ? [] : compiled.errors).toEqual(expect.arrayContaining([...expected]));
  });

  it('is part of the checks of the whole graph', () => {
    const task = { id: 'pay', kind: 'task', action: call, next: 'first' };
    const compiled = compileDefinition(
      {
        name: 'n',
        version: '1',
        entrypoint: 'pay',
        nodes: [task, { id: 'first', kind: 'remark', remark: 'Hello.' }],
      },
      { hash: 'hash' },
    );
    expect(compiled.warnings).toEqual([
      'nodes[0].action.request.verb: POST changes something, and nothing undoes it when "first" fails later; add a compensation, or "uncompensated": true where that is meant.',
    ]);
  });

  it('is part of the JSON Schema', () => {
    const { $defs } = definitionJsonSchema() as { readonly $defs: { readonly Node: JsonObject } };
    expect($defs.Node['properties']).toMatchObject({ kind: { enum: expect.arrayContaining(['remark']) as unknown } });
    expect(JSON.stringify($defs.Node)).toContain('What the history says; a template.');
  });
});

it('does not compile without a kind', () => {
  const { fail: _fail, ...others } = nodeKinds;
  // @ts-expect-error The entry of `fail` is missing.
  const incomplete: typeof nodeKinds = others;
  expect(Object.keys(incomplete)).not.toContain('fail');
});
