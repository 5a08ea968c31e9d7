/** A definition as a graph, laid out: what the worker of the core makes of its text. */

/** A node, with its place. */
export interface GraphNode {
  readonly id: string;
  /** The engine's kind; a task that waits for a callback is `async`. */
  readonly kind: string;
  /** The second line: verb and target of a call, the duration of a sleep, the child's definition. */
  readonly line: string;
  /** The request of its compensation; undefined without one. */
  readonly undo?: string | undefined;
  /** The innermost loop that contains it. */
  readonly loop?: string | undefined;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A way from a node to another. */
export interface GraphEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly label?: string | undefined;
  /** `failure`: taken after a failure. */
  readonly kind: 'next' | 'failure';
}

/** The body of a loop: a box around its nodes. */
export interface LoopBox {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The whole graph. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly loops: readonly LoopBox[];
  readonly width: number;
  readonly height: number;
  /** Hooks of the definition: the name, and the request. */
  readonly hooks: readonly { readonly name: string; readonly line: string }[];
  readonly warnings: readonly string[];
  /** Paths of the payload that a run must have. */
  readonly requiredPayload: readonly string[];
}

/** What the worker answers. */
export type Drawn =
  { readonly ok: true; readonly graph: Graph } | { readonly ok: false; readonly errors: readonly string[] };
