import type { Run, Transition } from '../../core/apply.ts';
import { canPark, dueAt } from '../../core/due.ts';
import { placeOf } from '../../core/context/family.ts';
import { slotOf } from '../../core/value/slot.ts';
import { begin } from '../../core/start.ts';
import { summarize } from '../../core/summary.ts';
import type { Stamp } from '../../ports/clock.ts';
import type { Claimed, Queue, QueueItem, StoredItem } from '../../ports/queue.ts';
import type { NewExecution, Store, SubmitResult } from '../../ports/store.ts';
import { Coalescer, type CoalescerParts, type Sink } from './coalescer.ts';
import type { CoreEnvironment } from '../core-env.ts';
import type { Submission } from './submission.ts';
import { type Lease, stampOf } from '../worker/lease.ts';
import { tellRows } from '../family/tell-rows.ts';
import type { LoopShare } from '../loop-share.ts';
import { PendingBatch } from '../execution/progress/pending-batch.ts';
import type { PlanCache } from '../worker/plan-cache.ts';
import type { QueueHealth } from '../queue/queue-health.ts';
import type { QueueWriter } from '../queue/queue-writer.ts';
import { traceIdOf } from '../trace-context.ts';
import { parkHorizonMillis, type WorkerPool } from '../worker/worker-pool.ts';

/** What a submitter needs. */
export interface SubmitterParts extends CoalescerParts {
  readonly store: Pick<Store, 'submit'>;
  readonly queue: Pick<Queue, 'claimDirect' | 'oldestDueAt'>;
  readonly queueHealth: QueueHealth;
  readonly queueWriter: QueueWriter;
  readonly env: CoreEnvironment;
  readonly share: LoopShare;
  readonly plans: PlanCache;
  /** Announces that an execution has become due. Never throws. */
  readonly ring: (item: StoredItem) => void;
  readonly leaseMillis: number;
  readonly maxWaiting: number;
  readonly patienceMillis: number;
}

/** The first transition of an execution could not be made, so it is not stored. */
interface NotBegun {
  readonly kind: 'not begun';
  readonly error: unknown;
}

/**
 * Accepts new executions. Concurrent submissions share one transaction, and each is answered only after it is durable.
 *
 * If a worker is free and no overdue execution waits for one, a root starts directly: the submitter claims it
 * before the insert, the insert contains that claim and the mark of the first call, and the worker continues without a
 * load. Otherwise the submitter inserts the execution at rest and enqueues it. All executions of one insert are claimed
 * in one request, just before the insert.
 */
export class Submitter {
  readonly #parts: SubmitterParts;
  readonly #inserts: Coalescer<Starting, SubmitResult | NotBegun>;

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
    this.#inserts = new Coalescer(parts, {
      operation: 'submit',
      maxRows: 200,
      maxBytes: 4 * 1024 * 1024,
      maxWaiting: parts.maxWaiting,
      patienceMillis: parts.patienceMillis,
      send: (batch) => this.#insert(batch),
      sent: (rows, millis) => parts.telemetry.submitted(rows, millis),
    });
  }

  /** Number of executions that wait to be inserted. */
  get waiting(): number {
    return this.#inserts.waiting;
  }

  /** Resolves once everything accepted has been answered. */
  drained(): Promise<void> {
    return this.#inserts.drained();
  }

  /**
   * Stores the execution, then lets it run, in `pool` if this process has workers. Resolves when the execution is
   * durable.
   *
   * @throws StoreUnavailable when the store did not answer in time; the execution may exist nevertheless.
   * @throws Overloaded when too many submissions wait.
   */
  submit(submission: Submission, pool: WorkerPool | undefined): Promise<SubmitResult> {
    return new Promise((resolve, reject) => {
      const starting = new Starting(this.#parts, submission, pool, resolve, reject);
      this.#inserts.add(starting, 1024 + submission.payload.length + submission.definition.length, starting);
    });
  }

  /** Claims and begins the executions at the first try; a later try inserts the same rows. */
  async #insert(batch: readonly Starting[]): Promise<readonly (SubmitResult | NotBegun)[]> {
    const fresh = batch.filter(({ isPrepared }) => !isPrepared);
    if (fresh.length > 0) {
      await this.#claim(fresh);
      for (const starting of fresh) {
        const begun = starting.begin();
        if (begun !== undefined) await begun;
      }
    }
    const rows = batch.flatMap(({ row }) => row ?? []);
    const results = rows.length === 0 ? [] : await this.#parts.store.submit(rows);
    let at = 0;
    return batch.map(({ row, error }) => {
      return row === undefined ? { kind: 'not begun', error } : (results[at++] as SubmitResult);
    });
  }

  /** Claims those that may start directly. A failure of the queue leaves the others at rest. */
  async #claim(batch: readonly Starting[]): Promise<void> {
    const { clock, queue, leaseMillis, queueHealth } = this.#parts;
    const { oldestDueAt } = queue;
    const direct = batch.filter((starting) => starting.reserve(oldestDueAt));
    if (direct.length === 0) return;
    const sent = stampOf(clock);
    try {
      const claimed = await queue.claimDirect(direct, leaseMillis);
      for (const [i, starting] of direct.entries()) starting.claimed(claimed[i], sent);
    } catch (error) {
      queueHealth.failed('claimDirect', error);
      for (const starting of direct) starting.claimed(undefined, sent);
    }
  }
}

