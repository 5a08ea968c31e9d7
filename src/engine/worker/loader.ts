/**
 * Takes executions over in the store, which fences whoever held them before, and puts them together again: plan, outputs
 * that can still be asked for, and the events that bring them to the present.
 *
 * First of all, calls found `calling` become attempts of unknown outcome. Then comes what the inbox holds, then what is
 * due. An execution whose last five owners ended without getting anywhere is quarantined, so that one that brings down its
 * process cannot bring down every process: its row alone is needed for that, and nothing else of it is parsed, read or rendered.
 * One whose owners have ended before is taken over with few others or alone (see `suspects.ts`), so that nothing else is
 * blamed for what it does. A hold whose lease is over is given back and takes nothing over: it would fence a
 * process that works.
 */
import type { Run } from '../../core/apply.ts';
import { openDeadline } from '../../core/due.ts';
import type { CallCommand, Event } from '../../core/event.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { parseJson } from '../../core/value/json.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { type State, stateFormat } from '../../core/state.ts';
import { isBlocked } from '../../core/attempting.ts';
import type { OutputQuery } from '../../core/context/outputs.ts';
import type { Plan } from '../../core/plan.ts';
import { lackOfCall, wantedOutputs } from '../../core/context/wanted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LoadedExecution, Store } from '../../ports/store.ts';
import { OutputsTooLarge } from '../../ports/store-bounds.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { BoundedMap } from '../bounded-map.ts';
import type { CallRunner } from '../call/call-runner.ts';
import { Coalescer, type CoalescerParts } from '../write/coalescer.ts';
import type { Hold } from './hold.ts';
import { bytesPerChar, executionBytes, type MemoryLedger } from './memory-ledger.ts';
import type { PatientReads } from '../write/patient-reads.ts';
import type { PlanCache } from './plan-cache.ts';
import { quarantine, type QuarantineParts } from './quarantine.ts';
import { readBack } from '../execution/restored-outputs.ts';
import { reusedKey } from '../execution/reused-key.ts';
import { suspectFrom, Suspects, type Tried } from './suspects.ts';
import { traceIdOf } from '../trace-context.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Claims without progress, of owners that ended, after which an execution is quarantined at the next. */
const maxClaims = 5;
/** How long a state of a newer release is left to newer processes. */
const newerFormatMillis = 5_000;
/** How long an execution without a usable plan is left alone. */
const noPlanMillis = 30_000;
/** How long an execution is left alone for which there was no room in memory. */
const noRoomMillis = 1_000;
/** Larger payloads are read by themselves, once there is room for them. */
const maxPayloadBytes = 65_536;
/** Outputs that are read with a load; where there are more, each is read when it is asked for. */
const maxLoadedBytes = 1_048_576;

/** What a loader stands on. */
export interface LoaderParts extends CoalescerParts, QuarantineParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'takeOver' | 'getExecution'>;
  readonly reads: PatientReads;
  readonly plans: PlanCache;
  readonly calls: CallRunner;
  readonly parked: BoundedMap<string, Run>;
  readonly memory: MemoryLedger;
  readonly maxOutputBytes: number;
  /** The processes that live: their claims are not counted against an execution. */
  live(): readonly string[];
  /** How long a take-over is tried while the store is away; then the claim is given back. */
  readonly patienceMillis: number;
}

type End = 'terminated' | 'given up';

/** A take-over that is asked for; `below` as in {@link TakeOverBounds}. */
interface Asked {
  readonly hold: Hold;
  readonly below: number;
}

const letGo: Tried = { cleared: Promise.resolve() };

