import type { OutputQuery } from '../../core/context/outputs.ts';
import type { CallRow, StepRow } from '../../core/history.ts';
import type { ExecutionStatus, UndoTarget } from '../../core/state.ts';
import type { ExecutionPageRequest, ListedExecution } from '../listing.ts';
import type { ExecutionDetail, ExecutionProgress, Page, PageRequest, StepPageRequest } from '../records.ts';

/** Filter of lists; absent fields do not restrict. Instants are inclusive after, exclusive before. */
export interface ExecutionFilter {
  readonly statuses?: readonly ExecutionStatus[];
  readonly name?: string;
  /** Of which one must fit the name; `*` stands for any characters, also none, and everything else for itself. */
  readonly nameGlobs?: readonly string[];
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly failedNodeId?: string;
  readonly standing?: boolean;
  /** Only terminal ones whose hook is still to be delivered, or was given up. */
  readonly hook?: 'pending' | 'failed';
  readonly startedAfter?: number;
  readonly startedBefore?: number;
  readonly completedAfter?: number;
  readonly completedBefore?: number;
}

/** A row with a compensation, or an effect that may stand, with its present `undo`. */
export interface EffectRow {
  readonly target: UndoTarget;
  readonly mutating: boolean;
  readonly effect?: 'succeeded' | 'unknown';
  readonly undo?: StepRow['undo'];
  readonly fingerprint?: string;
  readonly undoRank?: number;
  readonly undoSort?: number;
}

/** Which rows {@link HistoryStore.findUndo} looks at. */
export interface UndoFilter {
  /** Only rows of this scope or below. */
  readonly scope: string;
  /** What may come, or what a retry of CORRUPTED made due again; `pending` by default. */
  readonly undo?: 'pending' | 'reopened';
  /** Only this visit. */
  readonly only?: { readonly nodeId: string; readonly visit: number };
}

/** Which rows {@link HistoryStore.listEffects} looks for, where all would be too many. */
export interface EffectFilter {
  /** The first and the last round. */
  readonly rounds: readonly [number, number];
  /**
   * What has become of the compensation: `pending`, `failed` and `reopened` are unfinished; an effect that was `accepted`, or has
   * `none`, stands.
   */
  readonly undo: readonly ('pending' | 'failed' | 'reopened' | 'accepted' | 'none')[];
  /** Only this node, or only this visit of it. */
  readonly only?: { readonly nodeId: string; readonly visit?: number };
}

/** Reads of executions and of their history. */
export interface HistoryStore {
  /**
   * Rows with outputs or keys of the asked visits of a round (all phases but DOWN of other visits), in the order of their ords.
   *
   * @throws OutputsTooLarge (`store-bounds.ts`) when the rows together take more than `maxBytes` as JSON; the store sees that before it reads them.
   */
  readOutputs(
    id: string,
    round: number,
    queries: readonly OutputQuery[],
    maxBytes?: number,
  ): Promise<readonly StepRow[]>;
  /** The next row to compensate: of that round, within the filter, lowest rank, highest sort. */
  findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined>;
  /**
   * All rows of the execution with an effect or a compensation, all rounds, in the order of their ords; bounded by `limit`. With
   * a filter: those that fit, of each round and kind the first `limit` in the order of compensation, and as many in all.
   */
  listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]>;
  /** The latest standing effect of this node and visit in rounds before `round`. */
  findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined>;
  getExecution(id: string): Promise<ExecutionDetail | undefined>;
  /** The same without the payload: for whatever looks again and again, or only wants to know whether it is there. */
  getProgress(id: string): Promise<ExecutionProgress | undefined>;
  /**
   * Newest first by id. Throws {@link BadCursor}. A store may end a page, also without a row, where it has looked at enough rows that do not
   * fit.
   */
  listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>>;
  /**
   * By ord. Throws {@link BadCursor}. `afterOrd` as the alternative to a cursor. A row with a large output has `shown` in its
   * place (see `ShowStep`), so that a list never reads the whole.
   */
  listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>>;
  /** By ord. Throws {@link BadCursor}. */
  listCalls(id: string, page: PageRequest): Promise<Page<CallRow>>;
}
