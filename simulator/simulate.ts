import { isSettled } from '../src/core/delivery.ts';
import { inFlight } from '../src/core/due.ts';
import { shardOf } from '../src/core/value/slot.ts';
import type { Clock } from '../src/ports/clock.ts';
import type { ShardQueue } from '../src/ports/shard-queue.ts';
import type { Store } from '../src/ports/store.ts';
import { silentTelemetry } from '../src/ports/telemetry.ts';
import type { JsonObject } from '../src/core/value/json.ts';
import { putDefinition } from '../src/app/definitions.ts';
import { statusDocument } from '../src/app/queries/status.ts';
import type { CallGate } from '../src/engine/call/gate/call-gate.ts';
import { PlanCache } from '../src/engine/worker/plan-cache.ts';
import { Random } from './random.ts';
import { type DefinitionShape, randomDefinition } from './random-definition.ts';
import { allAdditions, randomChildren, withLoopsAndChildren } from './language/random-family.ts';
import { SeededEntropy, type VirtualClock } from './virtual-clock.ts';
import { BlockedCalls } from './rules/blocked-calls.ts';
import { Clients } from './clients.ts';
import { brewLapses } from './rules/lapses.ts';
import { short, type Violation } from './rules/ledger.ts';
import type { Account } from './rules/account.ts';
import { appOver, type Ports } from './process.ts';
import { checkFairness } from './rules/fairness.ts';
import { checkExecution } from './rules/rules.ts';
import { drawScenario, type Kind, kindOf, recoversInTime, type Scenario, sparesProcesses } from './scenario.ts';
import { requestTimeoutMillis } from './process-starter.ts';
import { World } from './world.ts';

/** Options of a simulation. */
export interface SimulationOptions {
  readonly seed: number;
  /** Absent: drawn from the seed. */
  readonly kind?: Kind;
  /** Receives the lines of the trace. */
  readonly print?: (line: string) => void;
  /** Changes the drawn scenario, for tests of one kind of fault. */
  readonly adjust?: (scenario: Scenario) => Scenario;
  /** Wraps the store below the wires: how tests break the engine on purpose. */
  readonly wrapStore?: (store: Store, clock: VirtualClock) => Store;
  /** Wraps the store above a process's wire. */
  readonly wrapLink?: (store: Store) => Store;
  /** Wraps the ports of a process's engine. */
  readonly wrapPorts?: (ports: Ports) => Ports;
  /** Wraps the gate of a process. */
  readonly wrapGate?: (gate: CallGate) => CallGate;
  /** Wraps the server of a cluster's queue. */
  readonly wrapServer?: (server: ShardQueue, clock: Clock) => ShardQueue;
}

/** The result of a simulation. */
export interface SimulationReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Equal for equal runs. */
  readonly hash: string;
  /** How rounds ended, by status. */
  readonly ends: Readonly<Record<string, number>>;
  readonly virtualMillis: number;
}

/** Everything comes to rest within this time after the storm, in milliseconds. */
const settleMillis = 600_000;
const lapseSalt = 0x1a9_5e50;
const familySalt = 0xfa_3117;
const pollMillis = 250;
/** Longest time until a process looks at a due execution, in addition to the lease and the differences of clocks. */
const graceMillis = 6_000;
/** Age at which a cluster no longer counts as new. */
const bootMillis = 4_000;
const maxJumpMillis = 3_000;
const turnsMillis = 30_000;
const cleanups = 6;
/** Within this time all processes know that a block has cleared, and wake the waiting calls. */
const toldMillis = 6_000;
/** Within this time claims find what a lost ring should have reported. */
const sweptMillis = 5_000;
/** Within this time a process that was not notified checks again. */
const looksAgainMillis = 30_000;

