import type { Json, JsonObject } from '../core/value/json.ts';
import type { ExecutionStatus } from '../core/state.ts';

/** The failure of a call without an answer; see {@link ScenarioAnswer.error}. */
export type ScenarioError = 'timeout' | 'connect' | 'body';

/** A callback that the downstream sends after a call. */
export interface ScenarioCallback {
  /**
   * Milliseconds from the call; absent means together with its answer. Less than the answer's: the callback comes
   * early.
   */
  readonly afterMillis?: number;
  readonly body: Json;
}

/** The answer to one call. */
export interface ScenarioAnswer {
  /** Absent: the node's own default for success, 200 (202 where a callback is to follow) if it allows that. */
  readonly status?: number;
  /** Absent means `{}`. */
  readonly body?: Json;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds from the call; absent means at once. Beyond the call's timeout, the call times out. */
  readonly afterMillis?: number;
  /**
   * No answer at all: `timeout` at the end of the call's own time (unknown), `connect` refused before anything left
   * (unsent), `body` broken off in the middle of the answer (unknown).
   */
  readonly error?: ScenarioError;
  readonly callbacks: readonly ScenarioCallback[];
}

/** An action of a person at an instant, in milliseconds from the start. */
export type ScenarioAction = PlainAction & {
  /** The name of the workflow node whose execution it is about; absent for the root. */
  readonly at?: string;
};

type PlainAction =
  | { readonly do: 'cancel'; readonly atMillis: number; readonly reason?: string }
  | { readonly do: 'terminate'; readonly atMillis: number }
  /** `item`: only what sleeps for the item with these places. */
  | { readonly do: 'wake'; readonly atMillis: number; readonly item?: readonly number[] }
  | { readonly do: 'retry'; readonly atMillis: number; readonly force: boolean }
  | { readonly do: 'undo'; readonly atMillis: number; readonly reason: string }
  | {
      readonly do: 'resolve';
      readonly atMillis: number;
      readonly nodeId: string;
      readonly visit?: number;
      /** The places of the items that the visit belongs to, outermost first. */
      readonly item?: readonly number[];
      readonly phase: 'UP' | 'DOWN';
      readonly outcome: 'succeeded' | 'failed';
      readonly body?: Json;
      readonly reason: string;
    };

/** An expected standing effect: every given field must match. */
export interface ExpectedEffect {
  readonly nodeId: string;
  readonly item?: readonly number[];
  readonly visit?: number;
  readonly round?: number;
  readonly outcome?: 'succeeded' | 'unknown';
}

/** The expected outcome of the execution; absent fields are not checked. */
export interface Expectation {
  readonly status?: ExecutionStatus;
  /** Every call in the order in which they went out, by one of its names; see `callNames`. */
  readonly calls?: readonly string[];
  /** All standing effects, in any order. */
  readonly standing?: readonly ExpectedEffect[];
  /** Wrapped, since null is a result, too. */
  readonly result?: { readonly body: Json };
  readonly failedNodeId?: string;
  readonly reason?: string;
}

/**
 * A scenario: one execution told in advance, with its input, the answers of all downstreams, the actions of people and
 * its expected outcome. `read.ts` reads and checks it, `simulate.ts` plays it.
 */
export interface Scenario {
  readonly description?: string;
  /** Virtual time at which the execution begins, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
  /** By a name of the call (`callNames`): one answer per call of that name; the last one repeats. Never an empty list. */
  readonly answers: ReadonlyMap<string, readonly ScenarioAnswer[]>;
  /** In the order of their instants. */
  readonly actions: readonly ScenarioAction[];
  readonly expect?: Expectation;
}

/** The start of scenarios that name none: 2030-01-01T00:00:00Z. */
export const defaultStart: number = Date.UTC(2030, 0, 1);
