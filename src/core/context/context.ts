/**
 * What templates and conditions can see. The engine builds one {@link RenderContext} per call or decision; nothing in it
 * may be changed.
 */
import type { Json, JsonObject } from '../value/json.ts';

/** How a call, or a whole visit of a node, ended. */
export type Outcome = 'succeeded' | 'rejected' | 'unsent' | 'unknown';

/** Which way a call runs: `UP` forward, `DOWN` as a compensation. */
export type CallPhase = 'UP' | 'DOWN' | 'HOOK';

/** An answer of a downstream, as templates see it. Header names are lower-case. */
export interface ResponseView {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON where the answer was JSON, else its text; null when empty. */
  readonly body: Json;
}

/** Why a node's visit did not succeed. */
export interface FailureView {
  readonly outcome: Outcome;
  readonly statusCode?: number;
  readonly reason: string;
}

/** The latest visit of a node that a token may see. */
export interface NodeView {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  /** The key that the visit's forward call carried; known even when its outcome is not. Absent for nodes without calls. */
  readonly idempotencyKey?: string;
  /** The node's own answer: for an async node the callback's body with the status and headers of its request's answer. */
  readonly response?: ResponseView;
  /** An async node's request's own answer. */
  readonly accepted?: ResponseView;
  readonly callback?: { readonly body: Json };
  readonly failure?: FailureView;
  /** The body of its compensation's answer, once compensated. */
  readonly downBody?: Json;
}

/** `failure.*` in failure hooks. */
export interface ExecutionFailureView {
  /** FAILED, CORRUPTED or CANCELLED. */
  readonly status: string;
  readonly reason: string;
  readonly nodeId?: string;
  readonly statusCode?: number;
}

/** Everything that a template or a condition can name (SPEC 2). */
export interface RenderContext {
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly sagaId: string;
  readonly sagaName: string;
  readonly sagaVersion: string;
  /** The node the call belongs to. */
  readonly stepName: string;
  readonly phase: 'UP' | 'DOWN';
  readonly attempt: number;
  readonly round: number;
  /** The value of a variable, or undefined when it is not configured. */
  variable(name: string): string | undefined;
  /** The value of a secret, or undefined when it is not configured. Throws nothing. */
  secret(name: string): string | undefined;
  /** The node as this token sees it, or undefined when it was not visited. */
  node(id: string): NodeView | undefined;
  /** Ids of the nodes visible here, in the order of their first completion. */
  readonly completed: readonly string[];
  /** The node completed last on this token's path. */
  readonly prev?: NodeView | undefined;
  /** In async requests only. */
  readonly callback?: { readonly url: string; readonly token: string; readonly signedUrl: string } | undefined;
  /** In failure hooks only. */
  readonly failure?: ExecutionFailureView | undefined;
}