/** See the file header. */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #takeOvers: Coalescer<Asked, LoadedExecution | 'lapsed' | undefined>;
  readonly #suspects: Suspects;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    this.#suspects = new Suspects(({ hold, dueAt, pool }, below) => this.#load(hold, dueAt, pool, below));
    this.#takeOvers = new Coalescer(parts, {
      operation: 'takeOver',
      maxRows: 200,
      maxBytes: Infinity,
      maxWaiting: Infinity,
      patienceMillis: parts.patienceMillis,
      send: async (asked) => {
        // Looked at before each try: a store that was away answers later than a lease lasts.
        const valid = new Set(asked.filter(({ hold }) => !hold.isOver));
        const byId = new Map<string, LoadedExecution>();
        for (const [below, of] of Map.groupBy(valid, (one) => one.below)) {
          const claims = of.map(({ hold: { id, claim } }) => ({ id, claim }));
          const bounds = { below, wholeUpTo: maxClaims, maxPayloadBytes };
          const loaded = await parts.store.takeOver(claims, parts.clock.now(), parts.live(), bounds);
          for (const execution of loaded) byId.set(execution.id, execution);
        }
        return asked.map((one) => (valid.has(one) ? byId.get(one.hold.id) : 'lapsed'));
      },
    });
  }

  /** Loads a hold and begins to drive it, or gives it back. Never rejects. */
  async load(hold: Hold, dueAt: number, pool: WorkerPool): Promise<void> {
    const outcome = await this.#load(hold, dueAt, pool, suspectFrom);
    if (outcome === 'suspect') this.#suspects.add({ hold, dueAt, pool });
  }

  async #load(hold: Hold, dueAt: number, pool: WorkerPool, below: number): Promise<Tried | 'suspect'> {
    let loaded: LoadedExecution | undefined;
    try {
      const answer = await this.#takeOvers.request({ hold, below }, 100);
      if (answer === 'lapsed') {
        this.#giveBackLapsed(hold, pool);
        return letGo;
      }
      if (answer === undefined) {
        if (below < Infinity) return 'suspect';
        // Over, or gone: the queue had an old mark.
        pool.giveBack(hold, 'ack');
        return letGo;
      }
      loaded = answer;
      return await this.#begin(hold, loaded, dueAt, pool);
    } catch (error) {
      const { telemetry, clock } = this.#parts;
      // Of what was not even read nobody knows whose trace it belongs to.
      const traceId = loaded === undefined ? undefined : traceIdOf(loaded.id, loaded.traceparent);
      telemetry.log('warn', 'execution not loaded', { sagaId: hold.id, traceId, error: String(error) });
      pool.giveBack(hold, { parkUntil: clock.now() + 1_000 });
      return letGo;
    }
  }

  async #begin(hold: Hold, loaded: LoadedExecution, dueAt: number, pool: WorkerPool): Promise<Tried> {
    const { clock, plans, telemetry } = this.#parts;
    const { traceparent, claims } = loaded;
    const traceId = traceIdOf(loaded.id, traceparent);
    if (loaded.state.format > stateFormat) {
      telemetry.log('info', 'left to a newer release', { sagaId: hold.id, traceId, format: loaded.state.format });
      pool.giveBack(hold, { parkUntil: clock.now() + newerFormatMillis });
      return letGo;
    }
    // Before anything else of it is touched: whatever brings its owners down may be in any part of it.
    if (claims > maxClaims) return { cleared: quarantine(this.#parts, hold, loaded, pool) };
    if (claims > suspectFrom) telemetry.log('warn', 'execution taken over again', { sagaId: hold.id, traceId, claims });
    const plan = plans.peek(loaded.definitionHash) ?? (await this.#plan(loaded.definitionHash));
    if (plan === undefined) {
      telemetry.log('error', 'no usable definition', { sagaId: hold.id, traceId, hash: loaded.definitionHash });
      pool.giveBack(hold, { parkUntil: clock.now() + noPlanMillis });
      return letGo;
    }
    const { memory } = this.#parts;
    const end = endOf(loaded, clock.now());
    const size = sizeOf(loaded);
    const reserved = memory.reserve(size);
    if (reserved !== true && !(await reserved)) {
      pool.giveBack(hold, { parkUntil: clock.now() + noRoomMillis });
      return letGo;
    }
    try {
      return await this.#drive(hold, loaded, plan, end, dueAt, pool);
    } finally {
      memory.add(-size);
    }
  }

  async #drive(
    hold: Hold,
    loaded: LoadedExecution,
    plan: Plan,
    end: End | undefined,
    dueAt: number,
    pool: WorkerPool,
  ): Promise<Tried> {
    const { clock, plans } = this.#parts;
    const { traceparent, claims } = loaded;
    const made = end === 'terminated' ? bareRun(loaded, plan) : this.#run(loaded, plan);
    const run = made instanceof Promise ? await made : made;
    const isCalling = end === undefined && run.state.tokens.some(({ stage }) => stage.kind === 'calling');
    const prepared = isCalling ? await this.#prepared(run, traceparent) : [];
    if (hold.isOver) {
      // Its next owner records what this one would: the row says what was in flight.
      this.#giveBackLapsed(hold, pool);
      return letGo;
    }
    // From here to `begin` nothing may wait: an event from outside must not come before what is recorded first.
    const definition = plans.telemetryOf(plan);
    definition.dequeued('queue');
    // The one who takes it over tries again what is blocked: why it was may be over.
    const isWaiting = run.state.tokens.some(({ stage }) => isBlocked(stage));
    // Nothing waits for what is no suspect.
    const clearance = claims < suspectFrom ? undefined : Promise.withResolvers<void>();
    const driver = pool.drive({
      hold,
      run,
      payloadChars: loaded.payloadBytes ?? loaded.payload.length,
      definition,
      traceId: traceIdOf(loaded.id, traceparent),
      ...(traceparent === undefined ? undefined : { traceparent }),
      seq: loaded.seq,
      inboxSeq: loaded.inboxSeq,
      claims,
      ...(clearance === undefined ? undefined : { cleared: clearance.resolve }),
      // The time for which it was blocked is none for which it waited for a worker.
      dueAt: isWaiting ? Math.max(dueAt, clock.now()) : dueAt,
      inbox: loaded.inbox,
    });
    driver.begin(
      [...prepared, { type: 'resumed' }],
      [isWaiting ? { type: 'timer', tryBlocked: true } : { type: 'timer' }],
    );
    return clearance === undefined ? letGo : { cleared: clearance.promise };
  }

  #giveBackLapsed(hold: Hold, pool: WorkerPool): void {
    this.#parts.telemetry.fenced('lease');
    pool.giveBack(hold, 'release');
  }

  #plan(hash: string): ReturnType<PlanCache['load']> {
    return this.#parts.reads.repeat('getDefinitionBody', () => this.#parts.plans.load(hash));
  }

  #run(loaded: LoadedExecution, plan: Plan): Run | Promise<Run> {
    const { parked } = this.#parts;
    const { state } = loaded;
    const known = parked.take(loaded.id);
    if (
      known !== undefined &&
      known.plan === plan &&
      known.state.ord === state.ord &&
      known.state.round === state.round
    ) {
      return { ...known, state };
    }
    const queries = wantedOutputs(plan, state);
    if (queries.length > 0 || loaded.payloadBytes !== undefined) return this.#readRun(loaded, plan, queries);
    return wholeRun(loaded, plan, loaded.payload, Outputs.empty);
  }

  async #readRun(loaded: LoadedExecution, plan: Plan, queries: readonly OutputQuery[]): Promise<Run> {
    const outputs = await this.#outputs(loaded.id, loaded.state, queries);
    return wholeRun(loaded, plan, await this.#payload(loaded), outputs);
  }

  /** What is small is read at once; else everything is read when it is asked for. */
  async #outputs(id: string, { round }: State, queries: readonly OutputQuery[]): Promise<Outputs> {
    if (queries.length === 0) return Outputs.empty;
    try {
      return Outputs.empty.with(await this.#parts.reads.readOutputs(id, round, queries, maxLoadedBytes));
    } catch (error) {
      if (!(error instanceof OutputsTooLarge)) throw error;
      return Outputs.leaving(queries.map(({ nodeId }) => nodeId));
    }
  }

  async #payload({ id, payload, payloadBytes }: LoadedExecution): Promise<string> {
    if (payloadBytes === undefined) return payload;
    const detail = await this.#parts.reads.repeat('getExecution', () => this.#parts.store.getExecution(id));
    if (detail === undefined) throw new Error(`The execution ${id} is gone.`);
    return detail.payload;
  }

  /** What a former owner had prepared of the calls it left behind: their fingerprints, and keys of earlier effects. */
  async #prepared(run: Run, traceparent: string | undefined): Promise<readonly Event[]> {
    const events: Event[] = [];
    for (const { id, nodeId, stage } of run.state.tokens) {
      if (stage.kind !== 'calling') continue;
      const { visit, attempt, operation } = stage.task;
      const command: CallCommand = {
        type: 'call',
        callId: stage.callId,
        tokenId: id,
        phase: 'UP',
        nodeId,
        visit,
        attempt,
      };
      const lack = lackOfCall(run, command);
      const restore = lack.length === 0 ? undefined : await readBack(this.#parts, run, lack);
      const seeing = restore === undefined ? run : { ...run, outputs: restore(run.outputs) };
      const fingerprint = this.#parts.calls.prepare(seeing, command, traceparent)?.fingerprint;
      if (fingerprint === undefined) continue;
      const { round } = run.state;
      const standing =
        round > 1 && operation === 1
          ? await this.#parts.reads.findStanding(run.header.id, nodeId, visit, round)
          : undefined;
      const reused = reusedKey(standing, fingerprint);
      events.push({
        type: 'prepared',
        callId: stage.callId,
        fingerprint,
        ...(reused === undefined ? undefined : { reused }),
      });
    }
    return events;
  }
}

