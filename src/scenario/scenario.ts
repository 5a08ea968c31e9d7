import type { CallPhase } from '../core/context/context.ts';
import type { Json, JsonObject } from '../core/value/json.ts';
import type { ExecutionStatus } from '../core/state.ts';

/** How a call fails without an answer; see {@link ScenarioAnswer.error}. */
export type ScenarioError = 'timeout' | 'connect' | 'body';

/** A callback that the downstream sends after a call. */
export interface ScenarioCallback {
  /** Milliseconds from the call; absent means together with its answer. Less than the answer's: it comes early. */
  readonly afterMillis?: number;
  readonly body: Json;
}

/** How one call is answered. */
export interface ScenarioAnswer {
  /** Absent: the node's own idea of success, 200 (202 where a callback is to follow) if it allows that. */
  readonly status?: number;
  /** Absent means `{}`. */
  readonly body?: Json;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds from the call; absent means at once. Beyond the call's timeout, the call times out. */
  readonly afterMillis?: number;
  /**
   * No answer at all: `timeout` when the call's own time is over (unknown), `connect` refused before anything left
   * (unsent), `body` broken off in the middle of the answer (unknown).
   */
  readonly error?: ScenarioError;
  readonly callbacks: readonly ScenarioCallback[];
}

/** What somebody does at an instant, in milliseconds from the start. */
export type ScenarioAction =
  | { readonly do: 'cancel'; readonly atMillis: number; readonly reason?: string }
  | { readonly do: 'terminate'; readonly atMillis: number }
  | { readonly do: 'wake'; readonly atMillis: number }
  | { readonly do: 'retry'; readonly atMillis: number; readonly force: boolean }
  | {
      readonly do: 'resolve';
      readonly atMillis: number;
      readonly nodeId: string;
      readonly visit?: number;
      readonly phase: 'UP' | 'DOWN';
      readonly outcome: 'succeeded' | 'failed';
      readonly body?: Json;
      readonly reason: string;
    };

/** A standing effect that is expected: every field that is given must agree. */
export interface ExpectedEffect {
  readonly nodeId: string;
  readonly visit?: number;
  readonly round?: number;
  readonly outcome?: 'succeeded' | 'unknown';
}

/** How the execution is expected to end; what is absent is not looked at. */
export interface Expectation {
  readonly status?: ExecutionStatus;
  /** Every call in the order in which they went out, as `<node id or hook>:<UP|DOWN|HOOK>`. */
  readonly calls?: readonly string[];
  /** All standing effects, in any order. */
  readonly standing?: readonly ExpectedEffect[];
  /** Wrapped, since null is a result too. */
  readonly result?: { readonly body: Json };
  readonly failedNodeId?: string;
  readonly reason?: string;
}

/**
 * A scenario: one execution told in advance. What it is started with, how every downstream answers, what people do
 * meanwhile and how it is expected to end. Read and checked by `read.ts`, played by `simulate.ts`.
 */
export interface Scenario {
  readonly description?: string;
  /** Virtual time at which the execution begins, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
  /** By {@link callName}: one answer per call, the last repeats. Never an empty list. */
  readonly answers: ReadonlyMap<string, readonly ScenarioAnswer[]>;
  /** In the order of their instants. */
  readonly actions: readonly ScenarioAction[];
  readonly expect?: Expectation;
}

/** When scenarios begin that do not say when: 2030-01-01T00:00:00Z. */
export const defaultStart: number = Date.UTC(2030, 0, 1);

/** The name of a call in scenarios and traces, without its visit: `charge:UP`, `charge:DOWN`, `onSuccessCallback:HOOK`. */
export function callName(nodeId: string, phase: CallPhase): string {
  return `${nodeId}:${phase}`;
}
