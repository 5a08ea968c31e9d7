import type { ShownBody, StepRow } from '../core/history.ts';
import type { State } from '../core/state.ts';
import type { ExecutionRecord, PageRequest } from './records.ts';

/**
 * Bytes of stored text after which a page of any list ends, regardless of its number of rows. A page and its response fit
 * several times into the smallest supported heap, and serializing a response of this size takes some 50 ms.
 */
export const maxPageBytes: number = 4 * 1024 * 1024;

/**
 * Shortens a large output for lists. A store that has this function calls it when it writes such a row and stores the result
 * beside the output. Must not throw.
 */
export type ShowStep = (row: StepRow) => ShownBody;

/** A page request for executions. */
export interface ExecutionPageRequest extends PageRequest {
  /**
   * Whether every item has its state, or all that have not SUCCEEDED. Otherwise only CORRUPTED ones have: they are few, and their states
   * contain the failure.
   */
  readonly withState?: boolean | 'unlessSucceeded';
}

/** An execution in a list. */
export interface ListedExecution extends ExecutionRecord {
  /** See {@link ExecutionPageRequest}. */
  readonly state?: State;
}
