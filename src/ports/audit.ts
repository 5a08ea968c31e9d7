/** The audit log: who changed what, when and from where. Entries are appended and never changed. */
import type { Page, PageRequest } from './records.ts';

/** One entry. */
export interface AuditEntry {
  /** UUIDv7: the log is in the order of these. Appending one that is there already does nothing. */
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
  /** JSON text: what else belongs to the change, such as a reason. */
  readonly details?: string;
}

/** Which entries; absent fields do not restrict. */
export interface AuditFilter {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
}

/** The audit log of a store. */
export interface AuditStore {
  /** Appends to the audit log; an entry whose id is there already is left as it is. */
  appendAudit(entry: AuditEntry): Promise<void>;
  /** Newest first by id. Throws {@link BadCursor}. */
  listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>>;
}
