import type { Page, PageRequest } from './records.ts';

/** One entry: who changed what, when and from where. */
export interface AuditEntry {
  /** UUIDv7; orders the log. */
  readonly id: string;
  /** In ms since 1970. */
  readonly at: number;
  /** Who: `key:<id>`, `jwt:<subject>`, `anonymous` without authentication, `system` for the process itself. */
  readonly actor: string;
  /** What, such as `execution.cancel`. */
  readonly action: string;
  /** Id of what was changed. */
  readonly target: string;
  /** From where: the address of the caller. */
  readonly address: string;
  /** `done`, or the error code with which the change was refused. */
  readonly outcome: string;
  readonly requestId: string;
  /** JSON text with further information, such as a reason. */
  readonly details?: string;
}

/** Filter of entries; absent fields do not restrict. */
export interface AuditFilter {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
}

/** The audit log of a store. Entries never change. */
export interface AuditStore {
  /** Appends an entry; does nothing when an entry with its id exists. */
  appendAudit(entry: AuditEntry): Promise<void>;
  /** Newest first by id. Throws {@link BadCursor}. */
  listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>>;
}
