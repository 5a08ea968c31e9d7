/**
 * Executions by the million: copies of one that an engine has made, written by SQL past the engine, so that a million take
 * half a minute instead of ten.
 *
 * Everything of the original is copied (state, payload, steps, calls); an instant of the original (`original.mark`) is replaced by
 * each copy's own wherever it stands in texts. The embedded store is written while no server has it open.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { slotOf } from '../src/core/value/slot.ts';
import type { Backend } from './backends.ts';
import type { DataDirectory } from './processes.ts';
import { say } from './report.ts';

/** What is copied. */
export interface Original {
  readonly id: string;
  /** An instant, in ms since 1970, that its texts hold; copies hold theirs. */
  readonly mark: number;
}

/** What differs between copies. */
export interface Copy {
  readonly id: string;
  /** Stands where the original has its mark, and is when the copy is due, unless it is over. */
  readonly instant: number;
}

/** Copies written by one statement. */
const batch = 20_000;

/** An id made at `millis`, as the engine makes them (UUIDv7). */
export function idAt(millis: number): string {
  const time = Math.floor(millis).toString(16).padStart(12, '0');
  const random = randomBytes(10).toString('hex');
  const variant = '89ab'[Number.parseInt(random[4] ?? '0', 16) & 3] ?? '8';
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(1, 4)}-${variant}${random.slice(5, 8)}-${random.slice(8)}`;
}

/** Writes `count` copies; `copyOf` is asked for each by its number. */
export async function seed(
  where: { readonly backend: Backend; readonly directory: DataDirectory },
  original: Original,
  count: number,
  copyOf: (n: number) => Copy,
): Promise<void> {
  const began = performance.now();
  const write = where.backend.name === 'embedded' ? intoSqlite(where.directory) : intoPostgres(where.backend);
  for (let from = 0; from < count; from += batch) {
    const length = Math.min(batch, count - from);
    await write.copy(
      original,
      Array.from({ length }, (_, i) => copyOf(from + i)),
    );
  }
  await write.end();
  say(`${String(count)} executions written by SQL in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
}

interface Writer {
  copy(original: Original, copies: readonly Copy[]): Promise<void>;
  end(): Promise<void>;
}

const copied = (text: string): string => `replace(${text}, c.mark, c.instant::text)`;

const executionSql = `
INSERT INTO execution (id, created_at, slot, body, started_at, due_at, completed_at, updated_at, seq, inbox_seq, claims,
  round, standing, status, reason, failed_node_id, failure_description, callback_warning, state, traceparent, labels, payload)
SELECT c.id, created_at, c.slot, body, started_at, CASE WHEN due_at IS NULL THEN NULL ELSE c.instant END, completed_at,
  updated_at, seq, inbox_seq, claims, round, standing, status, reason, failed_node_id, failure_description,
  callback_warning, ${copied('state')}, traceparent, labels, ${copied('payload')}
FROM execution o, (SELECT *, $5::text AS mark FROM unnest($2::uuid[], $3::int[], $4::bigint[]) AS u (id, slot, instant)) c
WHERE o.id = $1`;

const stepSql = `
INSERT INTO step (execution, ord, round, visit, undo_sort, undo_rank, readable, marked, node_id, scope, effect, undo, call_id, "row", call)
SELECT c.id, ord, round, visit, undo_sort, undo_rank, readable, marked, node_id, scope, effect, undo, call_id, "row", call
FROM step o, unnest($2::uuid[]) AS c (id) WHERE o.execution = $1`;

const callSql = `
INSERT INTO call (execution, ord, "row")
SELECT c.id, ord, "row" FROM call o, unnest($2::uuid[]) AS c (id) WHERE o.execution = $1`;

function intoPostgres(backend: Backend): Writer {
  return {
    async copy({ id, mark }, copies) {
      const ids = copies.map((copy) => copy.id);
      const slots = ids.map((each) => slotOf(each));
      const instants = copies.map(({ instant }) => instant);
      await backend.query(executionSql, [id, ids, slots, instants, String(mark)]);
      await backend.query(stepSql, [id, ids]);
      await backend.query(callSql, [id, ids]);
    },
    async end() {
      await backend.query('VACUUM ANALYZE');
      await backend.query('CHECKPOINT');
    },
  };
}

const embeddedSql = [
  `INSERT INTO execution (no, id, slot, name, version, body, labels, created_at, due_at, status, standing, round, started_at,
    completed_at, reason, failed_node_id, failure_description, callback_warning)
  SELECT c.no, c.id, c.slot, name, version, body, labels, created_at, CASE WHEN due_at IS NULL THEN NULL ELSE c.instant END,
    status, standing, round, started_at, completed_at, reason, failed_node_id, failure_description, callback_warning
  FROM copy c, execution o WHERE o.id = :id`,
  `INSERT INTO run (execution, seq, inbox_seq, claims, updated_at, state)
  SELECT c.no, seq, inbox_seq, claims, updated_at, replace(state, :mark, c.instant)
  FROM copy c, run o WHERE o.execution = (SELECT no FROM execution WHERE id = :id)`,
  `INSERT INTO input (execution, payload, traceparent)
  SELECT c.no, replace(payload, :mark, c.instant), traceparent
  FROM copy c, input o WHERE o.execution = (SELECT no FROM execution WHERE id = :id)`,
  `INSERT INTO step (execution, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, call_id, row)
  SELECT c.no, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, call_id, row
  FROM copy c, step o WHERE o.execution = (SELECT no FROM execution WHERE id = :id)`,
  `INSERT INTO call (execution, ord, row)
  SELECT c.no, ord, row FROM copy c, call o WHERE o.execution = (SELECT no FROM execution WHERE id = :id)`,
];

/** The embedded store's file, opened past the engine: no other process may have it open. */
export function openFile(directory: DataDirectory): DatabaseSync {
  return new DatabaseSync(join(directory.path, 'data', 'trama.db'));
}

function intoSqlite(directory: DataDirectory): Writer {
  const file = openFile(directory);
  file.exec('PRAGMA cache_size = -200000');
  file.exec('CREATE TEMP TABLE copy (no INTEGER PRIMARY KEY, id TEXT, slot INTEGER, instant TEXT)');
  const insert = file.prepare('INSERT INTO copy VALUES (?, ?, ?, ?)');
  const highest = file.prepare('SELECT max(no) AS no FROM execution');
  const statements = embeddedSql.map((sql) => {
    const statement = file.prepare(sql);
    statement.setAllowUnknownNamedParameters(true);
    return statement;
  });
  return {
    copy({ id, mark }, copies) {
      file.exec('BEGIN');
      file.exec('DELETE FROM copy');
      let no = Number(highest.get()?.['no'] ?? 0);
      for (const copy of copies) insert.run(++no, copy.id, slotOf(copy.id), String(copy.instant));
      for (const statement of statements) statement.run({ id, mark: String(mark) });
      file.exec('COMMIT');
      return Promise.resolve();
    },
    end() {
      file.exec('ANALYZE');
      file.close();
      return Promise.resolve();
    },
  };
}
