import type { Random } from './random.ts';
import { goodManners, type Manners } from './downstreams.ts';
import { calmWire, type WireFaults } from './links/wire.ts';

/** Whether processes share one queue in memory, or a server with shards. */
export type Kind = 'hub' | 'cluster';

/** Settings and faults of clusters. Durations in milliseconds. */
export interface ClusterScenario {
  /** Virtual shards at the start. */
  readonly shards: number;
  readonly ttlMillis: number;
  readonly beatMillis: number;
  /** Processes that only accept executions. */
  readonly apiOnly: number;
  /** How far the server's clock is ahead. */
  readonly serverSkewMillis: number;
  /** Probability that a ring comes late. */
  readonly lateBells: number;
  /** In the storm: wiped shards, restarts of the server, with or without its data, and processes cut off from it. */
  readonly shardWipes: number;
  readonly serverRestarts: number;
  readonly cuts: number;
  /** Rolling restarts of every process in turn, each with this number of virtual shards. */
  readonly rolls: readonly number[];
}

/** What blocks calls. Durations in milliseconds. */
export interface GateScenario {
  /** Most calls of one process to one host at once. */
  readonly places: number;
  readonly failureThreshold: number;
  readonly openMillis: number;
  /** Downstream hosts. */
  readonly hosts: number;
  /** In the storm: holds placed, changed or lifted, and failures of a whole host. */
  readonly holds: number;
  readonly hostOutages: number;
}

/** Faults that make processes act on executions that they may no longer hold. Counts are those of the storm. */
export interface LapseScenario {
  /** Cuts of a process from the store, the queue or both, of which one is reached again before the other. */
  readonly severances: number;
  /** Chance, at each read for an execution, that its process is cut off right then. */
  readonly severedReads: number;
  /** Times in which answers to the reads of one process are delayed. */
  readonly slowReads: number;
  /** Executions whose id the queue loses again and again for a while. */
  readonly lostKeys: number;
  /** Times in which the server of a cluster's queue drops parts of shards. */
  readonly evictions: number;
  /** Chance, at each look of a client, that it retries an execution that failed. */
  readonly insistence: number;
}

/** No such faults. */
export const noLapses: LapseScenario = {
  severances: 0,
  severedReads: 0,
  slowReads: 0,
  lostKeys: 0,
  evictions: 0,
  insistence: 0,
};

/**
 * The scenario of a seed: how many processes and executions there are, which faults may happen and how often.
 *
 * Not every seed has every fault: a run in which everything fails reaches little. Each kind is on or off by chance, and
 * one seed in ten has none at all.
 *
 * Durations in milliseconds, probabilities from 0 to 1.
 */
export interface Scenario {
  /** Absent: no call is blocked. */
  readonly gate?: GateScenario;
  readonly cluster?: ClusterScenario;
  readonly lapses?: LapseScenario;
  /**
   * More is offered than is served, for the whole storm; the checks then require that no execution waits much longer
   * than necessary.
   */
  readonly overload?: true;
  /** How long a claim holds. */
  readonly leaseMillis: number;
  /**
   * Longest time until a process looks at a due execution, checked in the storm, too. Absent: as long as the faults
   * allow.
   */
  readonly patienceMillis?: number;
  /** How long that is not checked after a loss or a standstill. */
  readonly unsettledMillis?: number;
  /** No answer may be lost, whatever happens to requests: leases are long, and processes are spared. */
  readonly keepsAnswers?: true;
  /** The first execution brings down every process that drives it. */
  readonly poison?: true;
  /** Definitions loop over items, take the first of several branches and start each other, and operators undo what has succeeded. */
  readonly family?: true;
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
  /** Probability that a connection fails. */
  readonly refused: number;
  /** Largest difference of a process's wall time. */
  readonly skewMillis: number;
  /** Chance, at each call and each write of a process, that it crashes or freezes right then. */
  readonly crash: number;
  readonly freeze: number;
  /** Orderly restarts, wipes of the queue, outages of store and queue, and jumps of clocks, in the storm. */
  readonly restarts: number;
  readonly wipes: number;
  readonly storeOutages: number;
  readonly queueOutages: number;
  readonly jumps: number;
  /** Cancels, terminations, wakes, resolves and retries in the storm. */
  readonly operations: number;
}

/** How long a claim holds in most simulations. Short, so that little time is spent waiting for one to end. */
const leaseMillis = 4_000;

/** The default kind of a seed: every third has one queue. */
export function kindOf(seed: number): Kind {
  return seed % 3 === 0 ? 'hub' : 'cluster';
}

/** Draws a scenario. */
export function drawScenario(random: Random, kind: Kind): Scenario {
  const hub = drawHub(random);
  const scenario = kind === 'hub' ? hub : drawCluster(hub, random);
  return {
    ...scenario,
    ...(random.chance(0.5) && { gate: drawGate(random) }),
    // A hub gives lost ids to the process that asks first, within moments: then a process that died still seems to be
    // alive.
    ...(random.chance(0.03) && (kind === 'cluster' || hub.wipes === 0) && { poison: true }),
    ...(random.chance(0.15) && { lapses: drawLapses(random, kind) }),
  };
}

