/** Finds the nodes and calls that a scenario names, in the definitions that it is about. */
import type { CallPhase } from '../../core/context/context.ts';
import { closest, quote } from '../../core/definition/problems.ts';
import type { NodePlan, Plan, TaskPlan, WorkflowPlan } from '../../core/plan.ts';
import type { Definitions } from '../definitions.ts';
import { callName, type NamePart, nodeName, type NodePath } from '../names.ts';

/** Why a name means nothing, in a sentence. */
export interface Unknown {
  readonly problem: string;
}

/** A call that a scenario names. */
export interface NamedCall {
  /** As the simulation has it; see `names.ts`. */
  readonly name: string;
  readonly phase: CallPhase;
  /** Absent for hooks. */
  readonly node?: TaskPlan | WorkflowPlan;
  /** Whether it means the call of one item. */
  readonly isOfItem: boolean;
}

/** A node that a scenario names. */
export interface NamedNode {
  readonly node: NodePlan;
  readonly part: NamePart;
}

/** An execution that a scenario names by the workflow node that starts it. */
export interface NamedExecution {
  readonly name: string;
  readonly plan: Plan;
}

const hooks = ['onSuccessCallback', 'onFailureCallback'] as const;

/** The call that a key of `nodes`, or an element of `expect.calls`, names. */
export function findCall(text: string, definitions: Definitions): NamedCall | Unknown {
  return callWithin(text, definitions.root, [], definitions);
}

/** The node of one definition with this id, for an item if its places follow: `charge[3]`. `isRoot`: it is that of the scenario. */
export function findNode(text: string, plan: Plan, isRoot: boolean): NamedNode | Unknown {
  return nodeOf(text, plan) ?? noNode(text, plan, isRoot);
}

/** The execution that a workflow node starts: `ship`, `ship[3]`, `ship/inner`. */
export function findExecution(text: string, definitions: Definitions): NamedExecution | Unknown {
  return executionWithin(text, definitions.root, [], definitions);
}

function executionWithin(text: string, plan: Plan, path: NodePath, definitions: Definitions): NamedExecution | Unknown {
  const found = nodeOf(text, plan);
  if (found !== undefined) {
    const below = 'problem' in found ? found : startedBy(found.node, definitions);
    return 'problem' in below || 'problem' in found
      ? (below as Unknown)
      : { name: nodeName([...path, found.part]), plan: below };
  }
  const step = stepInto(text, plan, definitions);
  if (step === undefined) return noNode(text, plan, path.length === 0);
  return 'problem' in step ? step : executionWithin(step.rest, step.plan, [...path, step.part], definitions);
}

function callWithin(text: string, plan: Plan, path: NodePath, definitions: Definitions): NamedCall | Unknown {
  for (const hook of hooks) {
    if (text !== hook && text !== callName(hook, 'HOOK')) continue;
    const call = hook === 'onSuccessCallback' ? plan.onSuccess : plan.onFailure;
    if (call === undefined) return { problem: `The definition has no ${hook}.` };
    return { ...namedAs([...path, { nodeId: hook }], 'HOOK'), phase: 'HOOK' };
  }
  const own = nodeOf(text, plan);
  if (own !== undefined) return callOf(own, 'UP', path);
  const colon = text.lastIndexOf(':');
  const phase = text.slice(colon + 1);
  if (colon >= 0 && (phase === 'UP' || phase === 'DOWN')) {
    const owner = nodeOf(text.slice(0, colon), plan);
    if (owner !== undefined) return callOf(owner, phase, path);
  }
  const step = stepInto(text, plan, definitions);
  if (step === undefined) return noNode(colon < 0 ? text : text.slice(0, colon), plan, path.length === 0);
  return 'problem' in step ? step : callWithin(step.rest, step.plan, [...path, step.part], definitions);
}

