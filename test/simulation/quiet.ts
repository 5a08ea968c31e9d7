/**
 * Clusters in which one kind of fault happens and nothing else, so that what recovers from it has a tight bound: this is how
 * rules are seen whose absence delays and breaks nothing.
 */
import { goodManners } from '../../src/testing/simulation/downstreams.ts';
import type { ClusterScenario, Scenario } from '../../src/testing/simulation/scenario.ts';
import { calmWire } from '../../src/testing/simulation/wire.ts';

type Change = Omit<Partial<Scenario>, 'cluster'> & { readonly cluster?: Partial<ClusterScenario> };

/** Changes a drawn scenario into a quiet one, but for what `change` says. */
function quiet({ cluster: changed, ...change }: Change): (scenario: Scenario) => Scenario {
  return (scenario) => ({
    ...scenario,
    processes: 3,
    executions: 4,
    stormMillis: 20_000,
    workerCount: 8,
    store: calmWire,
    queue: calmWire,
    rings: { lost: 0, doubled: 0 },
    manners: { ...goodManners, slow: 0.2 },
    refused: 0,
    skewMillis: 0,
    crash: 0,
    freeze: 0,
    restarts: 0,
    wipes: 0,
    storeOutages: 0,
    queueOutages: 0,
    jumps: 0,
    operations: 0,
    ...change,
    cluster: {
      shards: 8,
      beatMillis: 800,
      ttlMillis: 2_400,
      apiOnly: 0,
      serverSkewMillis: 0,
      lateBells: 0,
      shardWipes: 0,
      serverRestarts: 0,
      cuts: 0,
      rolls: [],
      ...changed,
    },
  });
}

/** The server loses everything, and one shard, and runs anew: each is filled again within 5 seconds, of which what may be running rests half. */
export const losses: (scenario: Scenario) => Scenario = quiet({
  wipes: 1,
  patienceMillis: 8_000,
  cluster: { shardWipes: 1, serverRestarts: 1 },
});

/** Nothing fails: bells alone bring what is due to whoever works on it. */
export const bells: (scenario: Scenario) => Scenario = quiet({
  patienceMillis: 300,
  operations: 10,
  cluster: { apiOnly: 1 },
});

/** Answers are lost, and leases are long. */
export const lostAnswers: (scenario: Scenario) => Scenario = quiet({
  queue: { ...calmWire, lostAnswer: 0.1, deadlineMillis: 1_000 },
  leaseMillis: 20_000,
  patienceMillis: 12_000,
});

/** Processes are cut off from the queue for longer than their heartbeats count. */
export const absences: (scenario: Scenario) => Scenario = quiet({
  patienceMillis: 9_000,
  cluster: { cuts: 6 },
});
/** Processes come and go in order, never all at once, and hear of each other by bells, long before their next heartbeat. */
export const comings: (scenario: Scenario) => Scenario = quiet({
  processes: 4,
  restarts: 3,
  patienceMillis: 1_500,
  cluster: { beatMillis: 4_000, ttlMillis: 12_000 },
});