/** An execution on its way into the store. It has a reserved worker from {@link Starting.reserve} to {@link Starting.claimed}. */
class Starting implements QueueItem, Sink<SubmitResult | NotBegun> {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
  /** What is to be stored; undefined before {@link Starting.begin} and if that failed. */
  row: NewExecution | undefined;
  /** Why the execution could not begin. */
  error: unknown;
  isPrepared = false;
  readonly #parts: SubmitterParts;
  readonly #submission: Submission;
  readonly #pool: WorkerPool | undefined;
  readonly #resolve: (result: SubmitResult) => void;
  readonly #reject: (error: unknown) => void;
  #lease: Lease | undefined;
  #first: Transition | undefined;

  constructor(
    parts: SubmitterParts,
    submission: Submission,
    pool: WorkerPool | undefined,
    resolve: (result: SubmitResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.id = submission.header.id;
    this.slot = slotOf(this.id);
    this.dueAt = Math.max(parts.clock.now(), submission.createdAt);
    this.#parts = parts;
    this.#submission = submission;
    this.#pool = pool;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /**
   * Reserves a worker for a direct start; false if the execution does not start now or no worker is free. A child never starts directly: its id
   * is older than the child, so another process may have stored it and gone on with it before this insert arrives.
   */
  reserve(oldestDueAt: number | undefined): boolean {
    const { startAt, parentClaim } = this.#submission;
    const starts = parentClaim === undefined && (startAt === undefined || startAt <= this.dueAt);
    return starts && this.#pool?.tryReserve(oldestDueAt) === true;
  }

  /**
   * Takes the claim that was requested at `sent`, or gives the reserved worker back. If the queue has given the id to this process already, the
   * execution is stored at rest, and who holds the id goes on with it.
   */
  claimed(claimed: Claimed | undefined, sent: Stamp): void {
    if (claimed === undefined || this.#pool?.has(this.id) === true) this.#pool?.unreserve();
    else this.#lease = this.#pool?.reserve(claimed, claimed.sent ?? sent);
  }

  /** Makes the row; the promise, if any, resolves once this turn of the event loop had room for it. Never throws. */
  begin(): Promise<void> | undefined {
    const { share, env } = this.#parts;
    const { plan, header, startAt, scope } = this.#submission;
    this.isPrepared = true;
    const failed = (error: unknown): void => {
      this.error = error;
    };
    try {
      const begun = share.run(
        () => {
          const mayCall = this.#lease !== undefined && this.#pool?.draining === false;
          const made = begin(plan, header, env.at(this.dueAt, mayCall), startAt, scope);
          share.charge(made.work.steps, made.work.bytes);
          return made;
        },
        'apply',
        () => ({ sagaId: header.id, name: header.name, version: header.version, node: plan.entry }),
      );
      if (begun instanceof Promise) return begun.then((first) => this.#began(first)).catch(failed);
      this.#began(begun);
    } catch (error) {
      failed(error);
    }
    return undefined;
  }

  settled(result: SubmitResult | NotBegun): void {
    if (result.kind === 'not begun') {
      this.failed(result.error);
      return;
    }
    try {
      if (result.kind === 'created') this.#start();
      else this.#giveUp();
      this.#resolve(result);
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(error: unknown): void {
    // If the insert succeeded although its answer got lost, the reconciler adds the id to the queue.
    this.#giveUp();
    this.#reject(error);
  }

  #giveUp(): void {
    if (this.#lease !== undefined) this.#pool?.giveBack(this.#lease, 'ack');
  }

  #began(first: Transition): void {
    const { plan, header, definition, mustBeStored, payload, createdAt, traceparent } = this.#submission;
    const { startKey, parentClaim } = this.#submission;
    const { state, steps } = first;
    this.#first = first;
    this.row = {
      id: this.id,
      slot: this.slot,
      name: header.name,
      version: header.version,
      definitionHash: plan.hash,
      definition,
      ...(mustBeStored === undefined ? undefined : { mustBeStored }),
      payload,
      labels: header.labels,
      ...(traceparent === undefined ? undefined : { traceparent }),
      createdAt,
      state,
      summary: summarize(state),
      steps,
      dueAt: canPark(state) ? (dueAt(state) ?? this.dueAt) : this.dueAt,
      ...(this.#lease === undefined ? undefined : { claim: this.#lease.claim }),
      ...(startKey === undefined ? undefined : { startKey }),
      ...placeOf(header),
      ...(parentClaim === undefined ? undefined : { parentClaim }),
      ...(first.tells.length === 0 ? undefined : { tells: tellRows(first) }),
    };
  }

  #start(): void {
    const { plans, queueWriter } = this.#parts;
    const definition = plans.telemetryOf(this.#submission.plan);
    definition.enqueued();
    const first = this.#first as Transition;
    if (this.#lease !== undefined && this.#pool !== undefined) {
      definition.dequeued('direct');
      this.#run(first, this.#lease, this.#pool);
      return;
    }
    for (const { executionId } of first.tells) {
      this.#parts.ring({ id: executionId, slot: slotOf(executionId), dueAt: this.dueAt });
    }
    const due = dueAt(first.state);
    if (due === null || due - this.dueAt > parkHorizonMillis) return;
    queueWriter.ring({ id: this.id, slot: this.slot, dueAt: due });
  }

  #run(first: Transition, lease: Lease, pool: WorkerPool): void {
    const { plan, header, traceparent, payload } = this.#submission;
    const run: Run = { plan, header, state: first.state, outputs: first.outputs };
    const driver = pool.drive({
      lease,
      run,
      payloadChars: payload.length,
      definition: this.#parts.plans.telemetryOf(plan),
      traceId: traceIdOf(header.id, traceparent),
      ...(traceparent === undefined ? undefined : { traceparent }),
      seq: 0,
      inboxSeq: 0,
      dueAt: this.dueAt,
      inbox: [],
    });
    const batch = new PendingBatch();
    batch.add(first, first.state);
    driver.beginDurable(batch);
  }
}
