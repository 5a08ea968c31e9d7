/**
 * What a seed stands for: how many processes and executions there are, which faults may happen and how often.
 *
 * Not every seed has every fault: a run in which everything fails reaches little. Each kind is on or off by chance, and one
 * seed in ten has none at all.
 */
import type { Random } from '../random.ts';
import { goodManners, type Manners } from './downstreams.ts';
import { calmWire, type WireFaults } from './wire.ts';

/** See the file header. Durations in milliseconds, probabilities from 0 to 1. */
export interface Scenario {
  readonly processes: number;
  readonly executions: number;
  /** How long faults happen. */
  readonly stormMillis: number;
  readonly maxWaitMillis: number;
  readonly workerCount: number;
  readonly maxStepsPerExecution: number;
  readonly store: WireFaults;
  readonly queue: WireFaults;
  readonly rings: { readonly lost: number; readonly doubled: number };
  readonly manners: Manners;
  /** Connections that do not come about. */
  readonly refused: number;
  /** Largest difference of a process' wall time. */
  readonly skewMillis: number;
  /** Chance, at each call and each write of a process, that it crashes or freezes right then. */
  readonly crash: number;
  readonly freeze: number;
  /** Orderly restarts, wipes of the queue, times without store or queue, and jumps of clocks, in the storm. */
  readonly restarts: number;
  readonly wipes: number;
  readonly storeOutages: number;
  readonly queueOutages: number;
  readonly jumps: number;
  /** Cancels, terminations, wakes, resolves and retries in the storm. */
  readonly operations: number;
}

/** Draws a scenario. */
export function drawScenario(random: Random): Scenario {
  const calm = random.chance(0.1);
  const on = (probability: number): boolean => random.chance(probability) && !calm;
  const wire = (isOn: boolean): WireFaults =>
    isOn
      ? {
          lostRequest: random.pick([0, 0.01, 0.08]),
          lostAnswer: random.pick([0, 0.02, 0.12]),
          late: random.pick([0, 0.02, 0.08]),
          slow: random.pick([0, 0.05, 0.2]),
          slowMillis: random.pick([50, 500, 6_000]),
          deadlineMillis: random.pick([300, 1_500, 5_000]),
        }
      : calmWire;
  const async = on(0.5);
  return {
    processes: random.int(1, 3),
    executions: random.int(1, 3),
    stormMillis: random.pick([5_000, 15_000, 30_000]),
    maxWaitMillis: random.pick([300, 2_000, 6_000]),
    workerCount: random.pick([1, 2, 8]),
    maxStepsPerExecution: random.pick([1, 3, 25]),
    store: wire(on(0.4)),
    queue: wire(on(0.4)),
    rings: on(0.3) ? { lost: random.pick([0.1, 0.5, 1]), doubled: 0.2 } : { lost: 0, doubled: 0 },
    manners: {
      ...goodManners,
      reject: on(0.5) ? random.pick([0.03, 0.15]) : 0,
      error: on(0.4) ? random.pick([0.05, 0.2]) : 0,
      ambiguous: on(0.5) ? random.pick([0.05, 0.2]) : 0,
      slow: on(0.3) ? random.pick([0.05, 0.2]) : 0,
      undoFails: on(0.4) ? random.pick([0.1, 0.4]) : 0,
      callbackNever: async ? random.pick([0, 0.1, 0.3]) : 0,
      callbackFails: async ? random.pick([0, 0.1, 0.4]) : 0,
      callbackTwice: async ? 0.3 : 0,
      callbackPending: async ? 0.3 : 0,
      callbackEarly: async ? 0.3 : 0,
    },
    refused: on(0.2) ? 0.1 : 0,
    skewMillis: on(0.3) ? random.pick([50, 2_000]) : 0,
    crash: on(0.4) ? random.pick([0.01, 0.05]) : 0,
    freeze: on(0.3) ? random.pick([0.01, 0.03]) : 0,
    restarts: on(0.25) ? random.pick([1, 3, 8]) : 0,
    wipes: on(0.25) ? random.pick([1, 3, 6]) : 0,
    storeOutages: on(0.2) ? random.int(1, 2) : 0,
    queueOutages: on(0.2) ? random.int(1, 2) : 0,
    jumps: on(0.15) ? random.pick([1, 5]) : 0,
    operations: on(0.5) ? random.pick([2, 6, 25]) : 0,
  };
}

/** Whether nothing in it can come between a call and the record of its answer. */
export function sparesProcesses(scenario: Scenario): boolean {
  const { store, queue, crash, freeze, restarts, wipes, storeOutages, queueOutages, jumps, skewMillis } = scenario;
  const isCalm = (wire: WireFaults): boolean => wire.lostRequest + wire.lostAnswer + wire.late + wire.slow === 0;
  const faults = [crash, freeze, restarts, wipes, storeOutages, queueOutages, jumps, skewMillis];
  return faults.every((fault) => fault === 0) && isCalm(store) && isCalm(queue);
}

/** A crash now and then, far enough from the next that what it left behind is found before. */
export const rareCrash = 0.0001;

/** Whether processes are disturbed by rare crashes at most: then recovery has a bound in the storm too. */
export function recoversInTime(scenario: Scenario): boolean {
  return scenario.crash <= rareCrash && sparesProcesses({ ...scenario, crash: 0 });
}
