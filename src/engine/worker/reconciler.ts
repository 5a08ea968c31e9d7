/**
 * Makes the queue agree with the store, which alone is the truth.
 *
 * Every two seconds it reads executions that are overdue by as much and adds those that the queue does not know: lost
 * rings, late commits, a queue that was wiped. A cursor walks through all of them, a bounded number per round, so that
 * none is overlooked behind others. Every half a minute it reads what becomes due soon: later timers are in the store
 * alone. At the start, and when the queue was lost, everything due is read at once.
 *
 * Guarantees: an id in the queue already, or held here, is left as it is. One that by the store's word a process that lives has
 * in hand is named with that process, which the queue asks to assert its claim before any other gets it. An idle process
 * costs the store one statement in two seconds.
 */
import type { ShardSet } from '../../core/slot.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import type { Clock } from '../../ports/clock.ts';
import { processOf, QueuePartlyUnavailable, type Queue, type StoredItem } from '../../ports/queue.ts';
import type { Store } from '../../ports/store.ts';
import type { DueDetail, DueRow } from '../../ports/records.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Availability } from '../write/availability.ts';
import type { QueueHealth } from '../queue/queue-health.ts';

/** Time between two rounds. */
export const reconcileMillis = 2_000;
const overdueMillis = 2_000;
/** How far ahead timers are brought into the queue, and how often. Together less than the horizon of parking. */
const lookAheadMillis = 90_000;
const lookEveryMillis = 30_000;
const pageSize = 500;
const pagesPerRound = 4;

/** What a reconciler stands on. */
export interface ReconcilerParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly availability: Availability;
  readonly queueHealth: QueueHealth;
  readonly store: Pick<Store, 'findDue' | 'listDue'>;
  readonly queue: Pick<Queue, 'reconcile' | 'owned' | 'toRefill'>;
  /** Whether this process holds it. */
  holds(id: string): boolean;
  /** Whether another process lives. */
  isOtherLive(process: string): boolean;
}

type Cursor = { readonly dueAt: number; readonly id: string };

/** See the file header. `round` is the task of a periodic loop. */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  #overdue: Cursor | undefined;
  /** Everything due before this has been brought in. */
  #lookedUntil = 0;
  #lookedAt = -Infinity;
  #rebuild = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** The queue may have been lost: the next round reads everything due. */
  forget(): void {
    this.#rebuild = true;
  }

  /** One round. Throws what the store or the queue throws, and begins there again. */
  async round(): Promise<void> {
    const { clock } = this.#parts;
    const now = clock.now();
    if (this.#rebuild) {
      const until = now + lookAheadMillis;
      await this.#walk(this.#parts.queue.owned, undefined, until, Infinity);
      this.#rebuild = false;
      this.#looked(until);
    }
    const { owned } = this.#parts.queue;
    const refill = this.#parts.queue.toRefill();
    // What has to be read whole needs no look at what is overdue; the rest must not wait for it.
    if (owned.shards.length > (refill?.shards.shards.length ?? 0)) {
      this.#overdue = await this.#walk(owned, this.#overdue, now - overdueMillis, pagesPerRound);
    }
    if (refill !== undefined) {
      await this.#walk(refill.shards, undefined, now + lookAheadMillis, Infinity);
      await refill.done();
      if (this.#lookedAt === -Infinity) this.#looked(now + lookAheadMillis);
    }
    if (owned.shards.length === 0) return;
    if (clock.monotonic() - this.#lookedAt < lookEveryMillis) return;
    const until = now + lookAheadMillis;
    // A jump of the clock backwards leaves a window that has been looked at already.
    if (until > this.#lookedUntil)
      await this.#walk(owned, { dueAt: this.#lookedUntil, id: '' }, until, Infinity, 'ahead');
    this.#looked(until);
  }

  #looked(until: number): void {
    this.#lookedUntil = until;
    this.#lookedAt = this.#parts.clock.monotonic();
  }

  /**
   * Goes through pages until the end or `pages` of them; answers where to go on, undefined at the end. What lies ahead is not
   * in the hands of any process, so that the index alone is read.
   */
  async #walk(
    shards: ShardSet,
    from: Cursor | undefined,
    until: number,
    pages: number,
    what: 'due' | 'ahead' = 'due',
  ): Promise<Cursor | undefined> {
    let cursor = from;
    for (let page = 0; page < pages; page++) {
      const rows = await this.#page(shards, until, cursor, what);
      await this.#add(rows);
      const last = rows.at(-1);
      if (rows.length < pageSize || last === undefined) return undefined;
      cursor = { dueAt: last.dueAt, id: last.id };
    }
    return cursor;
  }

  async #page(
    shards: ShardSet,
    until: number,
    cursor: Cursor | undefined,
    what: 'due' | 'ahead',
  ): Promise<readonly (DueRow | DueDetail)[]> {
    const { store, availability } = this.#parts;
    try {
      const rows = await (what === 'ahead' ? store.findDue : store.listDue).call(
        store,
        shards,
        until,
        pageSize,
        cursor,
      );
      availability.answered('read');
      return rows;
    } catch (error) {
      availability.failed('findDue', error);
      throw error;
    }
  }

  async #add(rows: readonly (DueRow | DueDetail)[]): Promise<void> {
    const { queue, queueHealth } = this.#parts;
    const others = rows.filter((row) => !this.#parts.holds(row.id));
    if (others.length === 0) return;
    try {
      const absent = await queue.reconcile(others.map((row) => this.#item(row)));
      queueHealth.answered();
      if (absent.length > 0) this.#count(new Set(absent), others);
    } catch (error) {
      queueHealth.failed('reconcile', error);
      // The queue asks for what one of its servers did not take once that answers; the others must not wait for it.
      if (!(error instanceof QueuePartlyUnavailable)) throw error;
    }
  }

  /** What lies ahead was read from the index alone, and is not counted: nothing has lost it. */
  #count(absent: ReadonlySet<string>, rows: readonly (DueRow | DueDetail)[]): void {
    const counts = new Map<ExecutionStatus, number>();
    for (const row of rows) {
      if ('status' in row && absent.has(row.id)) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
    }
    for (const [status, ids] of counts) this.#parts.telemetry.reconciled(status, ids);
  }

  #item(row: DueRow | DueDetail): StoredItem {
    const { id, slot, dueAt } = row;
    const process = 'claim' in row ? processOf(row.claim) : undefined;
    if (process === undefined || !this.#parts.isOtherLive(process)) return { id, slot, dueAt };
    return { id, slot, dueAt, heldBy: process };
  }
}
