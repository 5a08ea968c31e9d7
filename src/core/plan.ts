import type { Expression } from './expression/expression.ts';
import type { RequestPlan } from './request/request.ts';
import type { TextPlan, ValuePlan } from './template/value.ts';

/** Errors other than status codes that a policy can retry. */
export type RetryError = 'timeout' | 'connect' | 'body' | 'callback_timeout' | 'callback_failure';

/** The failures that a policy retries. If a policy has none, the default of the direction applies (see `retry.ts`). */
export interface RetryOn {
  readonly statusCodes: ReadonlySet<number>;
  /** Classes of status codes: 4 for "4xx", 5 for "5xx". */
  readonly statusClasses: ReadonlySet<number>;
  readonly errors: ReadonlySet<RetryError>;
}

/** When a failed call is repeated. `maxAttempts` counts retries after the first call. */
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

/** Which outcomes of a visit are compensated; each value includes the ones before it. */
export type CompensateWhen = 'completed' | 'unknown' | 'attempted';

/** The authentication of a call; secrets are referenced by name. */
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

/** Which part of a definition gives a set of status codes; `default`: none. */
export type CodesSource = 'default' | 'action' | 'request';

/** A compiled call with the status codes that determine its outcome. */
export interface CallPlan {
  readonly request: RequestPlan;
  /** Status codes that mean success (sync) or acceptance (async); any 2xx if absent. */
  readonly success?: ReadonlySet<number>;
  /** Status codes after which the outcome is unknown; by default 408, 502, 504, 520 to 524, 598 and 599. */
  readonly unknown: ReadonlySet<number>;
  /** Where the definition gives the two sets. */
  readonly codesFrom: { readonly success: CodesSource; readonly unknown: CodesSource };
  /** Time limit of one attempt in milliseconds; the configured default if absent. */
  readonly timeoutMillis?: number;
  /** Whether the HTTP method changes state downstream: POST, PUT, PATCH, DELETE. */
  readonly mutating: boolean;
  /** Absent if the call does not authenticate. */
  readonly auth?: AuthPlan;
}

/** How the callback of an async node is evaluated. */
export interface CallbackPlan {
  readonly timeoutMillis: number;
  readonly successWhen?: Expression;
  readonly failureWhen?: Expression;
  readonly pendingWhen?: Expression;
  /** Whether the signed URL opens a page on which a person can confirm the callback. */
  readonly confirmPage?: true;
}

/** Fields that the plans of all nodes have. */
export interface NodeBase {
  readonly id: string;
  /** Position in the definition, from 0. */
  readonly index: number;
  /** The innermost branch of a split that contains the node, or the body of a loop, whose `join` is the loop itself. */
  readonly branch?: { readonly split: string; readonly entry: string; readonly join: string };
  /** The loops that contain the node, outermost first; absent outside of all loops. */
  readonly loops?: readonly string[];
  /** The node to go to after a failure of this one. */
  readonly onFailure?: string;
  /** The node from which a token that forks here continues once its branches have ended. */
  readonly join?: string;
}

/** A call, sync or async. */
export interface TaskPlan extends NodeBase {
  readonly kind: 'task';
  readonly mode: 'sync' | 'async';
  readonly call: CallPlan;
  /** Present if and only if `mode` is async. */
  readonly callback?: CallbackPlan;
  readonly compensation?: CallPlan;
  readonly compensateWhen: CompensateWhen;
  readonly retry: RetryPolicy;
  readonly next?: string;
}

/** The start of parallel branches, which all end at `join`. */
export interface SplitPlan extends NodeBase {
  readonly kind: 'split';
  readonly branches: readonly string[];
  readonly join: string;
}

/** The end of the branches of a split. */
export interface JoinPlan extends NodeBase {
  readonly kind: 'join';
  /** `first`: the first branch that succeeds decides, and the others are undone. */
  readonly mode: 'all' | 'first';
  readonly onBranchFailure: 'fail' | 'continue';
  readonly next?: string;
}

/** A choice by conditions; the first case that holds wins. */
export interface SwitchPlan extends NodeBase {
  readonly kind: 'switch';
  readonly cases: readonly { readonly name?: string; readonly when: Expression; readonly target: string }[];
  readonly default: string;
}

/** A durable wait, for a duration or until an instant. */
export interface SleepPlan extends NodeBase {
  readonly kind: 'sleep';
  readonly wait: { readonly durationMillis: number } | { readonly until: TextPlan };
  readonly next?: string;
}

/** A node that fails the execution, or its branch, with a rendered reason. */
export interface FailPlan extends NodeBase {
  readonly kind: 'fail';
  readonly reason: TextPlan;
}

/** A value that is computed without a call. */
export interface SetPlan extends NodeBase {
  readonly kind: 'set';
  readonly body: ValuePlan;
  readonly next?: string;
}

