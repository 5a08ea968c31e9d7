import type { OutputQuery } from '../../core/context/outputs.ts';
import type { CallRow, StepRow } from '../../core/history.ts';
import type { ExecutionStatus, UndoTarget } from '../../core/state.ts';
import type { ExecutionPageRequest, ListedExecution } from '../listing.ts';
import type { ExecutionDetail, ExecutionProgress, HistoryPageRequest, Page, StepPageRequest } from '../records.ts';

/** Filter of lists; absent fields do not restrict. `…After` is inclusive, `…Before` exclusive. */
export interface ExecutionFilter {
  readonly statuses?: readonly ExecutionStatus[];
  readonly name?: string;
  /** At least one must match the name; `*` matches any characters, including none; all other characters match literally. */
  readonly nameGlobs?: readonly string[];
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly failedNodeId?: string;
  /** `unknown`: also effects of unknown outcome stand that no operator has accepted; `succeeded`: only others. */
  readonly standing?: boolean | 'unknown' | 'succeeded';
  /** Only executions with ids from the first to the last one. */
  readonly ids?: readonly [first: string, last: string];
  /** Only executions that this one started itself. */
  readonly parent?: string;
  /** Whether no other execution started them. */
  readonly root?: boolean;
  /** Only terminal ones whose hook is undelivered (`pending`) or was given up (`failed`). */
  readonly hook?: 'pending' | 'failed';
  readonly startedAfter?: number;
  readonly startedBefore?: number;
  readonly completedAfter?: number;
  readonly completedBefore?: number;
}

/** A row with a compensation or an effect that may stand, with its current `undo`. */
export interface EffectRow {
  readonly target: UndoTarget;
  /** When its visit began, or that of an earlier round whose key it sent, in ms since 1970. */
  readonly begunAt: number;
  readonly mutating: boolean;
  readonly effect?: 'succeeded' | 'unknown';
  readonly undo?: StepRow['undo'];
  readonly fingerprint?: string;
  readonly undoRank?: number;
  readonly undoSort?: number;
  /** Id of the execution that the visit started. */
  readonly child?: string;
}

/** The executions that one execution started itself. */
export interface ChildCounts {
  /** At most {@link maxCountedChildren}. */
  readonly count: number;
  /** Those that are not over. */
  readonly running: number;
  readonly corrupted: number;
}

/** Children that a count looks at, which bounds its duration. */
export const maxCountedChildren = 10_000;

/** Filter of {@link HistoryStore.findUndo}. */
export interface UndoFilter {
  /** Only rows of this scope or below. */
  readonly scope: string;
  /** `pending` (default): compensations not yet run; `reopened`: those that a retry of CORRUPTED made due again. */
  readonly undo?: 'pending' | 'reopened';
  /** Only this visit. */
  readonly only?: { readonly nodeId: string; readonly visit: number };
  /** Only rows after this ord: bounds the search where all rows of the scope are after it. */
  readonly after?: number;
}

/** Filter of {@link HistoryStore.listEffects}, for executions with too many effects to read all. */
export interface EffectFilter {
  /** The first and the last round. */
  readonly rounds: readonly [number, number];
  /**
   * States of the compensation: `pending`, `failed` and `reopened` are unfinished; an effect whose compensation is `accepted`
   * or `none` stands.
   */
  readonly undo: readonly ('pending' | 'failed' | 'reopened' | 'accepted' | 'none')[];
  /** Only this node, or only this visit of it. */
  readonly only?: { readonly nodeId: string; readonly visit?: number };
}

/** Bound of the effects that one search by a request finds; equal requests of one node are few. */
export const maxStandingRequests = 200;

/** Reads of executions and of their history. */
export interface HistoryStore {
  /**
   * Rows with outputs or keys of the queried visits of a round (all phases but DOWN of other visits), ordered by ord.
   *
   * @throws OutputsTooLarge (`store-bounds.ts`) when the rows exceed `maxBytes` as JSON in total; the store checks that before
   * it reads them.
   */
  readOutputs(
    id: string,
    round: number,
    queries: readonly OutputQuery[],
    maxBytes?: number,
  ): Promise<readonly StepRow[]>;
  /** The next row of the round to compensate within the filter: lowest rank, then highest sort. */
  findUndo(id: string, round: number, filter: UndoFilter): Promise<UndoTarget | undefined>;
  /**
   * Rows of the execution with an effect or a compensation, in all rounds, ordered by ord; at most `limit`. With a filter: the
   * first `limit` matching rows of each round and kind in the order of compensation, and at most `limit` in total.
   */
  listEffects(id: string, limit: number, filter?: EffectFilter): Promise<readonly EffectRow[]>;
  /** The latest standing effect of this node and visit in rounds before `round`. */
  findStanding(id: string, nodeId: string, visit: number, round: number): Promise<EffectRow | undefined>;
  /**
   * Standing effects of this node in rounds before `round` whose request had this fingerprint, or whose fingerprint is not known and
   * whose outcome is not either: oldest first, at most {@link maxStandingRequests}.
   */
  listStandingRequests(id: string, nodeId: string, round: number, fingerprint: string): Promise<readonly EffectRow[]>;
  getExecution(id: string): Promise<ExecutionDetail | undefined>;
  /** The same without the payload, for callers that poll or only check existence. */
  getProgress(id: string): Promise<ExecutionProgress | undefined>;
  /**
   * Newest first by id. Throws {@link BadCursor}. A store may end a page early, even an empty one, after it has read enough rows
   * that do not match.
   */
  listExecutions(filter: ExecutionFilter, page: ExecutionPageRequest): Promise<Page<ListedExecution>>;
  /**
   * Counts the executions that this one started itself, in all rounds; `listExecutions` with `parent` lists them. `nameGlobs` as in
   * {@link ExecutionFilter}.
   */
  countChildren(id: string, nameGlobs?: readonly string[]): Promise<ChildCounts>;
  /**
   * By ord. Throws {@link BadCursor}. `afterOrd` is an alternative to a cursor. A row with a large output has `shown` in place
   * of it (see `ShowStep`), so that a list never reads the full output.
   */
  listSteps(id: string, page: StepPageRequest): Promise<Page<StepRow>>;
  /** By ord. Throws {@link BadCursor}. */
  listCalls(id: string, page: HistoryPageRequest): Promise<Page<CallRow>>;
}