function drawLapses(random: Random, kind: Kind): LapseScenario {
  const on = <T>(probability: number, values: readonly T[], off: T): T =>
    random.chance(probability) ? random.pick(values) : off;
  return {
    severances: on(0.5, [1, 4], 0),
    severedReads: on(0.4, [0.01, 0.05], 0),
    slowReads: on(0.4, [1, 5], 0),
    // A queue in one process loses nothing by itself; one that several processes share is a small cluster.
    lostKeys: kind === 'cluster' ? on(0.3, [1, 4], 0) : 0,
    evictions: kind === 'cluster' ? on(0.3, [1, 3], 0) : 0,
    insistence: on(0.7, [0.1, 0.5], 0),
  };
}

function drawGate(random: Random): GateScenario {
  return {
    places: random.pick([1, 2, 8]),
    failureThreshold: random.pick([1, 2, 5]),
    openMillis: random.pick([200, 1_000, 5_000]),
    hosts: random.int(1, 2),
    holds: random.pick([0, 2, 8]),
    hostOutages: random.pick([0, 1, 4]),
  };
}

/** Reduces the faults that every queue has, so that those of clusters are seen. */
function drawCluster(scenario: Scenario, random: Random): Scenario {
  const calm = random.chance(0.1);
  const on = (probability: number): boolean => random.chance(probability) && !calm;
  const processes = random.pick([1, 2, 2, 3, 3, 4]);
  const shards = random.pick([4, 8, 8, 16]);
  const beatMillis = random.pick([300, 500, 800]);
  return {
    ...scenario,
    processes,
    executions: random.int(1, 4),
    cluster: {
      shards,
      beatMillis,
      ttlMillis: beatMillis * random.pick([3, 4]),
      apiOnly: random.chance(0.3) ? random.int(0, processes - 1) : 0,
      serverSkewMillis: on(0.3) ? random.pick([-3_600_000, -700, 700, 3_600_000]) : 0,
      lateBells: on(0.2) ? 0.2 : 0,
      shardWipes: on(0.2) ? random.pick([1, 5]) : 0,
      serverRestarts: on(0.25) ? random.pick([1, 3]) : 0,
      cuts: on(0.25) ? random.pick([1, 4]) : 0,
      rolls: on(0.25) ? [random.pick([4, 8, 16, 12]), random.pick([shards, 5])].slice(0, random.int(1, 2)) : [],
    },
  };
}

function drawHub(random: Random): Scenario {
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
    leaseMillis,
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

/** Whether nothing can come between a call and the record of its answer. */
export function sparesProcesses(scenario: Scenario): boolean {
  const { wipes, crash, freeze, restarts, storeOutages, queueOutages, jumps, skewMillis, cluster, lapses } = scenario;
  if (scenario.poison === true) return false;
  const { insistence: _harmless, ...lapsing } = lapses ?? noLapses;
  const faults = [
    ...Object.values(lapsing),
    wipes,
    crash,
    freeze,
    restarts,
    storeOutages,
    queueOutages,
    jumps,
    skewMillis,
  ];
  if (cluster !== undefined) {
    faults.push(cluster.shardWipes, cluster.serverRestarts, cluster.cuts, cluster.rolls.length, cluster.lateBells);
  }
  return faults.every((fault) => fault === 0) && hasCalmWires(scenario);
}

/**
 * Whether a process learns of every loss of the queue as soon as possible: no other fault than losses and rolls happens
 * to it.
 */
export function learnsSoon(scenario: Scenario): boolean {
  const { cluster, ...rest } = scenario;
  const kept = cluster && { cluster: { ...cluster, shardWipes: 0, serverRestarts: 0, rolls: [] } };
  return sparesProcesses({ ...rest, ...kept, wipes: 0 }) && scenario.rings.lost === 0;
}

/** Whether every request is answered soon. */
export function hasCalmWires({ store, queue }: Scenario): boolean {
  return isCalm(store) && isCalm(queue);
}

/** Whether every request on a wire is answered soon. */
export function isCalm({ lostRequest, lostAnswer, late, slow }: WireFaults): boolean {
  return lostRequest + lostAnswer + late + slow === 0;
}

/** A crash now and then, so far from the next that what it left behind is found before. */
export const rareCrash = 0.0001;

/** Whether rare crashes are the only disturbance of processes, so that recovery has a bound in the storm, too. */
export function recoversInTime(scenario: Scenario): boolean {
  if (scenario.patienceMillis !== undefined) return true;
  return scenario.crash <= rareCrash && sparesProcesses({ ...scenario, crash: 0 });
}
