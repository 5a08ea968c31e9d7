/** Plays a scenario offline and says what came of it. */
import type { CoreLimits } from '../core/run.ts';
import type { Json } from '../core/value/json.ts';
import type { Plan } from '../core/plan.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { summarize } from '../core/summary.ts';
import { differences } from './expectation.ts';
import type { Difference } from './expectation.ts';
import type { StandingEffect } from './journal.ts';
import type { Scenario } from './scenario.ts';
import { Simulation } from './simulation.ts';
import type { TraceEntry } from './trace.ts';

/** How to simulate; everything has a default, that of the server's configuration where it has one. */
export interface SimulationOptions {
  readonly executionId?: string;
  /** Timeout of calls whose definition names none, in milliseconds. Default 30000. */
  readonly requestTimeoutMillis?: number;
  /** Answers, callbacks, actions and timers after which the simulation is given up. Default 50000. */
  readonly maxEvents?: number;
  readonly limits?: Partial<CoreLimits>;
}

/** What came of a scenario. */
export interface SimulationResult {
  /** Of an execution that waits for ever: the status in which it does. */
  readonly status: ExecutionStatus;
  readonly reason?: string;
  readonly failedNodeId?: string;
  readonly failureDescription?: string;
  readonly callbackWarning?: string;
  readonly round: number;
  /** Virtual milliseconds from the start to the last thing that happened. */
  readonly durationMillis: number;
  /** Every call in the order in which they went out: `charge:UP`, `charge:DOWN`, `onSuccessCallback:HOOK`. */
  readonly calls: readonly string[];
  readonly trace: readonly TraceEntry[];
  /** What stands downstream though the execution did not succeed. */
  readonly standing: readonly StandingEffect[];
  readonly result?: Json;
  /** Why the simulation went no further, where it did not end by itself. */
  readonly stopped?: string;
  /** What did not come as the scenario expects; empty when all did, or nothing was expected. */
  readonly diffs: readonly Difference[];
}

const defaultLimits: CoreLimits = {
  maxNodeVisits: 10_000,
  maxNodeVisitsCap: 1_000_000,
  hookMaxMillis: 60_000,
  // What a scenario shows ends with the execution.
  hookDeliverMillis: 0,
  maxRetryAfterMillis: 3_600_000,
  maxAdvances: 100,
  maxTurnSteps: 100_000,
  maxTurnBytes: 4_194_304,
};

/** See the file header. The same plan, scenario and options always give the same result. */
export function simulate(plan: Plan, scenario: Scenario, options: SimulationOptions = {}): SimulationResult {
  const maxEvents = options.maxEvents ?? 50_000;
  const simulation = new Simulation(plan, scenario, {
    executionId: options.executionId ?? '00000000-0000-7000-8000-000000000001',
    requestTimeoutMillis: options.requestTimeoutMillis ?? 30_000,
    maxEvents,
    limits: { ...defaultLimits, ...options.limits },
  });
  const isPlayed = simulation.play();
  const { state, outputs } = simulation.run;
  const { status, round, reason, failedNodeId, failureDescription, callbackWarning } = summarize(state);
  const result = state.end === undefined || state.result === undefined ? undefined : outputs.at(state.result);
  const isFailed = state.end !== undefined && state.end.status !== 'SUCCEEDED';
  const happened = {
    status,
    ...(reason === undefined ? undefined : { reason }),
    ...(failedNodeId === undefined ? undefined : { failedNodeId }),
    calls: simulation.calls,
    standing: isFailed ? simulation.journal.standing() : [],
    ...(result?.response === undefined ? undefined : { result: result.response.body }),
  };
  return {
    ...happened,
    ...(failureDescription === undefined ? undefined : { failureDescription }),
    ...(callbackWarning === undefined ? undefined : { callbackWarning }),
    round,
    durationMillis: state.now - scenario.startedAt,
    trace: simulation.narrator.trace,
    ...(isPlayed ? undefined : { stopped: `It was given up after ${String(maxEvents)} events.` }),
    diffs: scenario.expect === undefined ? [] : differences(scenario.expect, happened),
  };
}
