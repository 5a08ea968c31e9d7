import type { AuditEntry, AuditFilter } from '../../src/ports/audit.ts';
import type { Page, PageRequest } from '../../src/ports/records.ts';
import { lengthOf } from '../../src/store/pages.ts';
import { byId, pageOf } from './page.ts';

/** The audit log of the store in memory. */
export class AuditLog {
  readonly #entries = new Map<string, AuditEntry>();

  /** Appends an entry unless it is undefined or already recorded. */
  append(entry: AuditEntry | undefined): void {
    if (entry !== undefined && !this.#entries.has(entry.id)) this.#entries.set(entry.id, { ...entry });
  }

  /** Returns a page, newest first by default. Throws BadCursor. */
  list(filter: AuditFilter, page: PageRequest): Page<AuditEntry> {
    const rows = [...this.#entries.values()]
      .filter((x) => filter.actor === undefined || filter.actor === x.actor)
      .filter((x) => filter.action === undefined || filter.action === x.action)
      .filter((x) => filter.target === undefined || filter.target === x.target)
      .sort(byId);
    return pageOf(rows, page, {
      kind: 'audit',
      order: 'desc',
      keyOf: ({ id }) => [id],
      lengthOf: ({ actor, target, address, details }) => lengthOf(actor, target, address, details),
      show: (x) => ({ ...x }),
    });
  }
}
