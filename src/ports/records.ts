/** Executions as the store lists them, and pages of lists. */
import type { ExecutionStatus, State } from '../core/state.ts';
import type { Summary } from '../core/summary.ts';

/** Columns of an execution that lists and metrics query. */
export type ExecutionSummary = Summary;

/** An execution as clients see it, without its history. */
export interface ExecutionRecord extends ExecutionSummary {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly definitionHash: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** An execution as far as it has come: with its state, and without its payload, which may be large. */
export interface ExecutionProgress extends ExecutionRecord {
  readonly traceparent?: string;
  readonly seq: number;
  readonly inboxSeq: number;
  readonly state: State;
}

/** An execution with everything its status document needs but the rows. */
export interface ExecutionDetail extends ExecutionProgress {
  readonly payload: string;
}

/** A due execution, for the queue. */
export interface DueRow {
  readonly id: string;
  readonly slot: number;
  readonly dueAt: number;
}

/** A due execution, with what tells whether a process runs it. */
export interface DueDetail extends DueRow {
  readonly status: ExecutionStatus;
  /** When it was checkpointed last. */
  readonly updatedAt: number;
  /** Under which it was taken over since it became due; absent when no process has done that. It stays when that process has died. */
  readonly claim?: string;
}

/** A page request. `cursor` is opaque and comes from an earlier page; `offset` skips rows (slow when large). */
export interface PageRequest {
  /** At least 1. The page may be shorter, see `bytes`. */
  readonly limit: number;
  /** The page ends before the row whose text would go beyond so many bytes, but has one row at least; `maxPageBytes` when absent. */
  readonly bytes?: number;
  readonly cursor?: string;
  readonly offset?: number;
  readonly order?: 'asc' | 'desc';
}

/** A page request for step rows. */
export interface StepPageRequest extends PageRequest {
  /** Leaves out rows up to that ord, whatever the order. */
  readonly afterOrd?: number;
  /** Whether outputs that are kept beside their rows are left out, and what stands for them; default false. */
  readonly withoutBodies?: boolean;
}

/** A page; `cursor` is absent on the last one, and only there: a page that is shorter than asked for may have one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}
