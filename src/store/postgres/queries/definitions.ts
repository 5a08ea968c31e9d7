import type { AuditEntry } from '../../../ports/audit.ts';
import type { DefinitionRecord, PutDefinitionResult } from '../../../ports/store.ts';
import { type NameValues, type PageAnswer, type PageValues, takePage } from '../../pages.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import { nameIsLike } from '../name-globs.ts';
import { decodeText, encodeJsonText, encodeText } from '../columns/text-column.ts';
import { auditStatement } from './audit.ts';
import { pageWithin, sizeOf, withinBytes } from './within-bytes.ts';

const columns = 'id, name, version, hash, definition, created_at AS "createdAt", updated_at AS "updatedAt"';

const byIdSql = `SELECT ${columns} FROM definition WHERE id = $1`;

const byVersionSql = `SELECT ${columns} FROM definition WHERE name = $1 AND version = $2`;

const latestSql = `SELECT ${columns} FROM definition WHERE name = $1 ORDER BY created_at DESC, id DESC LIMIT 1`;

const insertSql = `
INSERT INTO definition (id, name, version, hash, definition, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING RETURNING 1`;

const deleteSql = 'DELETE FROM definition WHERE id = $1 RETURNING 1';

const names = 'id, name, version, hash, definition, "createdAt", "updatedAt"';

const pageSql = (order: 'asc' | 'desc'): string =>
  withinBytes(
    `
  SELECT ${columns} FROM definition
  WHERE (created_at, id) ${order === 'asc' ? '>' : '<'} ($1, $2) AND ($5::text[] IS NULL OR name LIKE ANY ($5::text[]))
  ORDER BY created_at ${order}, id ${order} LIMIT $3 OFFSET $4`,
    { columns: names, size: sizeOf('definition'), order: `"createdAt" ${order}, id ${order}`, bytes: '$6' },
  );

const bodySql = `
(SELECT definition FROM definition_body WHERE hash = $1 LIMIT 1)
UNION ALL (SELECT definition FROM definition WHERE hash = $1 LIMIT 1)
LIMIT 1`;

function decode(row: DefinitionRecord): DefinitionRecord {
  const { id, name, version, hash, definition, createdAt, updatedAt } = row;
  const texts = { id: decodeText(id), name: decodeText(name), version: decodeText(version), hash: decodeText(hash) };
  return { ...texts, definition, createdAt, updatedAt };
}

/** Limits the attempts when a conflicting record is removed before it can be read. */
const maxRounds = 5;

/** Stores a record unless a record with its id, or its name and version, exists. */
export async function putDefinition(
  connections: Connections,
  record: DefinitionRecord,
  audit?: AuditEntry,
): Promise<PutDefinitionResult> {
  const { id, name, version, hash, definition, createdAt, updatedAt } = record;
  const texts = [id, name, version, hash].map((text) => encodeText(text));
  const values = [...texts, encodeJsonText(definition), createdAt, updatedAt];
  for (let round = 1; ; round++) {
    const inserted = await connections.transaction('short', async (session) => {
      const rows = await session.query({ text: insertSql, values });
      if (rows.length > 0 && audit !== undefined) await session.query(auditStatement(audit));
      return rows.length > 0;
    });
    if (inserted) return { kind: 'stored', record };
    const sameId = await getDefinition(connections, { id });
    const found = sameId ?? (await getDefinition(connections, { name, version }));
    // Also finds the record of an earlier put whose reply was lost.
    if (found !== undefined && found.hash === hash) return { kind: 'identical', record: found };
    if (found !== undefined || round === maxRounds) {
      return { kind: 'conflict', by: sameId === undefined ? 'name_version' : 'id' };
    }
  }
}

/** Reads a record by id, by name and version, or the most recently created of a name. */
export async function getDefinition(
  connections: Connections,
  key: { readonly id: string } | { readonly name: string; readonly version: string },
): Promise<DefinitionRecord | undefined> {
  // Every run reads its definition. Named statements are planned once per connection.
  let statement: Statement;
  if ('id' in key) statement = { name: 'definition-by-id', text: byIdSql, values: [encodeText(key.id)] };
  else if (key.version === 'latest') {
    statement = { name: 'definition-latest', text: latestSql, values: [encodeText(key.name)] };
  } else {
    const values = [encodeText(key.name), encodeText(key.version)];
    statement = { name: 'definition-by-version', text: byVersionSql, values };
  }
  const [row] = await connections.query<DefinitionRecord>('short', statement);
  return row && decode(row);
}

/** Lists a page of records by creation. */
export async function listDefinitions(
  connections: Connections,
  page: PageValues,
  after: { readonly createdAt: number; readonly id: string } | undefined,
  nameGlobs: readonly string[] | undefined,
): Promise<PageAnswer<DefinitionRecord>> {
  const start = page.order === 'asc' ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
  const rows = await connections.query<DefinitionRecord & { readonly found: number }>('long', {
    text: pageSql(page.order),
    values: [
      after?.createdAt ?? start,
      encodeText(after?.id ?? ''),
      page.limit + 1,
      page.offset,
      nameGlobs === undefined ? null : nameIsLike(nameGlobs),
      page.bytes,
    ],
  });
  const { rows: shown, more } = pageWithin(rows, page.limit);
  return { rows: shown.map((row) => decode(row)), more };
}

const namesSql = (order: 'asc' | 'desc'): string => `
SELECT n.name, n.versions, l.id, l.version, l.created_at AS "createdAt" FROM (
  SELECT name, count(*)::int AS versions FROM definition
  WHERE ($1::text IS NULL OR name ${order === 'asc' ? '>' : '<'} $1) AND ($2::text[] IS NULL OR name LIKE ANY ($2::text[]))
  GROUP BY name ORDER BY name ${order} LIMIT $3 OFFSET $4
) n
CROSS JOIN LATERAL (
  SELECT id, version, created_at FROM definition WHERE name = n.name ORDER BY created_at DESC, id DESC LIMIT 1
) l
ORDER BY n.name ${order}`;

/** Lists a page of names. */
export async function listDefinitionNames(
  connections: Connections,
  page: PageValues,
  after: string | undefined,
  nameGlobs: readonly string[] | undefined,
): Promise<PageAnswer<NameValues>> {
  const rows = await connections.query<NameValues>('long', {
    text: namesSql(page.order),
    values: [
      after === undefined ? null : encodeText(after),
      nameGlobs === undefined ? null : nameIsLike(nameGlobs),
      page.limit + 1,
      page.offset,
    ],
  });
  const decoded = rows.map(({ name, versions, id, version, createdAt }) => ({
    name: decodeText(name),
    versions,
    id: decodeText(id),
    version: decodeText(version),
    createdAt,
  }));
  return takePage(decoded, page, ({ name }) => name.length);
}

/** Removes a record if it exists. */
export async function deleteDefinition(connections: Connections, id: string, audit?: AuditEntry): Promise<void> {
  await connections.transaction('short', async (session) => {
    const gone = await session.query({ text: deleteSql, values: [encodeText(id)] });
    if (gone.length > 0 && audit !== undefined) await session.query(auditStatement(audit));
  });
}

/** Reads a definition by the hash of its content, from the pinned bodies or the records. */
export async function getDefinitionBody(connections: Connections, hash: string): Promise<string | undefined> {
  const values = [encodeText(hash)];
  const rows = await connections.query<{ definition: string }>('short', { text: bodySql, values });
  return rows[0]?.definition;
}
