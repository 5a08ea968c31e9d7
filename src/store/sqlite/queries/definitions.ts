/**
 * Definitions as records: put, get, list, delete; and their bodies by content, as executions are pinned to them.
 */
import type { DefinitionRecord } from '../../../ports/store.ts';
import { copied, type NameValues, takePage } from '../../pages.ts';
import type { Operations } from '../protocol.ts';
import { globCondition } from '../name-globs.ts';
import type { Session } from '../session.ts';
import { auditWriter } from './audit.ts';

const columns = 'id, name, version, hash, definition, created_at AS createdAt, updated_at AS updatedAt';

const byIdSql = `SELECT ${columns} FROM definition WHERE id = ?`;

const byVersionSql = `SELECT ${columns} FROM definition WHERE name = ? AND version = ?`;

const latestSql = `SELECT ${columns} FROM definition WHERE name = ? ORDER BY created_at DESC, id DESC LIMIT 1`;

const insertSql = `
INSERT INTO definition (id, name, version, hash, definition, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`;

const deleteSql = 'DELETE FROM definition WHERE id = ?';

const pageSql = (order: 'asc' | 'desc', condition: string): string => `
SELECT ${columns} FROM definition WHERE (created_at, id) ${order === 'asc' ? '>' : '<'} (?, ?)${condition}
ORDER BY created_at ${order}, id ${order} LIMIT ? OFFSET ?`;

/** Statements of pages are kept by their text; there are as many as numbers of globs. */
const maxStatements = 16;

const bodySql = `
SELECT definition FROM definition_body WHERE hash = ?1
UNION ALL SELECT definition FROM definition WHERE hash = ?1
LIMIT 1`;

/** Prepares the one that stores a record unless its id or its name and version are taken. */
export function putDefinition(session: Session): Operations['putDefinition'] {
  const byId = session.one<DefinitionRecord>(byIdSql);
  const byVersion = session.one<DefinitionRecord>(byVersionSql);
  const insert = session.write(insertSql);
  const writeAudit = auditWriter(session);
  return (record, audit) => {
    const sameId = byId(record.id);
    const found = sameId ?? byVersion(record.name, record.version);
    if (found === undefined) {
      const { id, name, version, hash, definition, createdAt, updatedAt } = record;
      insert(id, name, version, hash, definition, createdAt, updatedAt);
      writeAudit(audit);
      return { kind: 'stored', record };
    }
    if (found.hash === record.hash) return { kind: 'identical', record: { ...found } };
    return { kind: 'conflict', by: sameId === undefined ? 'name_version' : 'id' };
  };
}

/** Prepares the one that reads a record by id, by name and version, or the most recently created of a name. */
export function getDefinition(session: Session): Operations['getDefinition'] {
  const byId = session.one<DefinitionRecord>(byIdSql);
  const byVersion = session.one<DefinitionRecord>(byVersionSql);
  const latest = session.one<DefinitionRecord>(latestSql);
  return (key) => {
    let row: DefinitionRecord | undefined;
    if ('id' in key) row = byId(key.id);
    else row = key.version === 'latest' ? latest(key.name) : byVersion(key.name, key.version);
    return row && { ...row };
  };
}

/** Prepares the page of records by creation. */
export function listDefinitions(session: Session): Operations['listDefinitions'] {
  const statements = new Map<string, (...values: readonly (string | number)[]) => Iterable<DefinitionRecord>>();
  const start = { asc: Number.MIN_SAFE_INTEGER, desc: Number.MAX_SAFE_INTEGER };
  return (page, after, nameGlobs) => {
    const createdAt = after?.createdAt ?? start[page.order];
    const names = globCondition('name', nameGlobs);
    const sql = pageSql(page.order, names === undefined ? '' : ` AND ${names.sql}`);
    if (statements.size >= maxStatements) statements.clear();
    const select = statements.get(sql) ?? session.iterate<DefinitionRecord>(sql);
    statements.set(sql, select);
    const rows = select(createdAt, after?.id ?? '', ...(names?.values ?? []), page.limit + 1, page.offset);
    return copied(takePage(rows, page, ({ definition }) => definition.length));
  };
}

const namesSql = (order: 'asc' | 'desc', condition: string): string => `
SELECT n.name, n.versions, l.id, l.version, l.created_at AS createdAt FROM (
  SELECT name, count(*) AS versions FROM definition ${condition && `WHERE ${condition}`}
  GROUP BY name ORDER BY name ${order} LIMIT ? OFFSET ?
) n
JOIN definition l ON l.id = (SELECT id FROM definition WHERE name = n.name ORDER BY created_at DESC, id DESC LIMIT 1)
ORDER BY n.name ${order}`;

/** Prepares the page of names. */
export function listDefinitionNames(session: Session): Operations['listDefinitionNames'] {
  const statements = new Map<string, (...values: readonly (string | number)[]) => Iterable<NameValues>>();
  return (page, after, nameGlobs) => {
    const names = globCondition('name', nameGlobs);
    const beyond = after === undefined ? [] : [`name ${page.order === 'asc' ? '>' : '<'} ?`];
    const sql = namesSql(page.order, [...beyond, ...(names === undefined ? [] : [names.sql])].join(' AND '));
    if (statements.size >= maxStatements) statements.clear();
    const select = statements.get(sql) ?? session.iterate<NameValues>(sql);
    statements.set(sql, select);
    const values = [...(after === undefined ? [] : [after]), ...(names?.values ?? [])];
    return copied(takePage(select(...values, page.limit + 1, page.offset), page, ({ name }) => name.length));
  };
}

/** Prepares the one that removes a record; absent is fine. */
export function deleteDefinition(session: Session): Operations['deleteDefinition'] {
  const remove = session.write(deleteSql);
  const writeAudit = auditWriter(session);
  return (id, audit) => {
    if (remove(id) > 0) writeAudit(audit);
  };
}

/** Prepares the one that reads a definition by content, as an execution or a record has it. */
export function getDefinitionBody(session: Session): Operations['getDefinitionBody'] {
  const select = session.one<{ definition: string }>(bodySql);
  return (hash) => select(hash)?.definition;
}
