/**
 * What the desk is built from. The desk is the set of application services behind the API: it checks a request against
 * the state of things, makes the change durable, and only then answers.
 */
import type { CoreLimits } from '../core/run.ts';
import type { Json } from '../core/value/json.ts';
import type { Plan } from '../core/plan.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { Store, SubmitResult } from '../ports/store.ts';
import type { LoopShare } from '../engine/loop-share.ts';
import type { Submission } from '../engine/write/submission.ts';
import type { ClusterSource } from './queries/cluster-source.ts';
import type { KnownDefinitions } from './known-definitions.ts';

/** A definition compiled, or everything that is wrong with it. */
export type Compiled =
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly errors: readonly string[]; readonly warnings: readonly string[] };

/** Compiled definitions, cached by content hash. */
export interface Plans {
  /** Compiles a definition as it was submitted; `plan.hash` is its content hash. */
  compile(definition: Json): Compiled;
  /** The plan of a pinned definition; undefined when neither an execution nor a record has that content. */
  load(hash: string): Promise<Plan | undefined>;
}

/** What the desk asks of the engine of its process. */
export interface EngineDoor {
  /** An id for a new execution. */
  mintId(now: number): string;
  /** Stores the execution (with others, in one transaction), then lets it run. Resolves when it is durable. */
  submit(submission: Submission): Promise<SubmitResult>;
  /** Something has become due: look at it soon. Never throws; a lost ring is repaired by the reconcile. */
  ring(item: { readonly id: string; readonly slot: number; readonly dueAt: number }): void;
  /** Calls `changed` after every checkpoint of the execution that this process makes; the result ends that. */
  watch(id: string, changed: () => void): () => void;
  /** What the process may do in one turn of the event loop; absent: nothing bounds it. */
  readonly share?: Pick<LoopShare, 'run' | 'charge'>;
}

/** What a callback token says, once its signature holds. */
export interface CallbackClaims {
  readonly executionId: string;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly operation: number;
  readonly nonce: string;
}

/** A token checked. */
export type CheckedToken =
  | { readonly ok: true; readonly claims: CallbackClaims }
  | { readonly ok: false; readonly problem: 'malformed' | 'signature' | 'unknown_kid' };

/** Why a callback was rejected; the values of the `reason` label of `saga_callback_rejected_total`. */
export type CallbackRejection =
  | 'malformed'
  | 'signature'
  | 'unknown_kid'
  | 'unknown_execution'
  | 'earlier_operation'
  | 'other_body'
  | 'not_waiting'
  | 'rate_limited';

/** Told of callbacks, for metrics. Must not throw. */
export interface CallbackObserver {
  received(of: { readonly name: string; readonly version: string }): void;
  /** `of` is absent where it is not known which execution the callback is for. */
  rejected(reason: CallbackRejection, of?: { readonly name: string; readonly version: string }): void;
}

/** What the desk asks of the store. */
export type DeskStore = Pick<
  Store,
  | 'getExecution'
  | 'getProgress'
  | 'listExecutions'
  | 'listSteps'
  | 'listCalls'
  | 'listEffects'
  | 'readOutputs'
  | 'offer'
  | 'changeTerminal'
  | 'getDefinition'
  | 'listDefinitions'
  | 'getDefinitionBody'
  | 'putDefinition'
  | 'deleteDefinition'
  | 'getSetting'
  | 'initSetting'
  | 'changeSetting'
  | 'listAudit'
>;

/** What somebody gave as a reason, without secrets: it is kept, and no template needs it. */
export function reasonWithout({ masker }: Pick<DeskParts, 'masker'>, reason: string): string {
  return masker.json(reason) as string;
}

/** See the file header. */
export interface DeskParts {
  readonly store: DeskStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly plans: Plans;
  /** Stored definitions that were read before. */
  readonly known: Pick<KnownDefinitions, 'recall' | 'remember'>;
  readonly engine: EngineDoor;
  /** Who asks, as the audit log names them; absent without authentication. */
  readonly actor?: string;
  /** Checks callback tokens, constant time in their secret parts. */
  readonly tokens: { verify(token: string): CheckedToken };
  /** Masks every secret and callback token, wherever in a value it stands. */
  readonly masker: {
    text(text: string): string;
    json(value: Json): Json;
    /** Values of credential headers whole, secrets and tokens in all others. */
    headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  };
  readonly limits: CoreLimits;
  /** Characters of a body that a row of the history shows; what is longer is cut and marked. */
  readonly maxHistoryBody: number;
  /** Bytes of outputs that one template or condition may read from the store. */
  readonly maxOutputBytes: number;
  /** The value of a configured variable. */
  readonly variable: (name: string) => string | undefined;
  readonly callbacks?: CallbackObserver;
  /** What this process knows of itself and the others; absent: nothing. */
  readonly cluster?: ClusterSource;
  /** Told after holds were changed here, so that this process need not wait to hear of it. Must not throw. */
  readonly holdsChanged?: () => void;
}
