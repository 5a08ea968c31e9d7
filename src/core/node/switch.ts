import { conditionContext } from '../context/context-of.ts';
import { compileCondition } from '../definition/call-plan.ts';
import type { Compiling } from '../definition/compiling.ts';
import { edgeAt, objectsIn, type NodeDraft, type NodeReading } from '../definition/node-draft.ts';
import { at, type Path } from '../definition/problems.ts';
import { json, nodeShape, optional, ref, reference, required } from '../definition/shape/fields.ts';
import type { ShapeBook } from '../definition/shape/shape.ts';
import { present } from '../definition/shape/shape-check.ts';
import type { Draft } from '../draft.ts';
import type { NodeBase, SwitchPlan } from '../plan.ts';
import type { Choosing, Token } from '../state.ts';
import { goTo } from '../transition/route.ts';
import { isJsonObject, type Json, type JsonObject, ownProperty } from '../value/json.ts';
import { type NodeKind, targetOf } from './kind.ts';
import { quietRow } from '../transition/quiet-row.ts';

const shapes: ShapeBook = {
  Case: {
    description: 'A case of a switch.',
    shape: {
      type: 'object',
      extensible: true,
      fields: {
        name: optional({ type: 'string' }, 'What the case is called in the history.'),
        when: required(json, 'JSON Logic condition.'),
        target: required(reference, 'Id of the node to go to when the condition holds.'),
      },
    },
  },
};

/** A choice by conditions. A turn may end between two cases; the next turn continues with the next case. */
export const switchKind: NodeKind<SwitchPlan> = {
  shape: nodeShape({
    cases: required({ type: 'list', of: ref('Case'), minItems: 1 }, 'The first case that holds wins.'),
    default: required(reference, 'Id of the node to go to when no case holds.'),
  }),
  shapes,
  read: readSwitch,
  compile: compileSwitch,
  conditions: ({ cases }) => cases.length,
  enter: (d, token, node, visit) => choose(d, token, node, { visit, next: 0, since: d.now, problems: [] }),
  goOn: choose,
};

/** Maximum number of condition errors kept per visit, since they are part of the state and of the history. */
const maxProblems = 20;

/** Evaluates the cases, starting at `from.next`. */
function choose(d: Draft, token: Token, node: SwitchPlan, from: Choosing): void {
  const context = conditionContext(d.run, token, d.env, from.visit, from.since);
  const problems = [...from.problems];
  let target = node.default;
  let matchedCase: string | undefined;
  for (let i = from.next; i < node.cases.length; i++) {
    if (i > from.next && d.isSpent) {
      d.move(token, { kind: 'ready', choosing: { ...from, next: i, problems } });
      return;
    }
    const option = node.cases[i] as SwitchPlan['cases'][number];
    const result = option.when.evaluate(context, { meter: d });
    const name = option.name ?? `case ${String(i + 1)}`;
    if (!result.ok) {
      if (problems.length < maxProblems) {
        problems.push(`The condition of ${name} could not be evaluated and counts as false: ${result.error}`);
      } else if (problems.length === maxProblems) {
        problems.push('Further conditions could not be evaluated and count as false.');
      }
      d.signal({ kind: 'warning', nodeId: node.id, message: result.error });
    } else if (result.truthy) {
      target = option.target;
      matchedCase = name;
      break;
    }
  }
  d.step({
    ...quietRow(d, token, node, from.visit),
    phase: 'SWITCH',
    outcome: 'succeeded',
    final: false,
    choice: { target, ...(matchedCase === undefined ? undefined : { matchedCase }) },
    note: [...problems, `Took ${matchedCase ?? 'default'} to ${target}.`].join(' '),
  });
  d.signal({
    kind: 'switched',
    nodeId: node.id,
    result: problems.length > 0 ? 'error' : matchedCase === undefined ? 'default' : 'case',
  });
  goTo(d, token, target);
}

function readSwitch(document: JsonObject, path: Path): NodeReading {
  const cases = objectsIn(ownProperty(document, 'cases')).flatMap(([index, item]) =>
    edgeAt('case', item, at(at(path, 'cases'), index), 'target'),
  );
  return { edges: [...cases, ...edgeAt('default', document, path)] };
}

function compileSwitch(node: NodeDraft, base: NodeBase, compiling: Compiling): SwitchPlan | undefined {
  const list = present(node.json, 'cases');
  const casesPath = at(node.path, 'cases');
  const items = Array.isArray(list) ? (list as readonly Json[]) : [];
  const cases = items.flatMap((item, index) => {
    const path = at(casesPath, index);
    const condition = isJsonObject(item) ? present(item, 'when') : undefined;
    if (!isJsonObject(item) || condition === undefined) return [];
    const when = compileCondition({ json: condition, path: at(path, 'when') }, base.id, false, compiling);
    const target = ownProperty(item, 'target');
    const name = present(item, 'name');
    if (when === undefined || typeof target !== 'string') return [];
    return [{ when, target, ...(typeof name === 'string' ? { name } : {}) }];
  });
  const otherwise = targetOf(node, 'default');
  if (otherwise === undefined || cases.length !== items.length) return undefined;
  return { ...base, kind: 'switch', cases, default: otherwise };
}