/**
 * Makes one run from one seed: a storm of faults, then calm, then everything must have come to its one outcome; then
 * operators clean up, and everything is checked again.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const random = new Random(options.seed);
  const drawn = drawScenario(random.fork(), options.kind ?? kindOf(options.seed));
  // A separate source, so that no other draws shift.
  const families = new Random(options.seed ^ familySalt);
  const hasFamilies = options.kind === undefined && families.chance(0.4);
  const whole: Scenario = hasFamilies ? { ...drawn, family: true } : drawn;
  const scenario = options.adjust?.(whole) ?? whole;
  const world = new World({
    scenario,
    random: random.fork(),
    trace: options.print === undefined ? {} : { print: options.print },
    wrapStore: options.wrapStore ?? ((store) => store),
    wrapLink: options.wrapLink ?? ((store) => store),
    wrapPorts: options.wrapPorts ?? ((ports) => ports),
    wrapGate: options.wrapGate ?? ((gate) => gate),
    wrapServer: options.wrapServer ?? ((server) => server),
  });
  world.trace.note('seed', `${String(options.seed)} ${JSON.stringify(scenario)}`);
  const clients = new Clients(world, random.fork());
  await world.open();
  const enrich = await storeChildren(world, scenario, families);
  submitAll(world, clients, { scenario, random: random.fork(), enrich });
  brew(world, clients, scenario, random.fork());
  // A separate source, so that no other draws shift.
  brewLapses(world, clients, scenario, new Random(options.seed ^ lapseSalt));
  const blocked = new BlockedCalls();
  await weather(world, scenario, blocked);
  world.calm();
  const operators = random.fork();
  for (let cleanup = 0; cleanup <= cleanups; cleanup++) {
    await settle(world, clients, scenario, blocked);
    if (!isOver(world)) break;
    if (cleanup === 0 && scenario.overload === true) {
      const queueOf = ({ slot }: Account): number => shardOf(slot, scenario.cluster?.shards ?? 1);
      checkFairness(world.ledger, queueOf, fairnessSlack(scenario));
    }
    await check(world, scenario, cleanup === cleanups);
    if (world.ledger.violations.length > 0) break;
    if (cleanup === cleanups || !cleanUp(world, clients, operators, cleanup)) break;
  }
  await stopAll(world);
  return reportOf(options.seed, world);
}

/** Changes a drawn definition. */
type Enrich = (definition: JsonObject) => JsonObject;

/** Stores the definitions that executions start. The answer adds nodes that start them, and other parts, to a definition. */
async function storeChildren(world: World, scenario: Scenario, random: Random): Promise<Enrich> {
  if (scenario.family !== true) return (definition) => definition;
  const app = appOver(world.store, world.clock, new SeededEntropy(2), plansOver(world.store), unused);
  for (const definition of randomChildren(random, shapeOf(world, scenario))) await putDefinition(app, definition);
  return (definition) => withLoopsAndChildren(random, definition, allAdditions);
}

function shapeOf({ hosts }: World, { maxWaitMillis }: Scenario): DefinitionShape {
  return { length: 4, depth: 2, maxWaitMillis, hosts: hosts.length };
}

/** What executions are submitted. */
interface Submissions {
  readonly scenario: Scenario;
  readonly random: Random;
  readonly enrich: Enrich;
}

function submitAll(world: World, clients: Clients, { scenario, random, enrich }: Submissions): void {
  for (let i = 0; i < scenario.executions; i++) {
    const definition = enrich(randomDefinition(random, shapeOf(world, scenario)));
    const payload = { order: i, flag: random.int(0, 2) };
    const delay = random.chance(0.15) ? random.int(1, 3_000) : 0;
    const begins = scenario.overload === true ? scenario.stormMillis : scenario.stormMillis >> 2;
    world.clock.after(random.int(0, begins), () => clients.submit(definition, payload, delay));
  }
}

