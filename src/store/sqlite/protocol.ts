/**
 * The messages between the store and its worker thread.
 *
 * The frequent messages are arrays of strings and numbers in the order of the columns: they cross threads for less than
 * objects do, and the worker binds them as they are. States, rows and events cross as JSON text, which is also how they
 * are stored, so that the digits of numbers survive and each is written as text once.
 */
import type { AuditEntry } from '../../ports/audit.ts';
import type { UndoMark } from '../../core/history.ts';
import type { ShardSet } from '../../core/value/slot.ts';
import type { RowCounts, RowPage, SourceRows } from '../../ports/promotion.ts';
import type {
  DefinitionRecord,
  OfferResult,
  PutDefinitionResult,
  StoreUnavailable,
  SubmitResult,
  TerminalChangeResult,
  TerminatedChildren,
} from '../../ports/store.ts';
import type { DueRow } from '../../ports/records.ts';
import type { Revision } from '../../ports/store/revision.ts';
import type { TakeOverBounds } from '../../ports/store-bounds.ts';
import type { DueCursor, StoredRows } from '../encoded-store.ts';
import type { FamilyValues, ToldText } from '../row-text.ts';
import type { CallValues, InboxValues, LoadedValues, StepValues, SummaryValues } from '../stored-rows.ts';

/** See `Tell`. */
export type TellValues = readonly [executionId: string, id: string, at: number, event: ToldText];

/** See `NewExecution`. */
export interface SubmitValues {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly mustBeStored: boolean;
  readonly labels: string | null;
  readonly labelPairs: readonly (readonly [key: string, value: string])[];
  readonly createdAt: number;
  readonly dueAt: number | null;
  readonly summary: SummaryValues;
  readonly maybeStanding: boolean;
  readonly updatedAt: number;
  readonly claim: string | null;
  readonly state: string;
  readonly payload: string;
  readonly traceparent: string | null;
  readonly steps: readonly StepValues[];
  readonly startKey: readonly [caller: string, key: string, fingerprint: string] | null;
  /** Null for an execution that no other one started and that tells no other one anything: nearly all. */
  readonly member: MemberValues | null;
}

/** What an execution of a family has besides. */
export interface MemberValues {
  readonly place: FamilyValues;
  readonly parentClaim: string | null;
  readonly tells: readonly TellValues[];
}

/** What a checkpoint does to other executions. */
export interface ToldValues {
  readonly tells: readonly TellValues[];
  /** The id of the event with which the children end. */
  readonly terminatesChildren: string | null;
}

/** See `Checkpoint`. */
export type CheckpointValues = readonly [
  id: string,
  claim: string,
  seq: number,
  inboxSeq: number | null,
  state: string,
  updatedAt: number,
  summary: SummaryValues,
  maybeStanding: boolean,
  dueAt: number | null | undefined,
  claims: number | null,
  steps: readonly StepValues[],
  calls: readonly CallValues[],
  undo: readonly UndoMark[] | null,
  consumed: readonly string[] | null,
  told: ToldValues | null,
];

/** See `TerminalChange`. */
export interface ChangeValues {
  readonly id: string;
  readonly seq: number;
  readonly writeId: string;
  readonly state: string;
  readonly updatedAt: number;
  readonly summary: SummaryValues;
  readonly maybeStanding: boolean;
  readonly dueAt: number | null;
  readonly steps: readonly StepValues[];
  readonly calls: readonly CallValues[];
  readonly undo: readonly UndoMark[];
  readonly tells: readonly TellValues[];
  readonly ifRootOver: string | null;
  readonly audit: AuditEntry | undefined;
}

/** See `Offer`; `event` is JSON text. */
export interface OfferValues {
  readonly executionId: string;
  readonly id: string;
  readonly at: number;
  readonly event: string;
  readonly bodyHash: string | null;
  readonly expected: readonly Revision[] | undefined;
  readonly audit: AuditEntry | undefined;
}

/** See `CheckpointResult`. */
export type CheckpointAnswer =
  | { readonly kind: 'written'; readonly inboxSeq: number; readonly children?: TerminatedChildren }
  | { readonly kind: 'inbox'; readonly inboxSeq: number; readonly inbox: readonly InboxValues[] }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'invalid'; readonly message: string };

/** `bodies`: the definitions of these hashes are not stored; nothing was written, send the batch again with them. */
export type SubmitAnswer =
  | { readonly kind: 'done'; readonly results: readonly SubmitResult[] }
  | { readonly kind: 'bodies'; readonly missing: readonly string[] };

/** The methods of T without their promises: the thread answers at once. */
type Immediate<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : never;
};

/** What the worker thread does: each operation is a transaction, or part of one with others. */
export interface Operations extends Immediate<StoredRows> {
  ping(): void;
  putDefinition(record: DefinitionRecord, audit: AuditEntry | undefined): PutDefinitionResult;
  getDefinition(
    key: { readonly id: string } | { readonly name: string; readonly version: string },
  ): DefinitionRecord | undefined;
  deleteDefinition(id: string, audit: AuditEntry | undefined): void;
  getDefinitionBody(hash: string): string | undefined;
  submit(batch: readonly SubmitValues[], bodies: Readonly<Record<string, string>>): SubmitAnswer;
  takeOver(
    claims: readonly { readonly id: string; readonly claim: string }[],
    now: number,
    live: readonly string[],
    bounds: TakeOverBounds,
  ): readonly LoadedValues[];
  checkpoint(batch: readonly CheckpointValues[]): readonly CheckpointAnswer[];
  /** `after` is empty for the first children. */
  terminateChildren(id: string, eventId: string, now: number, after: string): TerminatedChildren;
  changeTerminal(change: ChangeValues): TerminalChangeResult;
  offer(offer: OfferValues, now: number): OfferResult;
  findDue(shards: ShardSet, until: number, limit: number, cursor: DueCursor | undefined): readonly DueRow[];
  appendAudit(entry: AuditEntry): void;
  getSetting(key: string): string | undefined;
  initSetting(key: string, value: string): string;
  changeSetting(key: string, from: string, to: string): boolean;
  exportCounts(): RowCounts;
  /** `definition` comes as an array in the order of the record's fields. */
  exportRows(kind: keyof SourceRows, after: string | undefined): RowPage<readonly (string | number | null)[]>;
}

/** Names of operations. */
export type OperationName = keyof Operations;

/** A request; the number comes back with its answer. */
export type Request = readonly [number: number, operation: OperationName, ...args: readonly unknown[]];

/** Why a request has no result. `rejected`: the request itself cannot be stored. */
export type TroubleKind = StoreUnavailable['kind'] | 'rejected';

/** An answer. */
export type Answer =
  | readonly [number: number, ok: true, result: unknown]
  | readonly [number: number, ok: false, trouble: TroubleKind, message: string];

/** To the worker. `close` finishes what came before. */
export type ToWorker = Request | 'close';

/** From the worker: `open` or `refused` once, first; then answers; `closed` last. */
export type FromWorker = 'open' | 'closed' | { readonly refused: string } | readonly Answer[];

/** What the thread is started with. */
export interface WorkerData {
  readonly dataDir: string;
  readonly migrate: boolean;
  /** Bounds the file, for tests of a full disk. */
  readonly maxPages: number | null;
}