/** A loop over items: one pass through the body for each. */
export interface ForEachPlan extends NodeBase {
  readonly kind: 'forEach';
  readonly items: ValuePlan;
  /** The first node of the body. */
  readonly entry: string;
  /** Maximum number of items that run at the same time. */
  readonly maxConcurrency: number;
  readonly onItemFailure: 'fail' | 'continue';
  /** What the result of an item is; absent: its last response body, false: nothing. */
  readonly collect?: ValuePlan | false;
  readonly next?: string;
}

/** The start of another execution, a child, whose end the visit awaits. */
export interface WorkflowPlan extends NodeBase {
  readonly kind: 'workflow';
  readonly definition: { readonly name: string; readonly version: string };
  /** Absent: an empty object. */
  readonly payload?: ValuePlan;
  /** Labels of the child besides those of its definition and of the run. */
  readonly labels?: ValuePlan;
  /** Whether the visit awaits the end of the child. */
  readonly wait: boolean;
  /** How long the child may run, in milliseconds from its start. */
  readonly timeoutMillis?: number;
  /** What compensates a visit: the child is taken back, nothing is done, or a call is made. */
  readonly compensation: 'undo' | 'none' | CallPlan;
  readonly next?: string;
}

/** The plans of nodes, by the field `kind` of a definition; `node/kinds.ts` does not compile without a kind of each. */
export interface NodePlans {
  readonly task: TaskPlan;
  readonly switch: SwitchPlan;
  readonly sleep: SleepPlan;
  readonly split: SplitPlan;
  readonly join: JoinPlan;
  readonly fail: FailPlan;
  readonly set: SetPlan;
  readonly forEach: ForEachPlan;
  readonly workflow: WorkflowPlan;
}

/** A kind of node, as definitions name it. */
export type NodeKindName = keyof NodePlans;

/** One node of the graph. */
export type NodePlan = NodePlans[NodeKindName];

/** The node outputs that the templates or conditions of one place read. */
export interface Ask {
  /** Ids of nodes; `'all'` if only rendering can tell, or if the order of completion is read. */
  readonly nodes: readonly string[] | 'all';
  /** Whether `prev` is read, that is, the node completed before. */
  readonly prev: boolean;
}

/** The node outputs that each place of a definition reads. Places that read none are absent. */
export interface Asks {
  /** By node: its request, wake-up time or failure reason, which are rendered before the visit ends. */
  readonly during: ReadonlyMap<string, Ask>;
  /** By node: the conditions of a switch or on callbacks. */
  readonly condition: ReadonlyMap<string, Ask>;
  /**
   * By node: what must be in memory when a token enters it. Absent for nodes with a call, whose templates are rendered
   * when the call is made.
   */
  readonly entry: ReadonlyMap<string, Ask>;
  /** By node: its compensation. */
  readonly compensation: ReadonlyMap<string, Ask>;
  /** By loop: what the result of an item reads when the item ends. */
  readonly collect: ReadonlyMap<string, Ask>;
  readonly onSuccess?: Ask;
  readonly onFailure?: Ask;
}

/** A path within the payload: the text as written, and its keys. */
export interface RequiredPath {
  readonly text: string;
  readonly keys: readonly string[];
}

/**
 * A definition normalised into one graph and compiled. Immutable, shared by all executions of the definition, and
 * cached by content hash.
 */
export interface Plan {
  /** Approximate size in memory, in bytes. */
  readonly weight: number;
  /** The state format of its executions: the least one whose processes run it alike. */
  readonly format: number;
  /** Content hash of the definition as stored. */
  readonly hash: string;
  readonly name: string;
  readonly version: string;
  readonly entry: string;
  readonly nodes: ReadonlyMap<string, NodePlan>;
  /** Retry policy of forward calls and hooks. */
  readonly failureHandling: RetryPolicy;
  readonly compensationHandling: RetryPolicy;
  readonly onSuccess?: CallPlan;
  readonly onFailure?: CallPlan;
  /** Maximum duration of a round in milliseconds, including waits. */
  readonly timeoutMillis?: number;
  /** Maximum number of node visits of a round; the configured default if absent. */
  readonly maxNodeVisits?: number;
  /** Labels of every execution; labels of a run are added to them and take precedence. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Paths of the payload that must be present and non-null in every run. */
  readonly requiredPayload: readonly RequiredPath[];
  /** The definitions that its `workflow` nodes start; absent if there are none. */
  readonly starts?: readonly WorkflowPlan['definition'][];
  /** Nodes without a call whose visit numbers a template or condition reads; their step rows need an output. */
  readonly visitsRead: ReadonlySet<string>;
  readonly asks: Asks;
  /** The nodes whose outputs are found in the history by the id of the node: those that any place reads, and async tasks. */
  readonly sought: ReadonlySet<string>;
  /**
   * For each node, the nodes whose outputs a token there, or anywhere it can still reach, may read from memory: bit
   * sets by {@link NodePlan.index}. Excludes reads of compensations, which are loaded from the history.
   */
  readonly askedFrom: ReadonlyMap<string, bigint>;
  /** The nodes whose outputs the hooks read, as a bit set. */
  readonly askedAtEnd: bigint;
  /** Whether any template reads `steps` or `step.<index>`, so that the order of first completion must be recorded. */
  readonly usesOrder: boolean;
}