/** Plans the faults. */
function brew(world: World, clients: Clients, scenario: Scenario, random: Random): void {
  const { clock } = world;
  const plan = (times: number, happen: () => void): void => {
    for (let i = 0; i < times; i++) {
      clock.after(random.int(0, scenario.stormMillis), () => {
        if (world.isStormy) happen();
      });
    }
  };
  const some = (happen: (process: World['processes'][number]) => void): (() => void) => {
    return () => {
      if (world.processes.length > 0) happen(random.pick(world.processes));
    };
  };
  const outage = (what: 'isStoreUp' | 'isQueueUp'): (() => void) => {
    return () => {
      world.trace.note('world', `${what} no more`);
      world[what] = false;
      clock.after(random.pick([200, 1_500, 8_000]), () => {
        world.trace.note('world', `${what} again`);
        if (what === 'isStoreUp') world.isStoreUp = true;
        else world.queueReturns();
      });
    };
  };
  plan(
    scenario.restarts,
    some((process) => world.restart(process)),
  );
  plan(scenario.wipes, () => world.wipe());
  plan(scenario.storeOutages, outage('isStoreUp'));
  plan(scenario.queueOutages, outage('isQueueUp'));
  plan(
    scenario.jumps,
    some((process) => process.clock.jumpTo(random.int(-maxJumpMillis, maxJumpMillis))),
  );
  plan(scenario.operations, () => clients.operate());
  const { cluster } = scenario;
  if (cluster !== undefined) {
    plan(cluster.shardWipes, () => world.wipeShard());
    plan(cluster.serverRestarts, () => world.restartServer());
    plan(
      cluster.cuts,
      some((process) => world.cut(process)),
    );
    for (const shards of cluster.rolls) plan(1, () => world.roll(shards));
  }
  const { gate } = scenario;
  if (gate !== undefined) {
    plan(gate.holds, () => clients.hold());
    plan(gate.hostOutages, () => {
      const host = random.pick(world.hosts);
      world.downstreams.fail(host, random.pick(['refuses', 'errs', 'hangs']));
      clock.after(random.pick([500, 2_000, 8_000]), () => world.downstreams.fail(host, undefined));
    });
  }
  if (scenario.crash > 0)
    plan(
      2,
      some((process) => world.crash(process)),
    );
  if (scenario.freeze > 0)
    plan(
      1,
      some((process) => world.freeze(process)),
    );
}

/** Lets the storm pass. */
async function weather(world: World, scenario: Scenario, blocked: BlockedCalls): Promise<void> {
  const { clock, ledger } = world;
  while (clock.monotonic() < scenario.stormMillis) {
    await clock.advance(Math.min(pollMillis, scenario.stormMillis - clock.monotonic()));
    checkBlocked(world, scenario, blocked);
    if (!recoversInTime(scenario)) continue;
    for (const account of ledger.accounts.values()) checkRecovery(world, scenario, account);
  }
}

/** Ids that a process may keep after its end, since it had claimed them. */
function fairnessSlack({ leaseMillis, cluster }: Scenario): number {
  return leaseMillis + (cluster?.ttlMillis ?? 0) + graceMillis;
}

function isOver(world: World): boolean {
  return [...world.ledger.accounts.values()].every(({ state }) => isSettled(state));
}

/** Lets time pass until every execution is over, and then until nothing is under way. */
async function settle(world: World, clients: Clients, scenario: Scenario, blocked: BlockedCalls): Promise<void> {
  const { clock, ledger } = world;
  const begun = clock.monotonic();
  const recovered = begun + scenario.leaseMillis + graceMillis;
  while (!isOver(world) || clients.open > 0) {
    if (clock.monotonic() - begun > settleMillis) {
      for (const account of ledger.accounts.values()) {
        if (!isSettled(account.state))
          ledger.blame('terminal', `${short(account.id)} did not end: ${stateText(account)}`);
      }
      return;
    }
    await clock.advance(pollMillis);
    // A hold requested in the storm may have been placed since.
    if (clients.open === 0) for (const id of world.holds.ids) clients.lift(id);
    checkBlocked(world, scenario, blocked);
    if (clock.monotonic() < recovered) continue;
    for (const account of ledger.accounts.values()) checkRecovery(world, scenario, account);
    if (ledger.violations.length > 0) return;
  }
  // An id that was not acknowledged comes back once more when its lease is over.
  await clock.advance(2 * scenario.leaseMillis + graceMillis);
}

