import type { Run, Transition } from '../../core/apply.ts';
import { canPark, dueAt } from '../../core/due.ts';
import { slotOf } from '../../core/value/slot.ts';
import { begin } from '../../core/start.ts';
import { summarize } from '../../core/summary.ts';
import type { Queue } from '../../ports/queue.ts';
import type { NewExecution, Store, SubmitResult } from '../../ports/store.ts';
import { Coalescer, type CoalescerParts } from './coalescer.ts';
import type { CoreEnvironment } from '../core-env.ts';
import type { Submission } from './submission.ts';
import { type Lease, stampOf } from '../worker/lease.ts';
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
  readonly leaseMillis: number;
  readonly maxWaiting: number;
  readonly patienceMillis: number;
}

/**
 * Accepts new executions. Concurrent submissions share one transaction, and each is answered only after it is durable.
 *
 * If a worker is free and no overdue execution waits for one, an execution starts directly: the submitter claims it
 * before the insert, the insert contains that claim and the mark of the first call, and the worker continues without a
 * load. Otherwise the submitter inserts the execution at rest and enqueues it.
 */
export class Submitter {
  readonly #parts: SubmitterParts;
  readonly #inserts: Coalescer<NewExecution, SubmitResult>;

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
    this.#inserts = new Coalescer(parts, {
      operation: 'submit',
      maxRows: 200,
      maxBytes: 4 * 1024 * 1024,
      maxWaiting: parts.maxWaiting,
      patienceMillis: parts.patienceMillis,
      send: (batch) => parts.store.submit(batch),
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
  async submit(submission: Submission, pool: WorkerPool | undefined): Promise<SubmitResult> {
    const { clock, env, queue, queueWriter, plans, share } = this.#parts;
    const { plan, header, startAt } = submission;
    const now = Math.max(clock.now(), submission.createdAt);
    const slot = slotOf(header.id);
    const starts = startAt === undefined || startAt <= now;
    const isDirect = starts && pool?.tryReserve(queue.oldestDueAt) === true;
    const lease = isDirect ? await this.#claim(header.id, slot, now, pool) : undefined;
    let result: SubmitResult;
    let first: Transition;
    try {
      const begun = share.run(
        () => {
          const made = begin(plan, header, env.at(now, lease !== undefined && pool?.draining === false), startAt);
          share.charge(made.work.steps, made.work.bytes);
          return made;
        },
        'apply',
        () => ({ sagaId: header.id, name: header.name, version: header.version, node: plan.entry }),
      );
      first = begun instanceof Promise ? await begun : begun;
      const row = this.#row(submission, first, slot, now, lease);
      result = await this.#inserts.request(row, 1024 + row.payload.length + row.definition.length);
    } catch (error) {
      // If the insert succeeded although its answer got lost, the reconciler adds the id to the queue.
      if (lease !== undefined) pool?.giveBack(lease, 'ack');
      throw error;
    }
    const definition = plans.telemetryOf(plan);
    if (result.kind !== 'created') {
      if (lease !== undefined) pool?.giveBack(lease, 'ack');
      return result;
    }
    definition.enqueued();
    if (lease !== undefined && pool !== undefined) {
      definition.dequeued('direct');
      this.#run(submission, first, lease, pool, now);
    } else {
      const due = dueAt(first.state);
      if (due !== null && due - now <= parkHorizonMillis) queueWriter.ring({ id: header.id, slot, dueAt: due });
    }
    return result;
  }

  async #claim(id: string, slot: number, dueAt: number, pool: WorkerPool): Promise<Lease | undefined> {
    const { clock, queue, leaseMillis, queueHealth } = this.#parts;
    const sent = stampOf(clock);
    try {
      const claimed = await queue.claimDirect({ id, slot, dueAt }, leaseMillis);
      if (claimed !== undefined) return pool.reserve(claimed, claimed.sent ?? sent);
    } catch (error) {
      queueHealth.failed('claimDirect', error);
    }
    pool.unreserve();
    return undefined;
  }

  #row(submission: Submission, first: Transition, slot: number, now: number, lease: Lease | undefined): NewExecution {
    const { plan, header, definition, mustBeStored, payload, createdAt, traceparent, startKey } = submission;
    const { state } = first;
    return {
      id: header.id,
      slot,
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
      steps: first.steps,
      dueAt: canPark(state) ? (dueAt(state) ?? now) : now,
      ...(lease === undefined ? undefined : { claim: lease.claim }),
      ...(startKey === undefined ? undefined : { startKey }),
    };
  }

  #run(submission: Submission, first: Transition, lease: Lease, pool: WorkerPool, now: number): void {
    const { plan, header, traceparent } = submission;
    const run: Run = { plan, header, state: first.state, outputs: first.outputs };
    const driver = pool.drive({
      lease,
      run,
      payloadChars: submission.payload.length,
      definition: this.#parts.plans.telemetryOf(plan),
      traceId: traceIdOf(header.id, traceparent),
      ...(traceparent === undefined ? undefined : { traceparent }),
      seq: 0,
      inboxSeq: 0,
      dueAt: now,
      inbox: [],
    });
    const batch = new PendingBatch();
    batch.add(first, first.state);
    driver.beginDurable(batch);
  }
}
