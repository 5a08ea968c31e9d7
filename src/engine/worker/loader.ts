import { prepared } from '../../core/apply.ts';
import type { Run } from '../../core/apply.ts';
import { openDeadline } from '../../core/due.ts';
import type { CallCommand, Event } from '../../core/event.ts';
import { type OutputQuery, Outputs } from '../../core/context/outputs.ts';
import { type State, stateFormat } from '../../core/state.ts';
import { isBlocked } from '../../core/call/attempting.ts';
import type { Plan } from '../../core/plan.ts';
import { lackOfCall, wantedOutputs } from '../../core/context/wanted.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LoadedExecution, Store } from '../../ports/store.ts';
import { OutputsTooLarge } from '../../ports/store-bounds.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { BoundedMap } from '../bounded-map.ts';
import type { CallRunner } from '../call/call-runner.ts';
import { Coalescer, type CoalescerParts } from '../write/coalescer.ts';
import type { Lease } from './lease.ts';
import { bareRun, wholeRun } from './loaded-run.ts';
import { bytesPerChar, executionBytes, type MemoryLedger } from './memory-ledger.ts';
import type { PatientReads } from '../write/patient-reads.ts';
import type { PlanCache } from './plan-cache.ts';
import { quarantine, type QuarantineParts } from './quarantine.ts';
import { readBack } from '../execution/restored-outputs.ts';
import { findReused } from '../execution/reused-key.ts';
import { type Suspect, suspectFrom, Suspects, type Tried } from './suspects.ts';
import { type Trace, traceIdOf } from '../trace-context.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Number of claims without progress by ended owners after which the next owner quarantines an execution. */
const maxClaims = 5;
/** Delay for an execution whose state a newer release has written, in ms; newer processes may claim it. */
const newerFormatMillis = 5_000;
/** Delay before an execution without a usable plan is claimed again, in ms. */
const noPlanMillis = 30_000;
/** Delay before an execution for which memory had no room is claimed again, in ms. */
const noRoomMillis = 1_000;
/** Payloads above this size are read separately, once there is room for them. */
const maxPayloadBytes = 65_536;
/** Maximum bytes of outputs that a load reads; if there are more, each output is read on demand. */
const maxLoadedBytes = 1_048_576;

/** What a loader needs. */
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
  /** The live processes. Their claims do not count against an execution. */
  live(): readonly string[];
  /** How long a take-over is retried while the store is unavailable; then the claim is released. */
  readonly patienceMillis: number;
}

type End = 'terminated' | 'given up';

/** A requested take-over; `below` as in {@link TakeOverBounds}. */
interface Asked {
  readonly lease: Lease;
  readonly below: number;
}

const letGo: Tried = { cleared: Promise.resolve() };

