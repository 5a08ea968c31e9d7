import type { DefinitionRecord } from './store.ts';

/** The setting of a source that records the progress of its promotion; see `app/promotion/source-mark.ts`. Never copied. */
export const sourceMarkSetting = 'promotion.out';

/** The setting of a target that holds its {@link TargetMark} as JSON. */
export const targetMarkSetting = 'promotion.in';

/**
 * Rows that are copied before the activation, by kind, in the order of copying. They are store-neutral: a promotion reads them
 * in pages from the source and writes them in batches to a target of another kind.
 *
 * A row is an array of texts, numbers and nulls in the order given here. JSON text (states, payloads, history, events,
 * definitions) is copied as text, which preserves the digits of numbers. Instants are milliseconds since 1970.
 */
export interface CopiedRows {
  /** Definition texts that executions are pinned to. */
  readonly body: readonly [hash: string, name: string, version: string, definition: string];
  /** Excludes the due time, which the activation writes, and the claim, which is void in another store. */
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
    /** 0: no effect stands; 1: some stand; 2: some are unknown and unresolved. */
    standing: number,
    status: string,
    /** Id of the latest change of the execution while it was terminal. */
    change: string | null,
    reason: string | null,
    failedNodeId: string | null,
    failureDescription: string | null,
    callbackWarning: string | null,
    callbackKeys: string | null,
    traceparent: string | null,
    labels: string | null,
    parent: string | null,
    root: string | null,
    /** The rest of the place in its family, as JSON text. */
    link: string | null,
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
    callId: number | null,
    row: string,
    shown: string | null,
    call: string | null,
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
  /** Excludes {@link uncopiedAction} entries, which each server start writes and which belong to the installation. */
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

/** All kinds in the order of copying: executions need the bodies that they are pinned to. */
export const copiedKinds: readonly CopiedKind[] = ['body', 'execution', 'step', 'call', 'event', 'startKey', 'audit'];

/** Rows that the activation itself writes. */
export interface ActivatedRows {
  readonly definition: DefinitionRecord;
  readonly setting: readonly [key: string, value: string];
  /** When a worker must process a non-terminal execution. */
  readonly due: readonly [id: string, dueAt: number];
}

/** All rows of a source, by kind. */
export type SourceRows = CopiedRows & ActivatedRows;

/** A page, bounded in rows and bytes. `next` is the position after it; absent on the last page. */
export interface RowPage<T> {
  readonly rows: readonly T[];
  readonly next?: string;
}

/** The row counts of a source. */
export interface RowCounts {
  readonly rows: Readonly<Record<CopiedKind | 'definition', number>>;
  /** Executions by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The lowest and the highest id of the executions; absent when there are none. */
  readonly idRange?: readonly [lowest: string, highest: string];
}

/** The store to copy from. No other process may use it during the promotion. */
export interface PromotionSource {
  /** Counts everything. */
  count(): Promise<RowCounts>;
  /** Reads the next page of a kind; the first page without `after`. */
  read<K extends keyof SourceRows>(kind: K, after?: string): Promise<RowPage<SourceRows[K]>>;
}

/** The progress of a promotion into a target; `none` when the target records no promotion. */
export interface TargetMark {
  readonly phase: 'none' | 'copying' | 'done' | 'taken-back';
  /** The promotion's id; empty where there is none. */
  readonly id: string;
}

/** The facts that can prevent a promotion into a target. */
export interface TargetState {
  readonly mark: TargetMark;
  /** Whether it holds executions or rows that belong to executions. */
  readonly isOccupied: boolean;
  /** Number of connections of other Trama processes. */
  readonly others: number;
}

/** Rows for the activation. The target calls these methods again, for all rows, whenever it restarts its transaction. */
export interface Activation {
  definitions(): AsyncIterable<readonly DefinitionRecord[]>;
  settings(): AsyncIterable<readonly ActivatedRows['setting'][]>;
  due(): AsyncIterable<readonly ActivatedRows['due'][]>;
}

/** The store to copy to. All methods may throw `StoreUnavailable`; then the caller may repeat the same call. */
export interface PromotionTarget {
  /** Reads the state of the target; changes nothing. */
  look(): Promise<TargetState>;
  /**
   * Marks the target as being filled by this promotion and returns the resulting state. Changes nothing when another promotion
   * is under way, this one was already activated, or the target is occupied. Idempotent.
   */
  begin(id: string): Promise<TargetState>;
  /** Returns the records that differ from a record in the target with the same id, or the same name and version. */
  conflicts(records: readonly DefinitionRecord[]): Promise<readonly DefinitionRecord[]>;
  /** Writes rows without due times; existing rows stay unchanged. */
  write<K extends CopiedKind>(kind: K, rows: readonly CopiedRows[K][]): Promise<void>;
  /** Reads the next page of a kind from the target; the first page without `after`. */
  read<K extends CopiedKind>(kind: K, after?: string): Promise<RowPage<CopiedRows[K]>>;
  /**
   * In one transaction: stores definitions and settings (the source wins), gives executions the due times of the source, so
   * that each keeps its place, and marks the promotion as done. Idempotent.
   *
   * @throws Error with a sentence when this promotion is not filling the target.
   */
  activate(id: string, activation: Activation): Promise<void>;
  /**
   * Removes the rows that this promotion copied and frees the target. Returns the resulting mark: `done` means that the
   * promotion was activated and nothing was removed.
   */
  takeBack(id: string): Promise<TargetMark>;
}
