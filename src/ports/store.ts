import type { AuditStore } from './audit.ts';
import type { ProcessStore } from './processes.ts';
import type { DefinitionStore } from './store/definitions.ts';
import type { ExecutionStore } from './store/executions.ts';
import type { HistoryStore } from './store/history.ts';
import type { SettingStore } from './store/settings.ts';
import type { UpkeepStore } from './store/upkeep.ts';

export type { DefinitionName, DefinitionRecord, PutDefinitionResult } from './store/definitions.ts';
export { BadCursor, StoreContended, StoreUnavailable, type StoreFault } from './store/errors.ts';
export type {
  Checkpoint,
  CheckpointResult,
  ClaimRow,
  InboxEvent,
  InboxRow,
  LoadedExecution,
  NewExecution,
  Offer,
  OfferResult,
  SubmitResult,
  Tell,
  TerminalChange,
  TerminalChangeResult,
  TerminatedChildren,
} from './store/executions.ts';
export { maxTerminatedTogether } from './store/executions.ts';
export type { ChildCounts, EffectFilter, EffectRow, ExecutionFilter, UndoFilter } from './store/history.ts';
export { maxCountedChildren, maxStandingRequests } from './store/history.ts';
export type { ActiveCounts } from './store/upkeep.ts';

/**
 * The store: the truth about definitions, executions and their history. One contract suite tests every adapter. Every method
 * may throw `StoreUnavailable`; then it is unknown whether the call has written, unless the method states otherwise, and the
 * caller may repeat the same call.
 */
export interface Store
  extends DefinitionStore, ExecutionStore, HistoryStore, SettingStore, AuditStore, ProcessStore, UpkeepStore {
  /** Opens the store and migrates it if configured. Throws an error with a sentence for users (locked, newer schema). */
  open(): Promise<void>;
  /** Finishes operations in progress and closes; a second call does nothing. */
  close(): Promise<void>;
  /** All connections to the server, the idle ones, and statements that wait for one; absent without a server. */
  readonly connectionCounts?: { readonly open: number; readonly idle: number; readonly waiting: number };
  /** One cheap round trip; returns the store's clock in ms since 1970. Rejects with `read_only` when the store refuses writes. */
  ping(): Promise<number>;
}
