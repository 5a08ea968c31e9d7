import type { AuditEntry, AuditFilter } from '../../../ports/audit.ts';
import type { AuditValues, PageAnswer, PageValues } from '../../pages.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { decodeText, encodeJsonText, encodeText } from '../columns/text-column.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

const insertSql = `
INSERT INTO audit (id, at, actor, action, target, address, outcome, request_id, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING`;

const columns = 'id, at, actor, action, target, address, outcome, request_id AS "requestId", details';

const names = 'id, at, actor, action, target, address, outcome, "requestId", details';

const fields = ['target', 'actor', 'action'] as const;

/** The statement that appends an entry, also within other transactions; does nothing when an entry with its id exists. */
export function auditStatement(x: AuditEntry): Statement {
  const { id, at, actor, action, target, address, outcome, requestId, details } = x;
  const texts = [actor, action, target, address, outcome, requestId].map((text) => encodeText(text));
  return {
    text: insertSql,
    values: [encodeText(id), at, ...texts, details === undefined ? null : encodeJsonText(details)],
  };
}

/** Appends an entry in its own transaction. */
export async function appendAudit(connections: Connections, entry: AuditEntry): Promise<void> {
  await connections.query('short', auditStatement(entry));
}

/** Lists a page of entries by id. */
export async function listAudit(
  connections: Connections,
  filter: AuditFilter,
  page: PageValues,
  after: string | undefined,
): Promise<PageAnswer<AuditValues>> {
  const values: (string | number)[] = [];
  const place = (value: string | number): string => `$${values.push(value)}`;
  const conditions = fields.flatMap((field) => {
    const value = filter[field];
    return value === undefined ? [] : [`${field} = ${place(encodeText(value))}`];
  });
  if (after !== undefined) conditions.push(`id ${page.order === 'asc' ? '>' : '<'} ${place(encodeText(after))}`);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const source = `
  SELECT ${columns} FROM audit${where} ORDER BY id ${page.order} LIMIT ${place(page.limit + 1)} OFFSET ${place(page.offset)}`;
  const size = sizeOf('actor', 'target', 'address', 'details');
  const rows = await connections.query<AuditValues & { readonly found: number }>('long', {
    text: withinBytes(source, { columns: names, size, order: `id ${page.order}`, bytes: place(page.bytes) }),
    values,
  });
  const { rows: shown, more } = pageWithin(rows, page.limit);
  return { rows: shown.map((row) => decode(row)), more };
}

function decode(row: AuditValues): AuditValues {
  const { id, at, actor, action, target, address, outcome, requestId, details } = row;
  return {
    id,
    at,
    details,
    actor: decodeText(actor),
    action: decodeText(action),
    target: decodeText(target),
    address: decodeText(address),
    outcome: decodeText(outcome),
    requestId: decodeText(requestId),
  };
}
