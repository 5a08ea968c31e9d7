import type { FamilyPlace } from '../core/context/family.ts';
import type { ExecutionStatus, State } from '../core/state.ts';
import type { Summary } from '../core/summary.ts';
import type { Revision } from './store/revision.ts';

/** Columns of an execution that lists and metrics query. */
export type ExecutionSummary = Summary;

/** An execution as clients see it, without its history. */
export interface ExecutionRecord extends ExecutionSummary, FamilyPlace {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** An execution with its state, without its payload, which may be large. */
export interface ExecutionProgress extends ExecutionRecord, Revision {
  readonly traceparent?: string;
  readonly state: State;
}

/** An execution with everything that its status document needs except the rows. */
export interface ExecutionDetail extends ExecutionProgress {
  readonly payload: string;
}

/** A due execution, for the queue. */
export interface DueRow {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
}

/** A due execution, with fields that show whether a process runs it. */
export interface DueDetail extends DueRow {
  readonly status: ExecutionStatus;
  /** Time of the latest checkpoint, in ms since 1970. */
  readonly updatedAt: number;
  /** The claim under which a process took it over since it became due, if any. It remains after that process dies. */
  readonly claim?: string;
}

/** A page request. `cursor` is opaque and comes from an earlier page; `offset` skips rows (slow when large). */
export interface PageRequest {
  /** At least 1. The page may be shorter; see `bytes`. */
  readonly limit: number;
  /** The page ends before the row whose text would exceed this many bytes, but has at least one row; default `maxPageBytes`. */
  readonly bytes?: number;
  readonly cursor?: string;
  readonly offset?: number;
  readonly order?: 'asc' | 'desc';
}

/** A page request for rows of a history. */
export interface HistoryPageRequest extends PageRequest {
  /** Begins after this ord in the page's order, in place of a cursor. */
  readonly after?: number;
}

/** A page request for step rows. */
export interface StepPageRequest extends HistoryPageRequest {
  /** Excludes rows up to and including this ord, in either order. */
  readonly afterOrd?: number;
  /** Excludes outputs that are stored beside their rows, and their `shown`; default false. */
  readonly withoutBodies?: boolean;
}

/** A page. `cursor` is absent on the last page only: a page that is shorter than requested may have one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}
