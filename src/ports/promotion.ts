/**
 * Moving everything that one store holds into another of another kind: rows in a neutral encoding, read in pages from the
 * source and written in batches to the target.
 *
 * A row is an array of texts, numbers and nulls in the order given here. What stores keep as JSON text (states, payloads,
 * history, events, definitions) stays that text, so that the digits of numbers survive. Instants are milliseconds since 1970.
 */
import type { DefinitionRecord } from './store.ts';

/** The setting of a source that says what became of it; see `app/promotion/source-mark.ts`. Never copied. */
export const sourceMarkSetting = 'promotion.out';

/** The setting of a target that holds its {@link TargetMark} as JSON. */
export const targetMarkSetting = 'promotion.in';

/** Rows that are copied before the activation, by kind, in the order of copying. */
export interface CopiedRows {
  /** What executions are pinned to. */
  readonly body: readonly [hash: string, name: string, version: string, definition: string];
  /** Without its due time, which comes with the activation, and without its claim, which is void in another store. */
  readonly execution: readonly [
    id: string,
    hash: string,
    name: string,
    version: string,
    slot: number,
    createdAt: number,
    updatedAt: number,
    startedAt: number,
    completedAt: number | null,
    seq: number,
    inboxSeq: number,
    claims: number,
    round: number,
    /** 0 no effect stands, 1 some do, 2 some are unknown and not settled. */
    standing: number,
    status: string,
    /** Id of the latest change of the execution while it was terminal. */
    change: string | null,
    reason: string | null,
    failedNodeId: string | null,
    failureDescription: string | null,
    callbackWarning: string | null,
    traceparent: string | null,
    labels: string | null,
    state: string,
    payload: string,
  ];
  readonly step: readonly [
    execution: string,
    ord: number,
    round: number,
    nodeId: string,
    visit: number,
    scope: string,
    readable: number,
    marked: number,
    effect: string | null,
    undo: string | null,
    undoRank: number | null,
    undoSort: number | null,
    row: string,
    shown: string | null,
    output: string | null,
  ];
  readonly call: readonly [execution: string, ord: number, row: string];
  /** `position` counts the events of the execution from 1; `event` is null once consumed. */
  readonly event: readonly [
    execution: string,
    id: string,
    position: number,
    at: number,
    nonce: string | null,
    bodyHash: string | null,
    pending: 0 | 1,
    event: string | null,
  ];
  readonly startKey: readonly [
    caller: string,
    key: string,
    execution: string,
    createdAt: number,
    fingerprint: string,
    /** 1 once the execution was removed. */
    orphan: 0 | 1,
  ];
  /** Who changed what. Without what each start of a server enters: that belongs to the installation. */
  readonly audit: readonly [
    id: string,
    at: number,
    actor: string,
    action: string,
    target: string,
    address: string,
    outcome: string,
    requestId: string,
    details: string | null,
  ];
}

/** The action of audit entries that are not copied. */
export const uncopiedAction = 'access.configured';

/** A kind of rows that are copied before the activation. */
export type CopiedKind = keyof CopiedRows;

/** In the order of copying: executions need what they are pinned to. */
export const copiedKinds: readonly CopiedKind[] = ['body', 'execution', 'step', 'call', 'event', 'startKey', 'audit'];

/** Rows that are handed over by the activation itself. */
export interface ActivatedRows {
  readonly definition: DefinitionRecord;
  readonly setting: readonly [key: string, value: string];
  /** When a worker must look at an execution that is not over. */
  readonly due: readonly [id: string, dueAt: number];
}

/** All rows of a source, by kind. */
export type SourceRows = CopiedRows & ActivatedRows;

/** A page; `next` is where to go on, absent on the last page. Bounded in rows and bytes. */
export interface RowPage<T> {
  readonly rows: readonly T[];
  readonly next?: string;
}

/** How much there is. */
export interface RowCounts {
  readonly rows: Readonly<Record<CopiedKind | 'definition', number>>;
  /** Executions by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The lowest and the highest id of the executions; absent when there are none. */
  readonly idRange?: readonly [lowest: string, highest: string];
}

/** The store that everything comes from. No other process may use it meanwhile. */
export interface PromotionSource {
  /** Counts everything. */
  count(): Promise<RowCounts>;
  /** The next page of a kind, from the beginning without `after`. */
  read<K extends keyof SourceRows>(kind: K, after?: string): Promise<RowPage<SourceRows[K]>>;
}

/** Where a promotion into a target stands; `none` where it knows of none. */
export interface TargetMark {
  readonly phase: 'none' | 'copying' | 'done' | 'taken-back';
  /** The promotion's id; empty where there is none. */
  readonly id: string;
}

/** What stands against a promotion into a target. */
export interface TargetState {
  readonly mark: TargetMark;
  /** Whether it holds executions or what belongs to some. */
  readonly isOccupied: boolean;
  /** Connections of other Trama processes. */
  readonly others: number;
}

/** What the activation hands over: asked for anew, from the beginning, whenever the transaction has to begin again. */
export interface Activation {
  definitions(): AsyncIterable<readonly DefinitionRecord[]>;
  settings(): AsyncIterable<readonly ActivatedRows['setting'][]>;
  due(): AsyncIterable<readonly ActivatedRows['due'][]>;
}

/** The store that everything goes to. All methods may throw `StoreUnavailable`; then the same call may be made again. */
export interface PromotionTarget {
  /** Reads what stands against it; changes nothing. */
  look(): Promise<TargetState>;
  /**
   * Marks the target as being filled by this promotion. Answers the mark in force, and changes nothing when the target belongs
   * to another promotion under way, was activated by this one, or is occupied; the same again is fine.
   */
  begin(id: string): Promise<TargetState>;
  /** Those records that the target holds otherwise: same id, or same name and version, and anything else different. */
  conflicts(records: readonly DefinitionRecord[]): Promise<readonly DefinitionRecord[]>;
  /** Writes rows, not yet due; rows that are there already stay as they are. */
  write<K extends CopiedKind>(kind: K, rows: readonly CopiedRows[K][]): Promise<void>;
  /** The next page of what the target holds of a kind, from the beginning without `after`. */
  read<K extends CopiedKind>(kind: K, after?: string): Promise<RowPage<CopiedRows[K]>>;
  /**
   * In one transaction: stores definitions and settings (those of the source win), makes executions due when they were due at
   * the source, so that each keeps its place, and marks the promotion as done. The same again does nothing.
   *
   * @throws Error with a sentence when the target is not, or not any more, being filled by this promotion.
   */
  activate(id: string, activation: Activation): Promise<void>;
  /**
   * Removes what this promotion has copied and frees the target. Answers the mark afterwards: `done` means that it was
   * activated and nothing was removed.
   */
  takeBack(id: string): Promise<TargetMark>;
}
