import { conditionContext } from '../context/context-of.ts';
import { edgeAt } from '../definition/node-draft.ts';
import { json, next, nodeShape, optional, reference, required } from '../definition/shape/fields.ts';
import { compileValue } from '../definition/value-plan.ts';
import type { Draft } from '../draft.ts';
import type { SetPlan } from '../plan.ts';
import type { AttemptFailure, Token } from '../state.ts';
import { evaluateValue } from '../template/value.ts';
import { failToken } from '../transition/failure.ts';
import { quietRow } from '../transition/quiet-row.ts';
import { goTo, noteCompleted } from '../transition/route.ts';
import { nextOf, type NodeKind, placeOf, targetOf } from './kind.ts';

/** A node that computes a value without a call; what it computed is its answer. */
export const setKind: NodeKind<SetPlan> = {
  shape: nodeShape({
    body: required(json, 'The value: it becomes nodes.<id>.response.body.'),
    onFailure: optional(reference, 'Id of the node to go to when the value cannot be computed.'),
    next,
  }),
  read(document, path) {
    const onFailure = edgeAt('onFailure', document, path);
    return {
      edges: [...edgeAt('next', document, path), ...onFailure],
      canFail: onFailure.length === 0,
      fields: ['response', 'failure'],
    };
  },
  compile(node, base, compiling) {
    const body = compileValue(placeOf(node, 'body'), { kind: 'during', nodeId: base.id }, compiling);
    const onFailure = targetOf(node, 'onFailure');
    if (body === undefined) return undefined;
    return { ...base, kind: 'set', body, ...(onFailure === undefined ? {} : { onFailure }), ...nextOf(node) };
  },
  enter: compute,
};

function compute(d: Draft, token: Token, node: SetPlan, visit: number): void {
  const evaluated = evaluateValue(node.body, conditionContext(d.run, token, d.env, visit), d);
  const row = { ...quietRow(d, token, node, visit), phase: 'SET', final: true } as const;
  if (!evaluated.ok) {
    const description = `The value of ${node.id} could not be computed: ${evaluated.error}`;
    d.step({
      ...row,
      outcome: 'unsent',
      output: { failure: { outcome: 'unsent', reason: 'unsent' } },
      note: description,
    });
    const logged = `The value of ${node.id} could not be computed.`;
    const failure: AttemptFailure = { outcome: 'unsent', reason: 'unsent', description, logged };
    failToken(d, token, failure, { visit, undoFirst: false });
    return;
  }
  // The value is stored where everybody may read it: an echoed secret in it is masked, as it is in all that is computed.
  const body = d.env.maskJson?.(evaluated.value) ?? evaluated.value;
  const done = d.step({ ...row, outcome: 'succeeded', output: { response: { status: 200, headers: {}, body } } });
  noteCompleted(d, node.id);
  d.signal({ kind: 'step', nodeId: node.id, nodeKind: 'set', outcome: 'succeeded', durationMillis: 0 });
  goTo(d, d.put({ ...token, prev: { nodeId: node.id, ord: done.ord }, stage: { kind: 'ready' } }), node.next);
}
