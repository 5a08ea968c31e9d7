import type { CoreLimits } from '../core/run.ts';
import type { Json } from '../core/value/json.ts';
import type { Plan } from '../core/plan.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { summarize } from '../core/summary.ts';
import { Definitions } from './definitions.ts';
import { differences } from './expectation.ts';
import type { Difference } from './expectation.ts';
import type { StandingEffect } from './play/journal.ts';
import type { Scenario } from './scenario.ts';
import { Simulation } from './play/simulation.ts';
import type { TraceEntry } from './trace.ts';

/** Options of a simulation; each has a default, that of the server's configuration where it has one. */
export interface SimulationOptions {
  /** The definitions of the executions that workflow nodes start; the last one of a name is its latest version. */
  readonly with?: readonly Plan[];
  readonly executionId?: string;
  /** Timeout of calls whose definition names none, in milliseconds. Default 30000. */
  readonly requestTimeoutMillis?: number;
  /** Bound of answers, callbacks, actions and timers. Default 50000. */
  readonly maxEvents?: number;
  readonly limits?: Partial<CoreLimits>;
}

/** The outcome of a scenario. */
export interface SimulationResult {
  /** The status in which an execution waits for ever. */
  readonly status: ExecutionStatus;
  readonly reason?: string;
  readonly failedNodeId?: string;
  readonly failureDescription?: string;
  readonly callbackWarning?: string;
  readonly round: number;
  /** Virtual milliseconds from the start to the last event. */
  readonly durationMillis: number;
  /**
   * The most exact name of every call in the order in which they went out: `charge:UP`, `charge[3]:DOWN`, `ship/reserve:UP`,
   * `onSuccessCallback:HOOK`.
   */
  readonly calls: readonly string[];
  readonly trace: readonly TraceEntry[];
  /** Effects that remain downstream although the execution did not succeed. */
  readonly standing: readonly StandingEffect[];
  readonly result?: Json;
  /** Why the simulation stopped early; absent when it ended by itself. */
  readonly stopped?: string;
  /** Differences from the scenario's expectations; empty when there are none. */
  readonly diffs: readonly Difference[];
}

const defaultLimits: CoreLimits = {
  maxNodeVisits: 10_000,
  maxNodeVisitsCap: 1_000_000,
  hookMaxMillis: 60_000,
  // A scenario ends with its execution.
  hookDeliverMillis: 0,
  maxRetryAfterMillis: 3_600_000,
  maxAdvances: 100,
  maxTurnSteps: 100_000,
  maxTurnBytes: 4_194_304,
};

/**
 * Plays a scenario offline and returns its outcome: that of the execution itself, with the calls of all executions of its family. The same
 * plan, scenario and options always give the same result.
 */
export function simulate(plan: Plan, scenario: Scenario, options: SimulationOptions = {}): SimulationResult {
  const maxEvents = options.maxEvents ?? 50_000;
  const simulation = new Simulation(new Definitions(plan, options.with), scenario, {
    executionId: options.executionId ?? '00000000-0000-7000-8000-000000000001',
    requestTimeoutMillis: options.requestTimeoutMillis ?? 30_000,
    maxEvents,
    limits: { ...defaultLimits, ...options.limits },
  });
  const isPlayed = simulation.play();
  const { journal, run } = simulation.root;
  const { state, outputs } = run;
  const { status, round, reason, failedNodeId, failureDescription, callbackWarning } = summarize(state);
  const result = state.end === undefined || state.result === undefined ? undefined : outputs.at(state.result);
  const isFailed = state.end !== undefined && state.end.status !== 'SUCCEEDED';
  const happened = {
    status,
    ...(reason === undefined ? undefined : { reason }),
    ...(failedNodeId === undefined ? undefined : { failedNodeId }),
    calls: simulation.calls.map(([name = '']) => name),
    standing: isFailed ? journal.standing() : [],
    ...(result?.response === undefined ? undefined : { result: result.response.body }),
  };
  return {
    ...happened,
    ...(failureDescription === undefined ? undefined : { failureDescription }),
    ...(callbackWarning === undefined ? undefined : { callbackWarning }),
    round,
    durationMillis: state.now - scenario.startedAt,
    trace: simulation.telling.trace,
    ...(isPlayed ? undefined : { stopped: `It was given up after ${String(maxEvents)} events.` }),
    diffs: scenario.expect === undefined ? [] : differences(scenario.expect, { ...happened, calls: simulation.calls }),
  };
}
