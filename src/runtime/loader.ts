/**
 * Takes executions over in the store, which fences whoever held them before, and puts them together again: plan, outputs
 * that can still be asked for, and the events that bring them to the present.
 *
 * First of all, calls found `calling` become attempts of unknown outcome. Then comes what the inbox holds, then what is
 * due. An execution whose last five owners ended without getting anywhere is quarantined, so that one that brings down its
 * process cannot bring down every process. A hold whose lease is over is given back and takes nothing over: it would fence a
 * process that works.
 */
import type { Run } from '../core/apply.ts';
import type { CallCommand, Event } from '../core/event.ts';
import type { JsonObject } from '../core/json.ts';
import { parseJson } from '../core/json.ts';
import { Outputs } from '../core/outputs.ts';
import { stateFormat } from '../core/state.ts';
import { isBlocked } from '../core/transition/block.ts';
import { wantedOutputs } from '../core/wanted.ts';
import type { Clock } from '../ports/clock.ts';
import type { LoadedExecution, Store } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { BoundedMap } from './bounded-map.ts';
import type { CallRunner } from './call-runner.ts';
import { Coalescer, type CoalescerParts } from './coalescer.ts';
import type { Hold } from './hold.ts';
import type { PatientReads } from './patient-reads.ts';
import type { PlanCache } from './plan-cache.ts';
import { reusedKey } from './reused-key.ts';
import { traceIdOf } from './trace-context.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Claims without progress, of owners that ended, after which an execution is quarantined at the next. */
const maxClaims = 5;
/** How long a state of a newer release is left to newer processes. */
const newerFormatMillis = 5_000;
/** How long an execution without a usable plan is left alone. */
const noPlanMillis = 30_000;

/** What a loader stands on. */
export interface LoaderParts extends CoalescerParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'takeOver'>;
  readonly reads: PatientReads;
  readonly plans: PlanCache;
  readonly calls: CallRunner;
  readonly parked: BoundedMap<string, Run>;
  /** The processes that live: their claims are not counted against an execution. */
  live(): readonly string[];
  /** How long a take-over is tried while the store is away; then the claim is given back. */
  readonly patienceMillis: number;
}

/** See the file header. */
export class Loader {
  readonly #parts: LoaderParts;
  readonly #takeOvers: Coalescer<Hold, LoadedExecution | 'lapsed' | undefined>;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
    this.#takeOvers = new Coalescer(parts, {
      operation: 'takeOver',
      maxRows: 200,
      maxBytes: Infinity,
      maxWaiting: Infinity,
      patienceMillis: parts.patienceMillis,
      send: async (holds) => {
        // Looked at before each try: a store that was away answers later than a lease lasts.
        const valid = new Set(holds.filter((hold) => !hold.isOver));
        const claims = Array.from(valid, ({ id, claim }) => ({ id, claim }));
        const loaded = claims.length === 0 ? [] : await parts.store.takeOver(claims, parts.clock.now(), parts.live());
        const byId = new Map(loaded.map((execution) => [execution.id, execution]));
        return holds.map((hold) => (valid.has(hold) ? byId.get(hold.id) : 'lapsed'));
      },
    });
  }

  /** Loads a hold and begins to drive it, or gives it back. Never rejects. */
  async load(hold: Hold, dueAt: number, pool: WorkerPool): Promise<void> {
    let loaded: LoadedExecution | undefined;
    try {
      const answer = await this.#takeOvers.request(hold, 100);
      if (answer === 'lapsed') {
        this.#giveBackLapsed(hold, pool);
        return;
      }
      loaded = answer;
      await this.#begin(hold, loaded, dueAt, pool);
    } catch (error) {
      const { telemetry, clock } = this.#parts;
      // Of what was not even read nobody knows whose trace it belongs to.
      const traceId = loaded === undefined ? undefined : traceIdOf(loaded.id, loaded.traceparent);
      telemetry.log('warn', 'execution not loaded', { sagaId: hold.id, traceId, error: String(error) });
      pool.giveBack(hold, { parkUntil: clock.now() + 1_000 });
    }
  }

  async #begin(hold: Hold, loaded: LoadedExecution | undefined, dueAt: number, pool: WorkerPool): Promise<void> {
    const { clock, plans, telemetry } = this.#parts;
    // Over, or gone: the queue had an old mark.
    if (loaded === undefined) {
      pool.giveBack(hold, 'ack');
      return;
    }
    const { traceparent } = loaded;
    const traceId = traceIdOf(loaded.id, traceparent);
    if (loaded.state.format > stateFormat) {
      telemetry.log('info', 'left to a newer release', { sagaId: hold.id, traceId, format: loaded.state.format });
      pool.giveBack(hold, { parkUntil: clock.now() + newerFormatMillis });
      return;
    }
    const plan = plans.peek(loaded.definitionHash) ?? (await this.#plan(loaded.definitionHash));
    if (plan === undefined) {
      telemetry.log('error', 'no usable definition', { sagaId: hold.id, traceId, hash: loaded.definitionHash });
      pool.giveBack(hold, { parkUntil: clock.now() + noPlanMillis });
      return;
    }
    const run = await this.#run(loaded, plan);
    const prepared = await this.#prepared(run, traceparent);
    if (hold.isOver) {
      // Its next owner records what this one would: the row says what was in flight.
      this.#giveBackLapsed(hold, pool);
      return;
    }
    // From here to `begin` nothing may wait: an event from outside must not come before what is recorded first.
    const definition = plans.telemetryOf(plan);
    definition.dequeued('queue');
    // The one who takes it over tries again what is blocked: why it was may be over.
    const isWaiting = run.state.tokens.some(({ stage }) => isBlocked(stage));
    const driver = pool.drive({
      hold,
      run,
      definition,
      traceId,
      ...(traceparent === undefined ? undefined : { traceparent }),
      seq: loaded.seq,
      inboxSeq: loaded.inboxSeq,
      claims: loaded.claims,
      // The time for which it was blocked is none for which it waited for a worker.
      dueAt: isWaiting ? Math.max(dueAt, clock.now()) : dueAt,
      inbox: loaded.inbox,
    });
    if (loaded.claims > maxClaims) {
      driver.quarantine('Claims without a checkpoint in between.');
      return;
    }
    driver.begin(
      [...prepared, { type: 'resumed' }],
      [isWaiting ? { type: 'timer', tryBlocked: true } : { type: 'timer' }],
    );
  }

  #giveBackLapsed(hold: Hold, pool: WorkerPool): void {
    this.#parts.telemetry.fenced('lease');
    pool.giveBack(hold, 'release');
  }

  #plan(hash: string): ReturnType<PlanCache['load']> {
    return this.#parts.reads.repeat('getDefinitionBody', () => this.#parts.plans.load(hash));
  }

  async #run(loaded: LoadedExecution, plan: Run['plan']): Promise<Run> {
    const { parked, reads } = this.#parts;
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
    const rows = queries.length === 0 ? [] : await reads.readOutputs(loaded.id, state.round, queries);
    return {
      plan,
      header: {
        id: loaded.id,
        name: loaded.name,
        version: loaded.version,
        payload: parseJson(loaded.payload) as JsonObject,
        labels: loaded.labels,
      },
      state,
      outputs: Outputs.empty.with(rows),
    };
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
      const fingerprint = this.#parts.calls.prepare(run, command, traceparent)?.fingerprint;
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
