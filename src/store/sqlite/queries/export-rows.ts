/**
 * Reads everything of a kind in pages, for a move to another store: in the order of writing or of the primary key, from a
 * key on, until the page is full. History of executions that were removed is left out.
 */
import { sourceMarkSetting, uncopiedAction, type RowCounts, type SourceRows } from '../../../ports/promotion.ts';
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

/** A page ends with the row that reaches one of these. */
const maxRows = 1000;
const maxBytes = 2 * 1024 * 1024;

interface Source {
  /** Its first columns are the key of the row, which is also what the parameters are compared with. */
  readonly sql: string;
  /** Before every key; as long as the key. */
  readonly start: readonly (string | number)[];
}

/** The columns after the key are those of `SourceRows`. */
const sources: Readonly<Record<keyof SourceRows, Source>> = {
  // A body has the name and version of the executions that are pinned to it.
  body: {
    sql: `
SELECT p.no, p.name, p.version, b.hash, p.name, p.version, b.definition
FROM (SELECT DISTINCT body AS no, name, version FROM execution) p JOIN definition_body b ON b.no = p.no
WHERE (p.no, p.name, p.version) > (?, ?, ?) ORDER BY p.no, p.name, p.version`,
    start: [0, '', ''],
  },
  execution: {
    sql: `
SELECT e.no, e.id, b.hash, e.name, e.version, e.slot, e.created_at, r.updated_at, e.started_at, e.completed_at, r.seq,
  r.inbox_seq, r.claims, e.round, e.standing, e.status, r.change, e.reason, e.failed_node_id, e.failure_description,
  e.callback_warning, e.callback_keys, i.traceparent, e.labels, e.parent, e.root, e.link,
  r.state, i.payload
FROM execution e
JOIN run r ON r.execution = e.no
JOIN input i ON i.execution = e.no
JOIN definition_body b ON b.no = e.body
WHERE e.no > ? ORDER BY e.no`,
    start: [0],
  },
  step: {
    sql: `
SELECT s.no, e.id, s.ord, s.round, s.node_id, s.visit, s.scope, s.readable, s.marked, s.effect, s.undo, s.undo_rank,
  s.undo_sort, s.call_id, s.row, s.shown, s.call, s.output
FROM step s JOIN execution e ON e.no = s.execution
WHERE s.no > ? ORDER BY s.no`,
    start: [0],
  },
  call: {
    sql: 'SELECT c.no, e.id, c.ord, c.row FROM call c JOIN execution e ON e.no = c.execution WHERE c.no > ? ORDER BY c.no',
    start: [0],
  },
  // Here positions count the events of all executions, elsewhere those of each.
  event: {
    sql: `
SELECT i.position, e.id, i.id,
  (SELECT count(*) FROM inbox j WHERE j.execution = i.execution AND j.position <= i.position),
  i.at, i.nonce, i.body_hash, i.pending, i.event
FROM inbox i JOIN execution e ON e.no = i.execution
WHERE i.position > ? ORDER BY i.position`,
    start: [0],
  },
  startKey: {
    sql: `
SELECT caller, key, caller, key, execution_id, created_at, fingerprint, orphan FROM start_key
WHERE (caller, key) > (?, ?) ORDER BY caller, key`,
    start: ['', ''],
  },
  audit: {
    sql: `
SELECT id, id, at, actor, action, target, address, outcome, request_id, details FROM audit
WHERE id > ? AND action <> '${uncopiedAction}' ORDER BY id`,
    start: [''],
  },
  definition: {
    sql: `
SELECT created_at, id, id, name, version, hash, definition, created_at, updated_at FROM definition
WHERE (created_at, id) > (?, ?) ORDER BY created_at, id`,
    start: [Number.MIN_SAFE_INTEGER, ''],
  },
  setting: {
    sql: `SELECT key, key, value FROM setting WHERE key > ? AND key <> '${sourceMarkSetting}' ORDER BY key`,
    start: [''],
  },
  due: {
    sql: 'SELECT no, id, due_at FROM execution WHERE no > ? AND due_at IS NOT NULL ORDER BY no',
    start: [0],
  },
};

type Value = string | number | null;

function bytesOf(row: readonly Value[]): number {
  let bytes = 8 * row.length;
  for (const value of row) if (typeof value === 'string') bytes += value.length;
  return bytes;
}

/** Prepares the one that reads a page. */
export function exportRows(session: Session): Operations['exportRows'] {
  const { db } = session;
  return (kind, after) => {
    const { sql, start } = sources[kind];
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    const rows: Value[][] = [];
    let bytes = 0;
    const from = after === undefined ? start : (JSON.parse(after) as Value[]);
    for (const found of statement.iterate(...from) as Iterable<unknown> as Iterable<Value[]>) {
      const row = found.slice(start.length);
      rows.push(row);
      bytes += bytesOf(row);
      if (rows.length >= maxRows || bytes >= maxBytes)
        return { rows, next: JSON.stringify(found.slice(0, start.length)) };
    }
    return { rows };
  };
}

const countsSql = `
SELECT
  (SELECT count(*) FROM definition) AS definition,
  (SELECT count(*) FROM (SELECT DISTINCT body, name, version FROM execution)) AS body,
  (SELECT count(*) FROM execution) AS execution,
  (SELECT count(*) FROM step s JOIN execution e ON e.no = s.execution) AS step,
  (SELECT count(*) FROM call c JOIN execution e ON e.no = c.execution) AS call,
  (SELECT count(*) FROM inbox i JOIN execution e ON e.no = i.execution) AS event,
  (SELECT count(*) FROM start_key) AS startKey,
  (SELECT count(*) FROM audit WHERE action <> '${uncopiedAction}') AS audit`;

/** Prepares the one that counts everything. */
export function exportCounts(session: Session): Operations['exportCounts'] {
  const rows = session.one<RowCounts['rows']>(countsSql);
  const statuses = session.all<{ status: string; count: number }>(
    'SELECT status, count(*) AS count FROM execution GROUP BY status',
  );
  const range = session.one<{ lowest: string | null; highest: string | null }>(
    'SELECT min(id) AS lowest, max(id) AS highest FROM execution',
  );
  return () => {
    const { lowest = null, highest = null } = range() ?? {};
    return {
      rows: { ...(rows() as RowCounts['rows']) },
      statuses: Object.fromEntries(statuses().map(({ status, count }) => [status, count])),
      ...(lowest === null || highest === null ? {} : { idRange: [lowest, highest] as const }),
    };
  };
}
