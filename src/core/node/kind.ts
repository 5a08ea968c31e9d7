/** What a node kind is made of; `kinds.ts` lists the kinds. */
import type { Compiling } from '../definition/call-plan.ts';
import type { Edge, NodeDraft } from '../definition/draft.ts';
import { at } from '../definition/problems.ts';
import { present } from '../definition/shape/shape-check.ts';
import type { Draft } from '../draft.ts';
import type { NodePlan, RetryPolicy } from '../plan.ts';
import type { Choosing, Token } from '../state.ts';
import type { Json } from '../value/json.ts';

/** The fields of a plan that every node has. */
export interface NodeBase {
  readonly id: string;
  readonly index: number;
  readonly branch?: { readonly split: string; readonly entry: string; readonly join: string };
}

/** One kind of node: how it is compiled, and how tokens move through it. */
export interface NodeKind<Plan = NodePlan> {
  /** Compiles a node; undefined when something in it is broken, which has been reported then. */
  compile(node: NodeDraft, base: NodeBase, compiling: Compiling, failureHandling: RetryPolicy): Plan | undefined;
  /** Begins the visit of a token that has come to the node. The visit is counted. */
  enter(d: Draft, token: Token, node: Plan, visit: number): void;
  /** Goes on with a visit that took more than one turn. */
  goOn?(d: Draft, token: Token, node: Plan, choosing: Choosing): void;
  /** The time of a sleeping token has come, or an operator wakes it, which `note` says. */
  wake?(d: Draft, token: Token, node: Plan, note?: string): void;
  /** All branches of a forked token have ended. */
  settle?(d: Draft, token: Token, node: Plan): void;
}

/** A field of a node, and where the document has it. */
export function placeOf(node: NodeDraft, key: string): { json: Json | undefined; path: string } {
  return { json: present(node.json, key), path: at(node.path, key) };
}

/** The node that an edge leads to; undefined when there is no such edge. */
export function targetOf(node: NodeDraft, via: Edge['via']): string | undefined {
  return node.edges.find((edge) => edge.via === via)?.target;
}

/** The field `next` of a plan, absent where the node has none. */
export function nextOf(node: NodeDraft): { readonly next?: string } {
  const next = targetOf(node, 'next');
  return next === undefined ? {} : { next };
}
