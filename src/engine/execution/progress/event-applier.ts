import type { Event } from '../../../core/event.ts';
import { memorySize } from '../../../core/value/json.ts';
import type { InboxRow } from '../../../ports/store.ts';
import type { CallRight } from '../call-right.ts';
import type { ClaimedExecution, DriverOwner, DriverParts } from '../driver-contract.ts';
import type { HeldOutputs } from '../held-outputs.ts';
import type { OutgoingCalls } from '../outgoing-calls.ts';
import type { Progress } from './progress.ts';
import { StepBudget } from './step-budget.ts';

/** The parts of one driver that the event applier needs. */
export interface ApplierParts {
  readonly progress: Progress;
  readonly outputs: HeldOutputs;
  readonly calls: OutgoingCalls;
  readonly right: CallRight;
  readonly owner: DriverOwner;
}

/**
 * Applies the waiting events of one execution in order, within the share of this turn of the event loop.
 *
 * Guarantees: nothing new begins before all known events are applied, because a cancel or the deadline may be among them. Nothing new begins
 * while the process drains, while the lease is not sure, or once the execution has used up its step budget and others wait.
 */
export class EventApplier {
  readonly #shared: Pick<DriverParts, 'clock' | 'env' | 'share' | 'calls'>;
  readonly #execution: Pick<ClaimedExecution, 'lease' | 'dueAt'>;
  readonly #parts: ApplierParts;
  readonly #budget: StepBudget;

  constructor(shared: DriverParts, execution: ClaimedExecution, parts: ApplierParts) {
    this.#shared = shared;
    this.#execution = execution;
    this.#parts = parts;
    this.#budget = new StepBudget(shared.maxSteps, execution.run.state.totalVisits);
  }

  /** Charges the step budget with the durable first transition of an execution that began here. */
  beginDurable(): void {
    this.#budget.begin(0);
  }

  /** Whether a waiting event can be applied now. */
  get hasMore(): boolean {
    return this.#parts.progress.hasEvents || this.#nextRow() !== undefined;
  }

  /** Whether something new may begin. */
  get mayAdvance(): boolean {
    const { right, owner, progress } = this.#parts;
    if (right.isGivenUp || owner.draining || this.#execution.lease.standing !== 'sure') return false;
    return this.#budget.mayGoOn(progress.run.state.totalVisits, owner);
  }

  /** Applies events until none waits or the turn's share is spent. Throws what the core throws. */
  applyAll(): void {
    const { progress } = this.#parts;
    while (!this.#shared.share.isSpent) {
      const event = progress.takeFirst() ?? this.#takeFromInbox() ?? progress.take();
      if (event === undefined) return;
      this.#apply(event, !this.hasMore);
    }
  }

  #nextRow(): InboxRow | undefined {
    const row = this.#parts.progress.nextRow();
    return row !== undefined && this.#parts.outputs.areAtHand(row) ? row : undefined;
  }

  #takeFromInbox(): Event | undefined {
    const row = this.#nextRow();
    if (row === undefined) return undefined;
    this.#parts.progress.takeRow(row);
    if ('body' in row.event) this.#parts.outputs.grew(memorySize(row.event.body));
    return this.#shared.calls.received(row.event.inboxId === row.id ? row.event : { ...row.event, inboxId: row.id });
  }

  #apply(event: Event, isLast: boolean): void {
    const { progress, calls } = this.#parts;
    if (event.type === 'undoFound') calls.undoApplied(event.tokenId);
    const now = Math.max(this.#shared.clock.now(), this.#execution.dueAt);
    const env = this.#shared.env.at(now, isLast && this.mayAdvance);
    const transition = this.#shared.share.apply(progress.run, event, env);
    progress.applied(event, transition);
    for (const row of transition.steps) if (row.phase === 'DOWN') this.#budget.undone();
  }
}
