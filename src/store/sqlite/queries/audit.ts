/** The audit log: appending an entry, and a page of entries by id. An entry that is there already is left as it is. */
import type { AuditEntry, AuditFilter } from '../../../ports/audit.ts';
import { type AuditValues, copied, lengthOf, takePage } from '../../pages.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const insertSql = `
INSERT INTO audit (id, at, actor, action, target, address, outcome, request_id, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING`;

const columns = 'id, at, actor, action, target, address, outcome, request_id AS requestId, details';

const fields = ['target', 'actor', 'action'] as const;

function pageSql(given: readonly (keyof AuditFilter)[], order: 'asc' | 'desc'): string {
  const conditions = [...given.map((field) => `${field} = ?`), `id ${order === 'asc' ? '>' : '<'} ?`];
  return `SELECT ${columns} FROM audit WHERE ${conditions.join(' AND ')} ORDER BY id ${order} LIMIT ? OFFSET ?`;
}

/** Prepares the one that appends, for operations that do it within their own transaction. */
export function auditWriter(session: Session): (entry: AuditEntry | undefined) => void {
  const insert = session.write(insertSql);
  return (x) => {
    if (x === undefined) return;
    const { id, at, actor, action, target, address, outcome, requestId, details } = x;
    insert(id, at, actor, action, target, address, outcome, requestId, details ?? null);
  };
}

/** Prepares the one that appends on its own. */
export function appendAudit(session: Session): Operations['appendAudit'] {
  return auditWriter(session);
}

/** Prepares the page of entries. */
export function listAudit(session: Session): Operations['listAudit'] {
  const statements = new Map<string, (...values: readonly (string | number)[]) => Iterable<AuditValues>>();
  return (filter, page, after) => {
    const given = fields.filter((field) => filter[field] !== undefined);
    const sql = pageSql(given, page.order);
    const select = statements.get(sql) ?? session.iterate<AuditValues>(sql);
    statements.set(sql, select);
    // Every id begins with a hexadecimal digit.
    const from = after ?? (page.order === 'asc' ? '' : 'g');
    const rows = select(...given.map((field) => filter[field] ?? ''), from, page.limit + 1, page.offset);
    return copied(takePage(rows, page, (row) => lengthOf(row.actor, row.target, row.address, row.details)));
  };
}