/**
 * Finds executions that no process has looked at for too long although they are due, or although their process is gone.
 */
function checkRecovery(world: World, scenario: Scenario, account: Account): void {
  if (isSettled(account.state) || account.dueAt === null) return;
  if (!world.hasSettled(scenario.unsettledMillis ?? 0)) return;
  const call = inFlight(account.state).length > 0 ? requestTimeoutMillis : 0;
  const clocks = Math.max(scenario.skewMillis, scenario.jumps > 0 ? maxJumpMillis : 0);
  // With few workers an execution waits for the calls of others.
  const turns = turnsOf(scenario);
  const idle = scenario.patienceMillis ?? scenario.leaseMillis + (scenario.cluster?.ttlMillis ?? 0) + graceMillis;
  // A new server looks like one that has lost everything: executions that may run elsewhere are left alone for a while.
  const isEarly = scenario.cluster !== undefined && world.clock.monotonic() - world.begunAt < bootMillis;
  const patience = idle + call + clocks + turns + (isEarly ? bootMillis : 0);
  const isOverdue = account.dueAt < world.clock.now() - patience;
  const isForgotten = account.touchedAt < world.clock.monotonic() - patience;
  if (isOverdue && isForgotten)
    world.ledger.blame('recovery', `${short(account.id)} is left alone: ${stateText(account)}`);
}

/** How long an execution may have to wait for the calls of others. */
function turnsOf({ overload, workerCount, executions }: Scenario): number {
  if (overload === true) return settleMillis;
  return workerCount < executions ? turnsMillis : 0;
}

/** Finds calls that wait as blocked although nothing has kept them back for too long. */
function checkBlocked(world: World, scenario: Scenario, blocked: BlockedCalls): void {
  const { clock, ledger, holds, processes } = world;
  const gates = processes.flatMap(({ gate }) => gate ?? []);
  const now = { wall: clock.now(), monotonic: clock.monotonic() };
  const turns = turnsOf(scenario);
  // The next sweep makes up for a lost ring: the one before it looked at executions not known to be over.
  const told = scenario.rings.lost > 0 ? toldMillis + sweptMillis : toldMillis;
  // If processes come and go, and requests fail, a waiting process may have to look again by itself.
  const patience = (sparesProcesses(scenario) ? told : looksAgainMillis + graceMillis) + turns;
  for (const { account, token } of blocked.overdue(ledger.accounts.values(), holds, gates, now, patience)) {
    ledger.blame('blocked', `${short(account.id)} waits in ${token.nodeId}, and nothing keeps it back`);
  }
}

function stateText({ state, dueAt }: Account): string {
  return JSON.stringify({ tokens: state.tokens, verdict: state.verdict, now: state.now, dueAt });
}

function plansOver(store: Store): PlanCache {
  return new PlanCache({ store, telemetry: silentTelemetry, size: 20 });
}

const refuse = (): never => {
  throw new Error('A check must not change anything.');
};

/** An engine that nothing is asked of. */
const unused = { mintId: refuse, submit: refuse, ring: refuse, watch: refuse };

async function check(world: World, scenario: Scenario, isLast: boolean): Promise<void> {
  const { ledger, downstreams, store, queueSide, clock } = world;
  const app = appOver(store, clock, new SeededEntropy(1), plansOver(store), unused);
  for (const account of ledger.accounts.values()) {
    const document = await statusDocument(app, account.id);
    if (!document.ok) {
      ledger.blame('durable', `${account.id} is gone`);
      continue;
    }
    checkExecution(ledger, downstreams, account, document.value);
    await checkRows(world, account);
    if (scenario.keepsAnswers === true || sparesProcesses(scenario)) checkUninterrupted(world, account);
    if (isLast && account.state.end?.status === 'CORRUPTED') {
      ledger.blame('terminal', `${short(account.id)} is still CORRUPTED with downstreams that work`);
    }
  }
  const { ready, inFlight } = queueSide.leftOver();
  // A process that thaws with a former number of shards and ends before it learns of the next may leave ids in the old
  // ones.
  const mayLeave = scenario.freeze > 0 && (scenario.cluster?.rolls.length ?? 0) > 0;
  if (ready + inFlight > 0 && !mayLeave)
    ledger.blame('queue', `it still has ${String(ready)} ready and ${String(inFlight)} in flight`);
  if (scenario.cluster !== undefined) checkShards(world);
}