function callOf(found: NamedNode | Unknown, phase: 'UP' | 'DOWN', path: NodePath): NamedCall | Unknown {
  if ('problem' in found) return found;
  const { node, part } = found;
  const isCall = node.kind === 'task' || (node.kind === 'workflow' && phase === 'DOWN' && isCompensatedByCall(node));
  if (node.kind === 'workflow' && !isCall) {
    return {
      problem: `The workflow node ${quote(node.id)} starts an execution: name a node of it, as ${node.id}/<node>.`,
    };
  }
  if (!isCall) return { problem: `The ${node.kind} node ${quote(node.id)} makes no call.` };
  if (phase === 'DOWN' && node.compensation === undefined) {
    return { problem: `The node ${quote(node.id)} has no compensation.` };
  }
  return { ...namedAs([...path, part], phase), phase, node };
}

function isCompensatedByCall({ compensation }: WorkflowPlan): boolean {
  return typeof compensation !== 'string';
}

function namedAs(path: NodePath, phase: CallPhase): Pick<NamedCall, 'name' | 'isOfItem'> {
  return { name: callName(nodeName(path), phase), isOfItem: path.some(({ item }) => item !== undefined) };
}

/** A node by its id, which may have any characters, or by its id and places. Undefined if there is none. */
function nodeOf(text: string, plan: Plan): NamedNode | Unknown | undefined {
  const node = plan.nodes.get(text);
  if (node !== undefined) return { node, part: { nodeId: text } };
  const [, nodeId = '', places = ''] = /^(.+)\[(\d{1,6}(?:,\d{1,6})*)\]$/s.exec(text) ?? [];
  const placed = plan.nodes.get(nodeId);
  if (placed === undefined) return undefined;
  const item = places.split(',').map(Number);
  const levels = placed.loops?.length ?? 0;
  if (levels === 0) return { problem: `The node ${quote(nodeId)} is in no forEach, so there are no items of it.` };
  if (levels !== item.length) {
    const example = `${nodeId}[${Array.from({ length: levels }, () => '0').join(',')}]`;
    return { problem: `The node ${quote(nodeId)} is in ${loopsText(levels)}: name a place in each, as ${example}.` };
  }
  return { node: placed, part: { nodeId, item } };
}

function loopsText(levels: number): string {
  return levels === 1 ? 'one forEach' : `${String(levels)} nested forEach`;
}

/** The definition below the workflow node that a name begins with, and the rest of the name. Undefined if it begins with no node. */
function stepInto(
  text: string,
  plan: Plan,
  definitions: Definitions,
): { readonly part: NamePart; readonly plan: Plan; readonly rest: string } | Unknown | undefined {
  for (let slash = text.indexOf('/'); slash >= 0; slash = text.indexOf('/', slash + 1)) {
    const found = nodeOf(text.slice(0, slash), plan);
    if (found === undefined) continue;
    if ('problem' in found) return found;
    const below = startedBy(found.node, definitions);
    return 'problem' in below ? below : { part: found.part, plan: below, rest: text.slice(slash + 1) };
  }
  return undefined;
}

function startedBy(node: NodePlan, definitions: Definitions): Plan | Unknown {
  if (node.kind !== 'workflow') return { problem: `The ${node.kind} node ${quote(node.id)} starts no execution.` };
  const { name, version } = node.definition;
  return (
    definitions.find(node.definition) ?? {
      problem: `The node ${quote(node.id)} starts ${quote(name)} with version ${quote(version)}, which was not given: add --with and its file.`,
    }
  );
}

function noNode(text: string, plan: Plan, isRoot: boolean): Unknown {
  const ids = [...plan.nodes.keys()];
  const slash = text.indexOf('/');
  // A name of a child's node may begin with a mistyped node.
  const head = slash < 0 ? undefined : closest(text.slice(0, slash), ids);
  const hint = closest(text, ids) ?? (head === undefined ? undefined : `${head}${text.slice(slash)}`);
  const whose = isRoot ? 'The definition' : `The definition ${quote(plan.name)}`;
  return {
    problem: `${whose} has no node ${quote(text)}${hint === undefined ? '.' : `; did you mean ${quote(hint)}?`}`,
  };
}
