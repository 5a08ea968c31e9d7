import { conditionContext } from '../context/context-of.ts';
import { compileTextOrValue } from '../definition/value-plan.ts';
import type { Draft } from '../draft.ts';
import { required, nodeShape, templateOrValue } from '../definition/shape/fields.ts';
import type { FailPlan } from '../plan.ts';
import type { Token } from '../state.ts';
import { renderText } from '../template/value.ts';
import { failToken } from '../transition/failure.ts';
import { type NodeKind, placeOf } from './kind.ts';
import { quietRow } from '../transition/quiet-row.ts';

/** A node that fails the execution, or its branch, with a rendered reason. */
export const failKind: NodeKind<FailPlan> = {
  shape: nodeShape({ reason: required(templateOrValue, 'Why the execution fails; a template, or a value.') }),
  read: () => ({ edges: [], canFail: true, neverSucceeds: true }),
  compile(node, base, compiling) {
    const reason = compileTextOrValue(placeOf(node, 'reason'), { kind: 'during', nodeId: base.id }, compiling);
    return reason === undefined ? undefined : { ...base, kind: 'fail', reason };
  },
  enter: failHere,
};

/** Maximum length of a rendered reason in characters, since it is part of the state. */
const maxReasonLength = 2_000;

function failHere(d: Draft, token: Token, node: FailPlan, visit: number): void {
  const rendered = renderText(node.reason, conditionContext(d.run, token, d.env, visit), d);
  const logged = `The node ${node.id} fails the execution.`;
  const reason = rendered.ok ? rendered.text : `${logged} Its reason could not be rendered: ${rendered.error}`;
  const description = reason.trim() === '' ? logged : reason.slice(0, maxReasonLength);
  d.step({ ...quietRow(d, token, node, visit), phase: 'FAIL', outcome: 'rejected', final: false, note: description });
  failToken(d, token, { outcome: 'rejected', reason: 'fail_node', description, logged }, { visit, undoFirst: false });
}
