import type { Compiling } from '../definition/call-plan.ts';
import type { Edge, NodeDraft } from '../definition/draft.ts';
import { at } from '../definition/problems.ts';
import { present } from '../definition/shape/shape-check.ts';
import type { Draft } from '../draft.ts';
import type { NodePlan, RetryPolicy } from '../plan.ts';
import type { Choosing, Token } from '../state.ts';
import type { Json } from '../value/json.ts';

/** Fields that the plans of all nodes have. */
export interface NodeBase {
  readonly id: string;
  readonly index: number;
  readonly branch?: { readonly split: string; readonly entry: string; readonly join: string };
}

/** One kind of node: how it is compiled, and how tokens move through it. `kinds.ts` lists all kinds. */
export interface NodeKind<Plan = NodePlan> {
  /** Compiles a node. Returns undefined if any part of it is invalid, which has then been reported. */
  compile(node: NodeDraft, base: NodeBase, compiling: Compiling, failureHandling: RetryPolicy): Plan | undefined;
  /** Begins the visit of a token that has reached the node. The visit is already counted. */
  enter(d: Draft, token: Token, node: Plan, visit: number): void;
  /** Continues a visit that takes more than one turn. */
  goOn?(d: Draft, token: Token, node: Plan, choosing: Choosing): void;
  /** Wakes a sleeping token, at its time or because an operator asked for it; `note` describes the latter. */
  wake?(d: Draft, token: Token, node: Plan, note?: string): void;
  /** Called when all branches of a forked token have ended. */
  settle?(d: Draft, token: Token, node: Plan): void;
}

/** A field of a node and its place in the document. */
export function placeOf(node: NodeDraft, key: string): { json: Json | undefined; path: string } {
  return { json: present(node.json, key), path: at(node.path, key) };
}

/** The target of an edge, or undefined if the node has no such edge. */
export function targetOf(node: NodeDraft, via: Edge['via']): string | undefined {
  return node.edges.find((edge) => edge.via === via)?.target;
}

/** The field `next` of a plan, absent if the node has none. */
export function nextOf(node: NodeDraft): { readonly next?: string } {
  const next = targetOf(node, 'next');
  return next === undefined ? {} : { next };
}
