import type { CallPhase, Outcome } from './context/context.ts';
import type { Outputs } from './context/outputs.ts';
import type { ChildEndedEvent, Command, Event } from './event.ts';
import type { FamilyPlace } from './context/family.ts';
import type { CallRow, StepRow, UndoMark } from './history.ts';
import type { NodePlan, Plan, TaskPlan } from './plan.ts';
import type { FailureReason, ItemEnd, OutputRef, State, TerminalStatus } from './state.ts';
import type { Json, JsonObject } from './value/json.ts';

/** The identity and input of an execution, which never change. */
export interface ExecutionHeader extends FamilyPlace {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
}

/** An execution in memory. */
export interface Run {
  readonly plan: Plan;
  readonly header: ExecutionHeader;
  readonly state: State;
  readonly outputs: Outputs;
}

/** Configured limits of the core. */
export interface CoreLimits {
  /** Default maximum number of visits of a round. */
  readonly maxNodeVisits: number;
  /** Upper bound of the `maxNodeVisits` of a definition. */
  readonly maxNodeVisitsCap: number;
  /** How long a hook is retried before the execution ends, in milliseconds from its first call. */
  readonly hookMaxMillis: number;
  /** How long an undelivered hook is retried after the end of the execution, in milliseconds; 0 disables this. */
  readonly hookDeliverMillis: number;
  /** Maximum wait for a Retry-After, in milliseconds. */
  readonly maxRetryAfterMillis: number;
  /** Maximum number of nodes entered in one `apply`, so that a loop without calls is saved in bounded pieces. */
  readonly maxAdvances: number;
  /**
   * Number of steps (see `meter.ts`) after which one `apply` enters no further node and tries no further switch case.
   */
  readonly maxTurnSteps: number;
  /** Number of bytes of produced text after which one `apply` does the same. */
  readonly maxTurnBytes: number;
}

/** The environment of a transition: its only inputs besides the run and the event. */
export interface Env {
  /** Milliseconds since 1970; the state's own `now` is used if it is later. */
  readonly now: number;
  /** If false, no call may start and no `ready` token may continue (draining, lease expired, step quota used up). */
  readonly advance: boolean;
  random(): number;
  nonce(): string;
  /** A new id for an execution that this one starts. */
  executionId(): string;
  /**
   * The id of the key that signs the callback token of an operation: the key used before while it is live, otherwise
   * the first one. Undefined if callbacks are not configured.
   */
  callbackKey(used: string | undefined): string | undefined;
  variable(name: string): string | undefined;
  /** See `RenderContext.maskJson`; absent: nothing is masked. */
  readonly maskJson?: ((value: Json) => Json) | undefined;
  readonly limits: CoreLimits;
}

/** Something to count or log; it never influences an execution. */
export type Signal =
  | { readonly kind: 'retried'; readonly nodeId: string; readonly phase: CallPhase }
  | {
      readonly kind: 'attempt';
      readonly nodeId: string;
      readonly phase: CallPhase;
      readonly outcome: Outcome;
      readonly reason?: FailureReason;
      /** For logs: contains no data. */
      readonly description?: string;
      readonly willRetry: boolean;
    }
  | {
      readonly kind: 'step';
      readonly nodeId: string;
      readonly nodeKind: NodePlan['kind'];
      readonly mode?: TaskPlan['mode'];
      readonly outcome: Outcome;
      readonly durationMillis: number;
      /** Of `workflow` nodes only. */
      readonly visit?: number;
    }
  | { readonly kind: 'item'; readonly nodeId: string; readonly status: ItemEnd['status'] }
  | { readonly kind: 'switched'; readonly nodeId: string; readonly result: 'case' | 'default' | 'error' }
  | { readonly kind: 'callbackTimeout'; readonly nodeId: string }
  | { readonly kind: 'callbackIgnored'; readonly nodeId: string }
  | {
      readonly kind: 'failing';
      readonly reason: FailureReason;
      readonly nodeId?: string;
      /** For logs: contains no data. */
      readonly description: string;
    }
  /** `isUndone`: an undo has ended. */
  | {
      readonly kind: 'finished';
      readonly status: TerminalStatus;
      readonly reason?: FailureReason;
      readonly isUndone?: true;
    }
  /** The hook of the end has its final result: `late` after the end, `dropped` because the execution continues. */
  | {
      readonly kind: 'hookEnded';
      readonly nodeId: string;
      readonly result: 'delivered' | 'late' | 'failed' | 'dropped';
      readonly attempts: number;
    }
  | { readonly kind: 'warning'; readonly nodeId: string; readonly message: string };

/**
 * An event that the checkpoint of a transition appends to the inbox of another execution. The result of a child is a reference to its
 * output, which the engine reads if it is not in memory.
 */
export type Told =
  | {
      readonly executionId: string;
      readonly event: Extract<Event, { type: 'cancelled' }> & { readonly inboxId: string };
    }
  | {
      readonly executionId: string;
      readonly event: Omit<ChildEndedEvent, 'result'> & { readonly inboxId: string };
      readonly result?: OutputRef;
    };

/** The result of `apply`: the new state and everything to write and to do. */
export interface Transition {
  readonly state: State;
  readonly outputs: Outputs;
  readonly commands: readonly Command[];
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Ids of consumed inbox rows. */
  readonly consumed: readonly string[];
  /** Events for other executions of the family. */
  readonly tells: readonly Told[];
  readonly signals: readonly Signal[];
  /** The cost of the transition: see `meter.ts`. */
  readonly work: { readonly steps: number; readonly bytes: number };
}
