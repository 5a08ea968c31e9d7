/** What bounds the lists of a store. */
import type { ShownBody, StepRow } from '../core/history.ts';
import type { State } from '../core/state.ts';
import type { ExecutionRecord, PageRequest } from './records.ts';

/**
 * Bytes of stored text after which a page of any list ends, in whatever number of rows: a page and the answer made of it fit
 * several times into the smallest heap that a server runs in, and an answer of this size is printed in some 50 ms.
 */
export const maxPageBytes: number = 4 * 1024 * 1024;

/**
 * What lists show of a step whose output is large. A store that is made with it calls it when it writes such a row, and keeps the
 * result beside the output. Must not throw.
 */
export type ShowStep = (row: StepRow) => ShownBody;

/** A page request for executions. */
export interface ExecutionPageRequest extends PageRequest {
  /** Whether each item has its state; without it only CORRUPTED ones have, since they are few and their states say what failed. */
  readonly withState?: boolean;
}

/** An execution of a list. */
export interface ListedExecution extends ExecutionRecord {
  /** See {@link ExecutionPageRequest}. */
  readonly state?: State;
}