/** Once it is calm all processes agree on the shards, and each shard has one owner. */
function checkShards({ processes, ledger }: World): void {
  const working = processes.filter(({ works }) => works);
  const owned = working.map(({ queue }) => queue.owned);
  const count = owned[0]?.count ?? 0;
  const shards = owned.flatMap((set) => set.shards).sort((a, b) => a - b);
  const isWhole = shards.length === count && shards.every((shard, i) => shard === i);
  if (!isWhole || owned.some((set) => set.count !== count)) {
    ledger.blame('shards', `they are assigned as ${JSON.stringify(owned)}`);
  }
  for (const { name, queue } of processes) {
    if (queue.trouble.length > 0) ledger.blame('shards', `${name} has ${queue.trouble.join(', ')} while it is calm`);
  }
}

/** Calls are repeated only by their policy if no process was disturbed. */
function checkUninterrupted({ ledger }: World, account: Account): void {
  const call = account.calls.find(({ error }) => error?.startsWith('The worker stopped') === true);
  if (call !== undefined)
    ledger.blame('repeats', `${short(account.id)} lost the answer of ${call.nodeId} without a fault`);
}

/** The history is exactly what was written. */
async function checkRows({ store, ledger }: World, account: Account): Promise<void> {
  const { items: steps } = await store.listSteps(account.id, { limit: 10_000 });
  const { items: calls } = await store.listCalls(account.id, { limit: 10_000 });
  if (steps.length !== account.steps.length || calls.length !== account.calls.length) {
    ledger.blame('history', `${short(account.id)} has ${String(steps.length)} steps and ${String(calls.length)} calls`);
  }
}

/** Acts as the operators afterwards; false when there is nothing to do. */
function cleanUp(world: World, clients: Clients, random: Random, nth: number): boolean {
  let did = false;
  for (const account of world.ledger.accounts.values()) {
    const status = account.state.end?.status;
    if (status === 'CORRUPTED') {
      did = true;
      const byHand = account.state.end?.reason !== 'engine' && (nth > 1 || random.chance(0.3));
      if (byHand) clients.resolve(account);
      else clients.retry(account, false);
    } else if (nth === 0 && status === 'SUCCEEDED' && world.scenario.family === true) {
      if (!random.chance(0.3)) continue;
      did = true;
      clients.undo(account);
    } else if (nth === 0 && status !== 'SUCCEEDED' && random.chance(0.4)) {
      did = true;
      clients.retry(account, true);
    }
  }
  return did;
}

async function stopAll(world: World): Promise<void> {
  const stopping = world.processes;
  let left = stopping.length;
  for (const process of stopping) {
    process.engine.stop({ drainTimeoutMillis: 1_000 }).then(
      () => left--,
      (error: unknown) => world.ledger.blame('stop', `${process.name} could not stop: ${String(error)}`),
    );
  }
  await world.clock.runUntilIdle(30_000, () => left === 0);
  if (left > 0) world.ledger.blame('stop', `${String(left)} processes did not stop`);
}

function reportOf(seed: number, world: World): SimulationReport {
  const ends: Record<string, number> = {};
  for (const account of world.ledger.accounts.values()) {
    for (const { status } of account.ends) ends[status] = (ends[status] ?? 0) + 1;
  }
  return {
    seed,
    violations: world.ledger.violations,
    hash: world.trace.hash,
    ends,
    virtualMillis: world.clock.monotonic(),
  };
}
