/**
 * Clusters in which one kind of fault happens and nothing else, so that what recovers from it has a tight bound: this is how
 * rules are seen whose absence delays and breaks nothing.
 */
import { goodManners, type Manners } from '../../simulator/downstreams.ts';
import { type ClusterScenario, noLapses, rareCrash, type Scenario } from '../../simulator/scenario.ts';
import { calmWire } from '../../simulator/links/wire.ts';

type Adjust = (scenario: Scenario) => Scenario;
type HubChange = Omit<Partial<Scenario>, 'cluster'>;
type Change = HubChange & { readonly cluster?: Partial<ClusterScenario> };

/** Changes a drawn scenario into a quiet one over one queue, but for what `change` says. */
export function quietHub(change: HubChange): Adjust {
  return ({ cluster: _cluster, gate: _gate, poison: _poison, lapses: _lapses, ...scenario }) => ({
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
  });
}

/** The same over a cluster's queue. */
function quiet({ cluster: changed, ...change }: Change): Adjust {
  return (scenario) => ({
    ...quietHub(change)(scenario),
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

/** Families, and nothing fails but calls and, often, a process. Operators act, and undo what has succeeded. */
export const families: Adjust = quietHub({
  family: true,
  crash: 0.02,
  manners: { ...goodManners, slow: 0.2, reject: 0.05 },
  operations: 10,
});

/** The server loses everything, and one shard, and runs anew: each is filled again within 5 seconds, of which what may be running rests half. */
export const losses: Adjust = quiet({
  wipes: 1,
  patienceMillis: 8_000,
  cluster: { shardWipes: 1, serverRestarts: 1 },
});

/** Nothing fails: bells alone bring what is due to the process that works on it. */
export const bells: Adjust = quiet({
  patienceMillis: 300,
  operations: 10,
  cluster: { apiOnly: 1 },
});

/** Answers are lost, and leases are long. */
export const lostAnswers: Adjust = quiet({
  queue: { ...calmWire, lostAnswer: 0.1, deadlineMillis: 1_000 },
  leaseMillis: 20_000,
  patienceMillis: 12_000,
});

/** Processes are cut off from the queue for longer than their heartbeats count. */
export const absences: Adjust = quiet({
  patienceMillis: 9_000,
  cluster: { cuts: 6 },
});

/** Processes come and go in order, never all at once, and hear of each other by bells, long before their next heartbeat. */
export const comings: Adjust = quiet({
  processes: 4,
  restarts: 3,
  patienceMillis: 1_500,
  cluster: { beatMillis: 4_000, ttlMillis: 12_000 },
});

/** All processes are restarted in turn, with another number of shards. What was in the old ones is dropped long after that. */
export const rolls: Adjust = quiet({
  cluster: { beatMillis: 1_000, ttlMillis: 7_000, rolls: [5] },
});

/** Shards are lost one by one, and with them what is due only later. */
export const lostShards: Adjust = quiet({
  stormMillis: 60_000,
  maxWaitMillis: 25_000,
  patienceMillis: 1_500,
  unsettledMillis: 9_000,
  cluster: { shardWipes: 3 },
});

/** Processes stand still for longer than their leases, and go on with what they had begun. */
export const pauses: Adjust = quiet({
  freeze: 0.02,
  manners: { ...goodManners, slow: 0.6 },
});

/** Processes cannot tell the queue for a while that they have done with something, which becomes due meanwhile. */
export const lateEndings: Adjust = quiet({
  executions: 8,
  maxWaitMillis: 15_000,
  operations: 25,
  patienceMillis: 1_000,
  unsettledMillis: 600,
  cluster: { cuts: 6 },
});

/** Processes stand still for a little longer than their heartbeats count. */
export const naps: Adjust = quiet({
  freeze: 0.02,
  executions: 8,
  stormMillis: 60_000,
  maxWaitMillis: 5_000,
  patienceMillis: 1_500,
  unsettledMillis: 1_000,
  cluster: { beatMillis: 300, ttlMillis: 900, shards: 16 },
});

/** Shards move from process to process, and are lost while who had them before still works on what is in them. */
export const lostWhileMoving: Adjust = quiet({
  processes: 4,
  restarts: 6,
  executions: 8,
  leaseMillis: 10_000,
  manners: { ...goodManners, slow: 0.8 },
  cluster: { shardWipes: 12 },
});

/** Processes die now and then, and heartbeats are rare. */
export const deaths: Adjust = quiet({
  crash: rareCrash,
  executions: 8,
  stormMillis: 60_000,
  maxWaitMillis: 20_000,
  patienceMillis: 1_500,
  unsettledMillis: 500,
  cluster: { beatMillis: 4_000, ttlMillis: 12_000 },
});

/** One execution brings down each process that drives it. */
export const poison: Adjust = quietHub({ poison: true, stormMillis: 90_000 });

/** Commits whose answers are lost, and leases that outlast them. */
export const lostCommits: Adjust = quietHub({
  store: { ...calmWire, lostRequest: 0.05, lostAnswer: 0.1, deadlineMillis: 300 },
  leaseMillis: 60_000,
  keepsAnswers: true,
});

/** Much comes from outside, while answers of the store are slow. */
export const busyInboxes: Adjust = quietHub({
  store: { ...calmWire, slow: 0.3, slowMillis: 500 },
  manners: { ...goodManners, slow: 0.2, callbackTwice: 0.5, callbackPending: 0.5, callbackEarly: 0.5 },
  operations: 40,
});

/** Processes die between what they accept and what they ring, while executions wait for long. */
export const deafDeaths: Adjust = quietHub({
  crash: 0.03,
  maxWaitMillis: 60_000,
  operations: 25,
  patienceMillis: 14_000,
});

/** Calls that were blocked for long are made at last; then their process dies, and the queue is lost. */
export const deathsAfterHolds: Adjust = quietHub({
  crash: 0.003,
  wipes: 90,
  executions: 8,
  stormMillis: 180_000,
  manners: { ...goodManners, slow: 0.8 },
  patienceMillis: 14_000,
  gate: { places: 8, failureThreshold: 5, openMillis: 1_000, hosts: 1, holds: 5, hostOutages: 0 },
});

/** Holds, few places, and hosts that fail. */
export const keptBack: Adjust = quietHub({
  executions: 6,
  manners: { ...goodManners, slow: 0.4 },
  gate: { places: 1, failureThreshold: 2, openMillis: 1_000, hosts: 2, holds: 8, hostOutages: 4 },
});

/** The same, and no bell is heard: sweeps alone find who may try again. */
export const keptBackUnheard: Adjust = (scenario) => ({
  ...keptBack(scenario),
  stormMillis: 30_000,
  rings: { lost: 1, doubled: 0 },
});

/** The same scenario over one queue, or over a cluster's, as the seed's kind wants it. */
function quietBoth(change: HubChange, cluster: Partial<ClusterScenario> = {}): Adjust {
  const ofCluster = quiet({ ...change, cluster });
  const ofHub = quietHub(change);
  return (scenario) => (scenario.cluster === undefined ? ofHub(scenario) : ofCluster(scenario));
}

/** Processes are cut off from the store, the queue or both, one way healing before the other, while clients retry what failed. */
export const severed: Adjust = quietBoth({
  executions: 6,
  stormMillis: 60_000,
  manners: { ...goodManners, slow: 0.1, reject: 0.2 },
  lapses: { ...noLapses, severances: 6, severedReads: 0.03, insistence: 0.5 },
});

/** What one process reads is answered only once its leases are over, while clients retry what failed. */
export const slowReads: Adjust = quietBoth({
  executions: 6,
  stormMillis: 60_000,
  store: { ...calmWire, deadlineMillis: 20_000 },
  manners: { ...goodManners, slow: 0.1, reject: 0.2 },
  lapses: { ...noLapses, slowReads: 16, insistence: 0.8 },
});

/** Calls that take long, and yet end before a process that stops gives them up. */
const longCalls: Manners = { ...goodManners, slow: 0.8, slowestMillis: 2_500 };

/**
 * The queue loses single ids again and again, also while a call is under way, and shards move meanwhile. Everybody is alive: no
 * answer may be lost.
 */
export const lostKeys: Adjust = quietBoth({
  processes: 6,
  executions: 8,
  stormMillis: 60_000,
  restarts: 20,
  manners: longCalls,
  keepsAnswers: true,
  lapses: { ...noLapses, lostKeys: 12 },
});

/** The server of the queue drops parts of shards for seconds, and its members. Everybody is alive: no answer may be lost. */
export const evictions: Adjust = quiet({
  processes: 5,
  executions: 8,
  stormMillis: 60_000,
  restarts: 12,
  manners: longCalls,
  keepsAnswers: true,
  lapses: { ...noLapses, evictions: 6 },
});

/** More is offered than is served, while processes come and go. */
export const overload: Adjust = quietBoth(
  {
    overload: true,
    executions: 80,
    workerCount: 2,
    stormMillis: 120_000,
    maxWaitMillis: 1_000,
    restarts: 40,
    manners: { ...goodManners, slow: 0.8 },
  },
  { shards: 2, beatMillis: 500, ttlMillis: 1_500 },
);

/** A single process cannot renew its leases for a while, and no other process takes over; reads outlast that. */
export const alone: Adjust = quietBoth({
  processes: 1,
  executions: 8,
  stormMillis: 60_000,
  store: { ...calmWire, deadlineMillis: 20_000 },
  manners: { ...goodManners, slow: 0.1, reject: 0.3 },
  lapses: { ...noLapses, slowReads: 10, insistence: 1 },
});

/** The queue loses single ids while reads of the same processes stay on the way, and others end what they had begun. */
export const lostWhileReading: Adjust = quietBoth({
  executions: 8,
  stormMillis: 60_000,
  leaseMillis: 8_000,
  store: { ...calmWire, deadlineMillis: 20_000 },
  manners: { ...goodManners, slow: 0.1, reject: 0.2 },
  lapses: { ...noLapses, slowReads: 10, lostKeys: 16, insistence: 1 },
});