/**
 * What is known to end it once it is taken over, and so comes before anything of it is rendered: an accepted terminate, for
 * which nothing else of it is read either; or, for one whose owners have ended, a cancel or the end of its time.
 */
function endOf({ inbox, claims, state }: LoadedExecution, now: number): End | undefined {
  if (inbox.some(({ event }) => event.type === 'terminated')) return 'terminated';
  if (claims < suspectFrom) return undefined;
  const isCancelled = inbox.some(({ event }) => event.type === 'cancelled');
  return isCancelled || (openDeadline(state) ?? Infinity) <= now ? 'given up' : undefined;
}

/** The execution without its payload and its outputs, which an end at once needs not. */
function bareRun({ id, name, version, labels, state }: LoadedExecution, plan: Run['plan']): Run {
  return { plan, header: { id, name, version, payload: {}, labels }, state, outputs: Outputs.empty };
}

function wholeRun(loaded: LoadedExecution, plan: Plan, payload: string, outputs: Outputs): Run {
  const bare = bareRun(loaded, plan);
  return { ...bare, header: { ...bare.header, payload: parseJson(payload) as JsonObject }, outputs };
}

/** About how many bytes it takes to load it. */
function sizeOf({ payload, payloadBytes, state }: LoadedExecution): number {
  const outputs = state.ord === 0 ? 0 : maxLoadedBytes;
  return executionBytes + bytesPerChar * (payloadBytes ?? payload.length) + outputs;
}
