import type { Compiling } from '../definition/compiling.ts';
import type { Edge, NodeDraft, NodeReading } from '../definition/node-draft.ts';
import { at, type Path, type Problems } from '../definition/problems.ts';
import type { ObjectShape, ShapeBook } from '../definition/shape/shape.ts';
import { present } from '../definition/shape/shape-check.ts';
import type { Draft } from '../draft.ts';
import type { NodeBase, NodePlan, RetryPolicy } from '../plan.ts';
import type { Choosing, Token } from '../state.ts';
import type { Json, JsonObject } from '../value/json.ts';

/**
 * One kind of node: what its object in a document looks like, how it is compiled, and how tokens move through it.
 * `kinds.ts` lists all kinds; validation, the JSON Schema, the checks of the graph, the compiler and the transitions
 * know a kind only from there.
 */
export interface NodeKind<Plan = NodePlan> {
  /** The shape of its object in a document; see `nodeShape`. */
  readonly shape: ObjectShape;
  /** Shapes that only {@link shape} refers to, by name. */
  readonly shapes?: ShapeBook;
  /** Reads what the checks of the whole graph need. Tolerates every defect; the shape check reports them. */
  read(json: JsonObject, path: Path): NodeReading;
  /** Compiles a node. Returns undefined if any part of it is invalid, which has then been reported. */
  compile(node: NodeDraft, base: NodeBase, compiling: Compiling, failureHandling: RetryPolicy): Plan | undefined;
  /** Warns about parts of a node that have no effect. */
  warn?(node: NodeDraft, problems: Problems): void;
  /** The number of compiled conditions of a plan, for its size in memory; 0 if absent. */
  conditions?(plan: Plan): number;
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
