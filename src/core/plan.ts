/**
 * A plan: a definition normalised into one graph and compiled. Immutable, shared by all executions of the definition,
 * cached by content hash.
 */
import type { Expression } from './expression/expression.ts';
import type { Template } from './template/template.ts';
import type { RequestPlan } from './request/request.ts';

/** Errors, other than a status code, for which a policy may name a retry. */
export type RetryError = 'timeout' | 'connect' | 'body' | 'callback_timeout' | 'callback_failure';

/** What a policy retries, where it says so; absent means the default of the direction (see `retry.ts`). */
export interface RetryOn {
  readonly statusCodes: ReadonlySet<number>;
  /** Whole classes: 4 for "4xx", 5 for "5xx". */
  readonly statusClasses: ReadonlySet<number>;
  readonly errors: ReadonlySet<RetryError>;
}

/** How often and how late a failed call is repeated. `maxAttempts` counts retries after the first call. */
export type RetryPolicy =
  | { readonly type: 'retry'; readonly maxAttempts: number; readonly delayMillis: number; readonly retryOn?: RetryOn }
  | {
      readonly type: 'backoff';
      readonly maxAttempts: number;
      readonly initialDelayMillis: number;
      readonly maxDelayMillis: number;
      readonly multiplier: number;
      readonly jitterRatio: number;
      readonly retryOn?: RetryOn;
    };

/** Which outcomes of a visit are compensated: each value includes the ones before it. */
export type CompensateWhen = 'completed' | 'unknown' | 'attempted';

/** How a call authenticates, by names of secrets. */
export type AuthPlan =
  | { readonly type: 'basic'; readonly usernameSecret: string; readonly passwordSecret: string }
  | { readonly type: 'bearer'; readonly secret: string }
  | {
      readonly type: 'oauth2ClientCredentials';
      readonly tokenUrl: string;
      readonly clientIdSecret: string;
      readonly clientSecretSecret: string;
      readonly scope?: string;
      readonly audience?: string;
    };

/** A compiled call with the status codes that decide its outcome. */
export interface CallPlan {
  readonly request: RequestPlan;
  /** Codes that mean success (sync) or acceptance (async); absent means any 2xx. */
  readonly success?: ReadonlySet<number>;
  /** Codes that leave the outcome unknown; 408, 502, 504, 520 to 524, 598 and 599 unless the definition says otherwise. */
  readonly unknown: ReadonlySet<number>;
  /** Total time of one attempt in milliseconds; absent means the configured default. */
  readonly timeoutMillis?: number;
  /** Whether the verb changes something downstream: POST, PUT, PATCH, DELETE. */
  readonly mutating: boolean;
  /** Absent when the call does not authenticate. */
  readonly auth?: AuthPlan;
}

/** How an async node's callback is judged. */
export interface CallbackPlan {
  readonly timeoutMillis: number;
  readonly successWhen?: Expression;
  readonly failureWhen?: Expression;
  readonly pendingWhen?: Expression;
  /** Whether a person may call back from a page under the signed URL. */
  readonly confirmPage?: true;
}

interface NodeBase {
  readonly id: string;
  /** Position in the definition, from 0. */
  readonly index: number;
  /** The innermost split branch that the node stands in. */
  readonly branch?: { readonly split: string; readonly entry: string; readonly join: string };
}

/** A call, sync or async. */
export interface TaskPlan extends NodeBase {
  readonly kind: 'task';
  readonly mode: 'sync' | 'async';
  readonly call: CallPlan;
  /** Present exactly when `mode` is async. */
  readonly callback?: CallbackPlan;
  readonly compensation?: CallPlan;
  readonly compensateWhen: CompensateWhen;
  readonly retry: RetryPolicy;
  readonly onFailure?: string;
  readonly next?: string;
}

/** A choice by JSON Logic; the first case that holds wins. */
export interface SwitchPlan extends NodeBase {
  readonly kind: 'switch';
  readonly cases: readonly { readonly name?: string; readonly when: Expression; readonly target: string }[];
  readonly default: string;
}

/** A durable wait, for a while or until an instant. */
export interface SleepPlan extends NodeBase {
  readonly kind: 'sleep';
  readonly wait: { readonly durationMillis: number } | { readonly until: Template };
  readonly next?: string;
}

/** The start of parallel branches, which all end at `join`. */
export interface SplitPlan extends NodeBase {
  readonly kind: 'split';
  readonly branches: readonly string[];
  readonly join: string;
}

/** The end of a split's branches. */
export interface JoinPlan extends NodeBase {
  readonly kind: 'join';
  readonly onBranchFailure: 'fail' | 'continue';
  readonly next?: string;
}

/** Fails the execution (or its branch) with a rendered reason. */
export interface FailPlan extends NodeBase {
  readonly kind: 'fail';
  readonly reason: Template;
}

/** One node of the graph. */
export type NodePlan = TaskPlan | SwitchPlan | SleepPlan | SplitPlan | JoinPlan | FailPlan;

/** What the templates or conditions of one place read of the nodes' outputs. */
export interface Ask {
  /** Ids of nodes; `'all'` where only the rendering can tell, or the order of completion is read. */
  readonly nodes: readonly string[] | 'all';
  /** Whether the node completed before is read, whichever that is. */
  readonly prev: boolean;
}

/** What each place of a definition asks for. A place that asks for nothing is absent. */
export interface Asks {
  /** By node: its request, instant or reason, which are rendered before its visit ends. */
  readonly during: ReadonlyMap<string, Ask>;
  /** By node: the conditions of a switch or on callbacks. */
  readonly condition: ReadonlyMap<string, Ask>;
  /** By node: its compensation. */
  readonly compensation: ReadonlyMap<string, Ask>;
  readonly onSuccess?: Ask;
  readonly onFailure?: Ask;
}

/** A path within the payload: as it was written, and its keys. */
export interface RequiredPath {
  readonly text: string;
  readonly keys: readonly string[];
}

/** A compiled definition. */
export interface Plan {
  /** About how many bytes of memory it takes. */
  readonly weight: number;
  /** Content hash of the definition as stored (see `definition/hash.ts`). */
  readonly hash: string;
  readonly name: string;
  readonly version: string;
  readonly entry: string;
  readonly nodes: ReadonlyMap<string, NodePlan>;
  /** Policy of the definition for forward calls and hooks. */
  readonly failureHandling: RetryPolicy;
  readonly compensationHandling: RetryPolicy;
  readonly onSuccess?: CallPlan;
  readonly onFailure?: CallPlan;
  /** Longest duration of a round in milliseconds, waits included. */
  readonly timeoutMillis?: number;
  /** Bound of all visits of a round; absent means the configured default. */
  readonly maxNodeVisits?: number;
  /** Labels of every execution, which those of a run add to and override; absent when the definition names none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Paths within the payload that a run must bring, non-null. */
  readonly requiredPayload: readonly RequiredPath[];
  /** Nodes that make no call, and whose visits some template or condition reads: their rows tell them. */
  readonly visitsRead: ReadonlySet<string>;
  readonly asks: Asks;
  /**
   * Of which nodes a token at this node, or anywhere it can get to from there, can ask for outputs that are kept in memory: bits
   * by {@link NodePlan.index}. What compensations see is not among them: it is read from the history.
   */
  readonly askedFrom: ReadonlyMap<string, bigint>;
  /** The same of the hooks. */
  readonly askedAtEnd: bigint;
  /** Whether any template reads `steps` or `step.<index>`, so that the order of first completion must be kept. */
  readonly usesOrder: boolean;
}

export type { Expression, RequestPlan, Template };