/**
 * Takes executions over in the store, which fences their former owners, and loads them: the plan, the outputs that can
 * still be read, and the events that bring the execution up to date.
 *
 * First, calls found `calling` become attempts of unknown outcome. Then follow the events of the inbox, then due timers.
 * If the last five owners of an execution ended without progress, the loader quarantines it, so that an execution that
 * crashes its process cannot crash all processes. The quarantine needs only the row; nothing else is parsed, read or
 * rendered. If earlier owners have ended, the loader takes the execution over alone or with few others (see
 * `Suspects`), so that its crashes do not count against others. A claim whose lease is over is released without a
 * take-over, which would fence a working process.
 */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #takeOvers: Coalescer<Asked, LoadedExecution | 'lapsed' | undefined>;
  readonly #suspects: Suspects;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    this.#suspects = new Suspects(
      (suspect, below) =>
        new Promise((resolve) => {
          this.#load(suspect, below, resolve);
        }),
    );
    this.#takeOvers = new Coalescer(parts, {
      operation: 'takeOver',
      maxRows: 200,
      maxBytes: Infinity,
      maxWaiting: Infinity,
      patienceMillis: parts.patienceMillis,
      send: async (asked) => {
        // Checked before each attempt, because the lease may end during an outage of the store.
        const valid = new Set(asked.filter(({ lease }) => !lease.isOver));
        const byId = new Map<string, LoadedExecution>();
        for (const [below, of] of Map.groupBy(valid, (one) => one.below)) {
          const claims = of.map(({ lease: { id, claim } }) => ({ id, claim }));
          const bounds = { below, wholeUpTo: maxClaims, maxPayloadBytes };
          const loaded = await parts.store.takeOver(claims, parts.clock.now(), parts.live(), bounds);
          for (const execution of loaded) byId.set(execution.id, execution);
        }
        return asked.map((one) => (valid.has(one) ? byId.get(one.lease.id) : 'lapsed'));
      },
    });
  }

  /** Loads an execution and begins to drive it, or releases its lease. Never throws. */
  load(lease: Lease, dueAt: number, pool: WorkerPool): void {
    const one = { lease, dueAt, pool };
    this.#load(one, suspectFrom, (outcome) => {
      if (outcome === 'suspect') this.#suspects.add(one);
    });
  }

  /**
   * Takes an execution over and begins to drive it. Calls `then` once, later, with what became of it. Nearly every load
   * finds its plan, memory and outputs at hand, and begins in the turn in which the store answers.
   */
  #load(one: Suspect, below: number, then: (outcome: Tried | 'suspect') => void): void {
    const { lease } = one;
    this.#takeOvers.add({ lease, below }, 100, {
      settled: (answer) => {
        if (typeof answer === 'object') this.#begun(one, answer, then);
        else then(this.#notTaken(one, below, answer));
      },
      failed: (error) => {
        then(this.#failed(one, undefined, error));
      },
    });
  }

  #notTaken({ lease, pool }: Suspect, below: number, answer: 'lapsed' | undefined): Tried | 'suspect' {
    if (answer === 'lapsed') this.#giveBackLapsed(lease, pool);
    else if (below < Infinity) return 'suspect';
    // The execution has ended or no longer exists; the queue had a stale entry.
    else pool.giveBack(lease, 'ack');
    return letGo;
  }

  #begun(one: Suspect, loaded: LoadedExecution, then: (outcome: Tried) => void): void {
    const failed = (error: unknown): void => {
      then(this.#failed(one, loaded, error));
    };
    let begun: Tried | Promise<Tried>;
    try {
      begun = this.#begin(one, loaded);
    } catch (error) {
      failed(error);
      return;
    }
    if (begun instanceof Promise) begun.then(then, failed);
    else then(begun);
  }

  /** `loaded` is absent if the take-over itself failed. */
  #failed({ lease, pool }: Suspect, loaded: LoadedExecution | undefined, error: unknown): Tried {
    const { telemetry, clock } = this.#parts;
    // Without the row, the trace of the execution is unknown.
    const traceId = loaded === undefined ? undefined : traceIdOf(loaded.id, loaded.traceparent);
    telemetry.log('warn', 'execution not loaded', { sagaId: lease.id, traceId, error: String(error) });
    pool.giveBack(lease, { parkUntil: clock.now() + 1_000 });
    return letGo;
  }

  #begin(one: Suspect, loaded: LoadedExecution): Tried | Promise<Tried> {
    const { clock, plans, telemetry } = this.#parts;
    const { lease, pool } = one;
    const { traceparent, claims, definitionHash: hash } = loaded;
    const { format } = loaded.state;
    const traceId = traceIdOf(loaded.id, traceparent);
    if (format > stateFormat) {
      telemetry.log('info', 'left to a newer release', { sagaId: lease.id, traceId, format });
      pool.giveBack(lease, { parkUntil: clock.now() + newerFormatMillis });
      return letGo;
    }
    // Comes before anything else, because any part of the execution may be what crashes its owners.
    if (claims > maxClaims) return { cleared: quarantine(this.#parts, lease, loaded, pool) };
    if (claims > suspectFrom)
      telemetry.log('warn', 'execution taken over again', { sagaId: lease.id, traceId, claims });
    const known = plans.peek(hash);
    if (known !== undefined) return this.#admit(one, loaded, known);
    return this.#plan(hash).then((plan) => {
      if (plan !== undefined) return this.#admit(one, loaded, plan);
      telemetry.log('error', 'no usable definition', { sagaId: lease.id, traceId, hash });
      pool.giveBack(lease, { parkUntil: clock.now() + noPlanMillis });
      return letGo;
    });
  }

  /** Drives an execution once there is memory for it. */
  #admit(one: Suspect, loaded: LoadedExecution, plan: Plan): Tried | Promise<Tried> {
    const { clock, memory } = this.#parts;
    const end = endOf(loaded, clock.now());
    const size = sizeOf(loaded);
    const reserved = memory.reserve(size);
    if (reserved === true) return this.#driveWithin(size, one, loaded, plan, end);
    return reserved.then((isReserved) => {
      if (isReserved) return this.#driveWithin(size, one, loaded, plan, end);
      one.pool.giveBack(one.lease, { parkUntil: clock.now() + noRoomMillis });
      return letGo;
    });
  }

  /** Frees the reserved memory once the driver counts its own. */
  #driveWithin(
    size: number,
    one: Suspect,
    loaded: LoadedExecution,
    plan: Plan,
    end: End | undefined,
  ): Tried | Promise<Tried> {
    const { memory } = this.#parts;
    let driven: Tried | Promise<Tried> | undefined;
    try {
      driven = this.#drive(one, loaded, plan, end);
    } finally {
      if (!(driven instanceof Promise)) memory.add(-size);
    }
    return driven instanceof Promise ? driven.finally(() => memory.add(-size)) : driven;
  }

  #drive(one: Suspect, loaded: LoadedExecution, plan: Plan, end: End | undefined): Tried | Promise<Tried> {
    const run = end === 'terminated' ? bareRun(loaded, plan) : this.#run(loaded, plan);
    const isCalling = end === undefined && loaded.state.tokens.some(({ stage }) => stage.kind === 'calling');
    if (run instanceof Promise || isCalling) return this.#prepareAndStart(one, loaded, run, isCalling);
    return this.#start(one, loaded, run, []);
  }

  async #prepareAndStart(
    one: Suspect,
    loaded: LoadedExecution,
    made: Run | Promise<Run>,
    isCalling: boolean,
  ): Promise<Tried> {
    const run = await made;
    return this.#start(one, loaded, run, isCalling ? await this.#prepared(run, traceOf(loaded)) : []);
  }

  /** Runs synchronously: no outside event may precede the events that are recorded first. */
  #start({ lease, dueAt, pool }: Suspect, loaded: LoadedExecution, run: Run, calls: readonly Event[]): Tried {
    if (lease.isOver) {
      // Nothing is lost: the next owner finds the same calls in flight in the row.
      this.#giveBackLapsed(lease, pool);
      return letGo;
    }
    const { clock, plans } = this.#parts;
    const { claims } = loaded;
    const definition = plans.telemetryOf(run.plan);
    definition.dequeued('queue');
    // The new owner retries blocked calls, because the block may have cleared.
    const isWaiting = run.state.tokens.some(({ stage }) => isBlocked(stage));
    // Other executions wait only for suspects.
    const clearance = claims < suspectFrom ? undefined : Promise.withResolvers<void>();
    const driver = pool.drive({
      ...traceOf(loaded),
      lease,
      run,
      payloadChars: loaded.payloadBytes ?? loaded.payload.length,
      definition,
      seq: loaded.seq,
      inboxSeq: loaded.inboxSeq,
      claims,
      ...(clearance === undefined ? undefined : { cleared: clearance.resolve }),
      // Time spent blocked does not count as waiting for a worker.
      dueAt: isWaiting ? Math.max(dueAt, clock.now()) : dueAt,
      inbox: loaded.inbox,
    });
    driver.begin(
      [...calls, { type: 'resumed' }],
      [isWaiting ? { type: 'timer', tryBlocked: true } : { type: 'timer' }],
    );
    return clearance === undefined ? letGo : { cleared: clearance.promise };
  }

  #giveBackLapsed(lease: Lease, pool: WorkerPool): void {
    this.#parts.telemetry.fenced('lease');
    pool.giveBack(lease, 'release');
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

  /** Reads small outputs at once; larger ones are read on demand. */
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

  /** The fingerprints and reused keys of calls that a former owner had prepared. */
  async #prepared(run: Run, trace: Trace): Promise<readonly Event[]> {
    const events: Event[] = [];
    let { state } = run;
    for (const token of run.state.tokens) {
      const { id, nodeId, stage } = token;
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
      const fingerprint = this.#parts.calls.prepare(seeing, command, trace)?.fingerprint;
      if (fingerprint === undefined) continue;
      const { round } = run.state;
      const find =
        round > 1 && operation === 1 ? await findReused(this.#parts.reads, run, token, visit, fingerprint) : undefined;
      const reused = find?.(state);
      const event = {
        type: 'prepared',
        callId: stage.callId,
        fingerprint,
        ...(reused === undefined ? undefined : { reused }),
      } as const;
      // Each effect is taken over once.
      state = prepared(state, event);
      events.push(event);
    }
    return events;
  }
}

/** The trace of a loaded execution. */
function traceOf({ id, traceparent }: LoadedExecution): { readonly traceId: string; readonly traceparent?: string } {
  const traceId = traceIdOf(id, traceparent);
  return traceparent === undefined ? { traceId } : { traceId, traceparent };
}

/**
 * The reason for which the execution ends right after the take-over, before anything is rendered: an accepted terminate,
 * which does not need any other data; or, if earlier owners have ended, a cancel or a passed deadline.
 */
function endOf({ inbox, claims, state }: LoadedExecution, now: number): End | undefined {
  if (inbox.some(({ event }) => event.type === 'terminated')) return 'terminated';
  if (claims < suspectFrom) return undefined;
  const isCancelled = inbox.some(({ event }) => event.type === 'cancelled');
  return isCancelled || (openDeadline(state) ?? Infinity) <= now ? 'given up' : undefined;
}

/** Estimated bytes in memory of the loaded execution. */
function sizeOf({ payload, payloadBytes, state }: LoadedExecution): number {
  const outputs = state.ord === 0 ? 0 : maxLoadedBytes;
  return executionBytes + bytesPerChar * (payloadBytes ?? payload.length) + outputs;
}
