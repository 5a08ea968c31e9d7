import type { CallPhase, Outcome } from './context/context.ts';
import type { Outputs } from './context/outputs.ts';
import type { Command } from './event.ts';
import type { CallRow, StepRow, UndoMark } from './history.ts';
import type { NodePlan, Plan, TaskPlan } from './plan.ts';
import type { FailureReason, State, TerminalStatus } from './state.ts';
import type { JsonObject } from './value/json.ts';

/** What identifies an execution and never changes. */
export interface ExecutionHeader {
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

/** Limits that configuration sets. */
export interface CoreLimits {
  /** Visits of a round where the definition says nothing. */
  readonly maxNodeVisits: number;
  /** Upper bound of what a definition may say. */
  readonly maxNodeVisitsCap: number;
  /** How long a hook may be retried, in milliseconds from its first call. */
  readonly hookMaxMillis: number;
  /** How long a hook that was not delivered by then is delivered after the end, in milliseconds from there; 0: not at all. */
  readonly hookDeliverMillis: number;
  /** Longest wait for a Retry-After, in milliseconds. */
  readonly maxRetryAfterMillis: number;
  /** Nodes entered in one `apply`, so that a loop without calls is written in bounded pieces. */
  readonly maxAdvances: number;
  /** Steps (see `meter.ts`) after which one `apply` enters no further node and tries no further case of a switch. */
  readonly maxTurnSteps: number;
  /** Bytes of rendered and built texts after which one `apply` does the same. */
  readonly maxTurnBytes: number;
}

/** Everything a transition may know besides the run and the event. */
export interface Env {
  /** Milliseconds since 1970; the state's own `now` wins when it is later. */
  readonly now: number;
  /** False: no call may start and no `ready` token may go on (draining, lease over, step quota used up). */
  readonly advance: boolean;
  random(): number;
  nonce(): string;
  /** Id of the key that signs the token of an operation: the one that has signed it while that is live, else the first one. Undefined where callbacks are not possible. */
  callbackKey(used: string | undefined): string | undefined;
  variable(name: string): string | undefined;
  readonly limits: CoreLimits;
}

/** Something worth counting or logging; has no influence on anything. */
export type Signal =
  | { readonly kind: 'retried'; readonly nodeId: string; readonly phase: CallPhase }
  | {
      readonly kind: 'attempt';
      readonly nodeId: string;
      readonly phase: CallPhase;
      readonly outcome: Outcome;
      readonly reason?: FailureReason;
      /** For logs: without anything that came from data. */
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
    }
  | { readonly kind: 'switched'; readonly nodeId: string; readonly result: 'case' | 'default' | 'error' }
  | { readonly kind: 'callbackTimeout'; readonly nodeId: string }
  | { readonly kind: 'callbackIgnored'; readonly nodeId: string }
  | {
      readonly kind: 'failing';
      readonly reason: FailureReason;
      readonly nodeId?: string;
      /** For logs: without anything that came from data. */
      readonly description: string;
    }
  | { readonly kind: 'finished'; readonly status: TerminalStatus; readonly reason?: FailureReason }
  /** The hook of the end is settled: `late` after the end, `dropped` since the execution goes on. */
  | {
      readonly kind: 'hookEnded';
      readonly nodeId: string;
      readonly result: 'delivered' | 'late' | 'failed' | 'dropped';
      readonly attempts: number;
    }
  | { readonly kind: 'warning'; readonly nodeId: string; readonly message: string };

/** What `apply` gives: the new state and everything to write and do. */
export interface Transition {
  readonly state: State;
  readonly outputs: Outputs;
  readonly commands: readonly Command[];
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
  readonly undo: readonly UndoMark[];
  /** Inbox ids used up. */
  readonly consumed: readonly string[];
  readonly signals: readonly Signal[];
  /** What it has cost: see `meter.ts`. */
  readonly work: { readonly steps: number; readonly bytes: number };
}
