import type { Json, JsonObject } from '../value/json.ts';

/** The outcome of a call or of a whole visit. */
export type Outcome = 'succeeded' | 'rejected' | 'unsent' | 'unknown';

/** The direction of a call: `UP` forward, `DOWN` as a compensation, `HOOK` for a hook of the definition. */
export type CallPhase = 'UP' | 'DOWN' | 'HOOK';

/** A response of a downstream as templates see it. Header names are in lower case. */
export interface ResponseView {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed JSON if the response is JSON, otherwise the text; null if empty. */
  readonly body: Json;
}

/** What a node gave: the response of a downstream, or a body alone, which has the status null. */
export type AnswerView = Omit<ResponseView, 'status'> & { readonly status: number | null };

/** Why a visit of a node did not succeed. */
export interface FailureView {
  readonly outcome: Outcome;
  readonly statusCode?: number;
  readonly reason: string;
}

/** The execution that a `workflow` visit started; `status` and `reason` once it has ended. */
export interface ChildView {
  readonly id: string;
  readonly status?: string;
  readonly reason?: string;
}

/** The latest visit of a node that is visible to a token. */
export interface NodeView {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  /**
   * The idempotency key of the visit's forward call; known even if the outcome is not. Absent for nodes that make no
   * calls.
   */
  readonly idempotencyKey?: string;
  /**
   * The node's response. For an async node: the body of the callback, with the status and headers of the request's
   * response.
   */
  readonly response?: AnswerView;
  /** The response to the request of an async node. */
  readonly accepted?: ResponseView;
  readonly callback?: { readonly body: Json };
  readonly failure?: FailureView;
  readonly child?: ChildView;
  /** The body of the compensation's response, once the visit is compensated. */
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

/** An item of a loop as templates see it. */
export interface ItemView {
  /** Counts from 0. */
  readonly index: number;
  readonly value: Json;
}

/** The visit that a value belongs to. */
export interface Occasion {
  /** When it began, in ms since 1970: the value of `now`. */
  readonly at: number;
  /** Its key without a phase: what `uuid` is made of. */
  readonly key: string;
}

/**
 * The values that templates and conditions can read (SPEC 2). The engine creates one context per call or decision.
 * Callers must not change any part of it.
 */
export interface RenderContext {
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly sagaId: string;
  readonly sagaName: string;
  readonly sagaVersion: string;
  /** The id of the node that the call belongs to. */
  readonly stepName: string;
  readonly phase: 'UP' | 'DOWN';
  readonly attempt: number;
  readonly round: number;
  /** Returns the value of a variable, or undefined if it is not configured. */
  variable(name: string): string | undefined;
  /** Returns the value of a secret, or undefined if it is not configured. Does not throw. */
  secret(name: string): string | undefined;
  /** Masks secrets in a value that a computation reads, since what it makes of them cannot be recognised. Absent: nothing is masked. */
  readonly maskJson?: ((value: Json) => Json) | undefined;
  /** Returns the node as this token sees it, or undefined if it was not visited. */
  node(id: string): NodeView | undefined;
  /** Returns the item of a loop around the place: of the innermost for level 0, of the next one for 1. Undefined if there is none. */
  item?(level: number): ItemView | undefined;
  /** What `now` and `uuid` are made of; absent where there is no visit. */
  readonly occasion?: Occasion | undefined;
  /** Ids of the visible nodes, in the order of their first completion. */
  readonly completed: readonly string[];
  /** The last completed node on the path of this token. */
  readonly prev?: NodeView | undefined;
  /** Present only in requests of async nodes. */
  readonly callback?: { readonly url: string; readonly token: string; readonly signedUrl: string } | undefined;
  /** Present only in failure hooks. */
  readonly failure?: ExecutionFailureView | undefined;
}
