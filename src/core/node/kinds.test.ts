import { expect, it } from 'vitest';
import { apply, type Env, type Run } from '../apply.ts';
import { Outputs } from '../context/outputs.ts';
import { compileDefinition } from '../definition/compile.ts';
import type { NodePlan, Plan } from '../plan.ts';
import { begin } from '../start.ts';
import { goTo } from '../transition/route.ts';
import type { NodeKind } from './kind.ts';
import { nodeKinds } from './kinds.ts';
import { quietRow } from './visit.ts';

/**
 * A node kind that does not exist in the product: it adds a remark to the history, sleeps for a second and continues.
 */
interface RemarkPlan {
  readonly kind: 'remark';
  readonly id: string;
  readonly index: number;
  readonly remark: string;
  readonly next: string;
}

const remarkKind: NodeKind<RemarkPlan> = {
  compile: () => undefined,
  enter(d, token, node, visit) {
    d.step({ ...quietRow(d, token, node, visit), phase: 'SLEEP', outcome: 'pending', final: false, note: node.remark });
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

/** A definition with one `fail` node, preceded by a remark. */
function planWithRemark(): Plan {
  const document = {
    name: 'n',
    version: '1',
    entrypoint: 'end',
    nodes: [{ id: 'end', kind: 'fail', reason: 'The end.' }],
  };
  const compiled = compileDefinition(document, { hash: 'hash' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  const remark: RemarkPlan = { kind: 'remark', id: 'first', index: 1, remark: 'Hello.', next: 'end' };
  const nodes = new Map(compiled.plan.nodes).set('first', remark as unknown as NodePlan);
  return { ...compiled.plan, entry: 'first', nodes };
}

it('moves tokens through a kind that only the registry knows', () => {
  const kinds: Record<string, NodeKind> = nodeKinds;
  kinds['remark'] = remarkKind as unknown as NodeKind;
  try {
    const plan = planWithRemark();
    const header = { id: 'e1', name: 'n', version: '1', payload: {}, labels: {} };
    const begun = begin(plan, header, env);
    expect(begun.steps.map(({ nodeId, note }) => [nodeId, note])).toEqual([['first', 'Hello.']]);
    expect(begun.state.tokens).toMatchObject([{ nodeId: 'first', stage: { kind: 'sleeping', until: 2_000 } }]);

    const run: Run = { plan, header, state: begun.state, outputs: Outputs.empty };
    const woken = apply(run, { type: 'timer' }, { ...env, now: 2_000 });
    expect(woken.steps.map(({ nodeId, note }) => [nodeId, note])).toEqual([['end', 'The end.']]);
  } finally {
    delete kinds['remark'];
  }
});

it('does not compile without a kind', () => {
  const { fail: _fail, ...others } = nodeKinds;
  // @ts-expect-error The entry of `fail` is missing.
  const incomplete: typeof nodeKinds = others;
  expect(Object.keys(incomplete)).not.toContain('fail');
});
