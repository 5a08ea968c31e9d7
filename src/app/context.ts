import type { CoreLimits } from '../core/run.ts';
import type { Json } from '../core/value/json.ts';
import type { Plan } from '../core/plan.ts';
import type { State } from '../core/state.ts';
import type { CallTimes } from '../core/view/stuck.ts';
import type { CallbackVerification } from '../ports/callback-token.ts';
import type { StoredItem } from '../ports/queue.ts';
import type { Clock, Entropy } from '../ports/clock.ts';
import type { Revision } from '../ports/store/revision.ts';
import type { Store, SubmitResult } from '../ports/store.ts';
import type { LoopShare } from '../engine/loop-share.ts';
import type { Compiled } from '../engine/worker/plan-cache.ts';
import type { Submission } from '../engine/write/submission.ts';
import type { ClusterSource } from './queries/cluster-source.ts';
import type { KnownDefinitions } from './known-definitions.ts';

/** Compiled definitions, cached by content hash. */
export interface Plans {
  /** Compiles a definition as submitted; `plan.hash` is its content hash. */
  compile(definition: Json): Compiled;
  /** The plan of a pinned definition; undefined if neither an execution nor a record has that content. */
  load(hash: string): Promise<Plan | undefined>;
}

/** The engine of the process, as use cases need it. */
export interface AppEngine {
  /** Creates the id of a new execution. */
  mintId(now: number): string;
  /** Stores the execution (together with others, in one transaction), then lets it run. Resolves once it is durable. */
  submit(submission: Submission): Promise<SubmitResult>;
  /** Announces that an execution has become due. Never throws; the reconciler repairs a lost ring. */
  ring(item: StoredItem): void;
  /**
   * Calls `changed` with the durable state after every checkpoint of the execution in this process, until the returned
   * function is called. The execution need not exist yet.
   */
  watch(id: string, changed: (state: State) => void): () => void;
  /** Bounds the work per turn of the event loop; absent: unbounded. */
  readonly share?: Pick<LoopShare, 'run' | 'charge'>;
}

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

/** Counts callbacks for metrics. Must not throw. */
export interface CallbackObserver {
  received(of: { readonly name: string; readonly version: string }): void;
  /** `of` is absent while the execution of the callback is unknown. */
  rejected(reason: CallbackRejection, of?: { readonly name: string; readonly version: string }): void;
}

/** The store, as use cases need it. */
export type AppStore = Pick<
  Store,
  | 'getExecution'
  | 'getProgress'
  | 'listExecutions'
  | 'countChildren'
  | 'listSteps'
  | 'listCalls'
  | 'listEffects'
  | 'readOutputs'
  | 'offer'
  | 'changeTerminal'
  | 'getDefinition'
  | 'listDefinitions'
  | 'listDefinitionNames'
  | 'getDefinitionBody'
  | 'putDefinition'
  | 'deleteDefinition'
  | 'getSetting'
  | 'initSetting'
  | 'changeSetting'
  | 'listAudit'
>;

/** A reason given by an operator, masked before it is stored. */
export function reasonWithout({ masker }: Pick<AppContext, 'masker'>, reason: string): string {
  return masker.json(reason) as string;
}

/**
 * Dependencies of the use cases behind the API and the command line. A use case checks a request against the current
 * state, makes the change durable, and only then answers.
 */
export interface AppContext {
  readonly store: AppStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly plans: Plans;
  /** Stored definitions that this process has read before. */
  readonly known: Pick<KnownDefinitions, 'recall' | 'remember'>;
  readonly engine: AppEngine;
  /** The caller's name in the audit log; absent without authentication. */
  readonly actor?: string;
  /** A change is made only while the execution is at one of these revisions; absent: at any. */
  readonly expected?: readonly Revision[];
  /**
   * Whether the caller may start, retry and undo runs of a plan: its definitions include all that such runs start. Absent for a caller
   * that is not limited.
   */
  readonly mayRun?: (plan: Plan) => Promise<boolean>;
  /** Verifies callback tokens in constant time. */
  readonly tokens: { verify(token: string): CallbackVerification };
  /** Masks every secret and callback token anywhere in a value. */
  readonly masker: {
    text(text: string): string;
    json(value: Json): Json;
    /** Masks credential headers as a whole, and secrets and tokens inside all others. */
    headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  };
  readonly limits: CoreLimits;
  /** The time limits of calls. */
  readonly callTimes: CallTimes;
  /** Characters of a body shown in a history row; longer bodies are cut and marked. */
  readonly maxHistoryBody: number;
  /** Bytes of outputs that one template or condition may read from the store. */
  readonly maxOutputBytes: number;
  /** The value of a configured variable. */
  readonly variable: (name: string) => string | undefined;
  readonly callbacks?: CallbackObserver;
  /** What this process knows about itself and its peers; absent in tools without a server. */
  readonly cluster?: ClusterSource;
  /** Called after this process has changed holds, so that it applies them at once. Must not throw. */
  readonly holdsChanged?: () => void;
}
