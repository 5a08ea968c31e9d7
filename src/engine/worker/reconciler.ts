import type { ShardSet } from '../../core/value/slot.ts';
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
/** How far ahead the reconciler adds timers to the queue, and how often. The sum is less than the horizon of parking. */
const lookAheadMillis = 90_000;
const lookEveryMillis = 30_000;
const pageSize = 500;
const pagesPerRound = 4;

/** What a reconciler needs. */
export interface ReconcilerParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly availability: Availability;
  readonly queueHealth: QueueHealth;
  readonly store: Pick<Store, 'findDue' | 'listDue'>;
  readonly queue: Pick<Queue, 'reconcile' | 'owned' | 'toRefill'>;
  /** Whether this process holds the execution. */
  holds(id: string): boolean;
  /** Whether the process is another one and alive. */
  isOtherLive(process: string): boolean;
  /** Looks whether these processes live, as far as that is not known. May throw what the store throws. */
  meet(processes: ReadonlySet<string>): Promise<void>;
}

type Cursor = { readonly dueAt: number; readonly id: string };

/**
 * Makes the queue agree with the store, which alone is authoritative. {@link Reconciler.round} is the task of a
 * periodic loop.
 *
 * Every two seconds the reconciler reads executions that have been overdue for two seconds, and adds those that the queue
 * does not know: after lost rings, late commits or a wipe of the queue. A cursor walks through all of them, a bounded
 * number per round, so that none stays hidden behind others. Every half minute the reconciler reads the executions that
 * become due soon, because the queue does not contain later timers. At the start, and after a loss of the queue, it reads
 * all due executions at once.
 *
 * Guarantees: the reconciler does not change ids that are in the queue or held here. If a live process holds an execution
 * according to the store, the id is added with the name of that process; the queue asks the process to assert its claim
 * before any other process gets the id. An idle process costs the store one statement every two seconds.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  #overdue: Cursor | undefined;
  /** Everything due before this instant has been added. */
  #lookedUntil = 0;
  #lookedAt = -Infinity;
  #rebuild = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Makes the next round read all due executions, because the queue may have been lost. */
  forget(): void {
    this.#rebuild = true;
  }

  /** Runs one round. Throws what the store or the queue throws; the next round continues at the same position. */
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
    // A full read covers the overdue executions of its shards; the other shards must not wait for it.
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
    // After a backward jump of the clock this window has already been read.
    if (until > this.#lookedUntil)
      await this.#walk(owned, { dueAt: this.#lookedUntil, id: '' }, until, Infinity, 'ahead');
    this.#looked(until);
  }

  #looked(until: number): void {
    this.#lookedUntil = until;
    this.#lookedAt = this.#parts.clock.monotonic();
  }

  /**
   * Reads up to `pages` pages; returns the position to continue from, undefined at the end. Not yet due executions need
   * only the index, because no process holds them.
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
    // A process that has just started may hold one of them. If it counted as dead, another would repeat its calls.
    const holders = others.flatMap((row) => ('claim' in row && row.claim !== '' ? processOf(row.claim) : []));
    if (holders.length > 0) await this.#parts.meet(new Set(holders));
    try {
      const absent = await queue.reconcile(others.map((row) => this.#item(row)));
      queueHealth.answered();
      if (absent.length > 0) this.#count(new Set(absent), others);
    } catch (error) {
      queueHealth.failed('reconcile', error);
      // The queue requests a refill for the server that failed; the other servers must not wait for it.
      if (!(error instanceof QueuePartlyUnavailable)) throw error;
    }
  }

  /** Counts absent executions. Rows from the index alone are not yet due, so the queue has not lost them. */
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
