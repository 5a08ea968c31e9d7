import type { Draft } from '../draft.ts';
import type { NodeKindName, NodePlans } from '../plan.ts';
import type { Token } from '../state.ts';
import { failKind } from './fail.ts';
import { forEachKind } from './for-each.ts';
import { workflowKind } from './workflow.ts';
import { joinKind } from './join.ts';
import type { NodeKind } from './kind.ts';
import { setKind } from './set.ts';
import { sleepKind } from './sleep.ts';
import { splitKind } from './split.ts';
import { switchKind } from './switch.ts';
import { taskKind } from './task.ts';
import { countVisit } from './visit.ts';

/** A registry of all kinds; it does not compile while a kind of {@link NodePlans} has no entry. */
type NodeKinds = { readonly [Kind in keyof NodePlans]: NodeKind<NodePlans[Kind]> };

/** The kinds of nodes, by the field `kind` of a definition, in the order in which messages and the schema name them. */
export const nodeKinds: NodeKinds = {
  task: taskKind,
  switch: switchKind,
  sleep: sleepKind,
  split: splitKind,
  join: joinKind,
  fail: failKind,
  set: setKind,
  forEach: forEachKind,
  workflow: workflowKind,
};

/** The kind of a node of a plan or draft. */
export function kindOf(node: { readonly kind: NodeKindName }): NodeKind {
  return nodeKinds[node.kind];
}

/** Lets a `ready` token enter its node, or continue within it. Fails the execution if the round has no visits left. */
export function enterNode(d: Draft, token: Token): void {
  const node = d.node(token.nodeId);
  const kind = kindOf(node);
  const choosing = token.stage.kind === 'ready' ? token.stage.choosing : undefined;
  if (choosing !== undefined && kind.goOn !== undefined) {
    kind.goOn(d, token, node, choosing);
    return;
  }
  const visit = countVisit(d, token, node.id);
  if (visit !== undefined) kind.enter(d, token, node, visit);
}

/** Wakes a sleeping token, at its time or because an operator asked for it; `note` describes the latter. */
export function wakeNode(d: Draft, token: Token, note?: string): void {
  const node = d.node(token.nodeId);
  kindOf(node).wake?.(d, token, node, note);
}

/** Handles a forked token whose branches have all ended. */
export function settleNode(d: Draft, token: Token): void {
  const node = d.node(token.nodeId);
  kindOf(node).settle?.(d, token, node);
}
