/**
 * A month of history by SQL, past the engine: executions of forty definitions in all statuses, with labels, steps and calls.
 *
 * What is common and what is rare is chosen so that every filter, and every pair of filters, has a case in which few of many
 * fit: definition 0 has half of all executions and none that is CORRUPTED; the rare region has a hundred executions; the
 * last hour has as many as any other.
 */
import type { DatabaseSync } from 'node:sqlite';
import { slotOf } from '../src/core/value/slot.ts';
import type { Backend } from './backends.ts';
import { openFile } from './seeding.ts';
import { say } from './report.ts';
import type { DataDirectory } from './processes.ts';

/** Steps of an execution, and as many calls. */
const stepsEach = 4;
export const rowsEach: number = 2 * stepsEach;

export const monthMillis: number = 30 * 86_400_000;

/** Executions written by one statement. */
const batch = 50_000;

/** What is written of execution number `n`, as SQL that both dialects understand. `n` runs from 0. */
const body = 'CASE WHEN n % 2 = 0 THEN 0 ELSE (n / 2) % 39 + 1 END';
const status = `CASE WHEN n % 2000 = 1 THEN 'CORRUPTED' WHEN n % 100 < 4 THEN 'FAILED' WHEN n % 100 = 5 THEN 'CANCELLED'
  WHEN n % 1000 = 7 THEN 'TERMINATED' WHEN n % 100 = 9 THEN 'SLEEPING' ELSE 'SUCCEEDED' END`;

/** What all of them are pinned to; JSON without a quote that SQL would have to escape. */
const definition = JSON.stringify({
  name: 'saga',
  version: '1',
  entrypoint: 'node-1',
  nodes: [
    ...Array.from({ length: stepsEach }, (_, i) => ({
      kind: 'task',
      id: `node-${String(i + 1)}`,
      action: { mode: 'sync', request: { url: 'http://127.0.0.1:9000/orders', verb: 'POST' } },
      next: i + 1 < stepsEach ? `node-${String(i + 2)}` : 'rest',
    })),
    { kind: 'sleep', id: 'rest', duration: 'P1D' },
  ],
});

interface Span {
  readonly count: number;
  readonly now: number;
}

const createdAt = ({ count, now }: Span): string =>
  `${String(now - monthMillis)} + CAST(n AS bigint) * ${String(monthMillis)} / ${String(count)}`;

const step = (ord: string, at: string): string =>
  `'{"at":' || ${at} || ',"begun":' || ${at} || ',"index":' || ${ord} || ',"output":{"response":{"status":200,' ||
   '"headers":{"content-type":"application/json"},"body":{"ok":true,"reference":"c0ffee00-1234","amount":1299}}}}'`;

const call = (ord: string, at: string): string =>
  `'{"id":' || ${ord} || ',"node":"node-' || ${ord} || '","index":' || ${ord} || ',"outcome":"succeeded","status":200,"begun":' || ${at} ||
   ',"at":' || ${at} || ',"key":"key","url":"http://127.0.0.1:9000/orders","allHeaders":{"content-type":"application/json"},"body":"{}",' ||
   '"response":{"headers":{"content-type":"application/json"},"body":"{\\"ok\\":true,\\"amount\\":1299}"},"ms":20}'`;

const state = (at: string): string =>
  `CASE ${status} WHEN 'SLEEPING' THEN '{"format":1,"round":1,"ord":8,"calls":4,"lastToken":1,"now":' || ${at} || ',"startedAt":' || ${at} ||
   ',"tokens":[{"id":1,"scope":"","nodeId":"rest","stage":{"kind":"sleeping","since":' || ${at} || ',"until":4000000000000}}],"visits":{"node-1":1},' ||
   '"totalVisits":4,"troubles":0,"hookVisits":{}}'
   ELSE '{"format":1,"round":1,"ord":8,"calls":4,"lastToken":1,"now":' || ${at} || ',"startedAt":' || ${at} ||
   ',"tokens":[],"visits":{"node-1":1},"totalVisits":4,"troubles":0,"hookVisits":{},"end":{"status":"' || ${status} || '"}}' END`;

/** Values of the columns of an execution that both schemas have. */
function columns(at: string): Readonly<Record<string, string>> {
  return {
    created_at: at,
    started_at: at,
    due_at: `CASE WHEN ${status} = 'SLEEPING' THEN 4000000000000 END`,
    completed_at: `CASE WHEN ${status} <> 'SLEEPING' THEN ${at} + 2000 + n % 1000 END`,
    round: '1',
    standing: `CASE WHEN ${status} = 'CORRUPTED' THEN 2 WHEN n % 100 = 2 THEN 1 ELSE 0 END`,
    status,
    reason: `CASE WHEN ${status} IN ('FAILED', 'CORRUPTED') THEN CASE WHEN n % 100 = 3 THEN 'timeout' ELSE 'status_4xx' END
      WHEN ${status} = 'CANCELLED' THEN 'cancelled' END`,
    failed_node_id: `CASE WHEN ${status} IN ('FAILED', 'CORRUPTED') THEN 'node-' || (n % 4 + 1) END`,
    labels: `'{"region":"' || ${region} || '","customer":"c-' || (n % 100000) || '"}'`,
  };
}

/** A hundred executions in the rare region, the oldest ones. */
const region = "CASE WHEN n < 100 THEN 'rare' WHEN n % 4 = 0 THEN 'eu' ELSE 'us' END";

/** Labels of an execution as rows. */
const labelRows = [
  ['region', region],
  ['customer', "'c-' || (n % 100000)"],
] as const;

/** Writes `count` executions whose history ends at `now`; of one of the definitions that `bodies` numbers. */
export async function seedHistory(
  where: { readonly backend: Backend; readonly directory: DataDirectory },
  count: number,
  now: number,
): Promise<void> {
  const began = performance.now();
  const span = { count, now };
  if (where.backend.name === 'embedded') seedSqlite(openFile(where.directory), span);
  else await seedPostgres(where.backend, span);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  say(`${String(count)} executions with ${String(count * rowsEach)} rows of history written by SQL in ${seconds} s.`);
}

const bodyName = "'saga-' || CAST(n AS text)";

async function seedPostgres(backend: Backend, span: Span): Promise<void> {
  const { count } = span;
  await backend.query(`INSERT INTO definition_body (hash, name, version, definition)
    SELECT 'hash-' || n, ${bodyName}, '1', '${definition}' FROM generate_series(0, 39) n`);
  const [low] = await backend.query("SELECT min(no) AS no FROM definition_body WHERE hash LIKE 'hash-%'");
  const values = columns('made');
  await backend.query('CREATE TABLE bench_history (n int, made bigint, id uuid)');
  const idSql = `(lpad(to_hex(made), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid`;
  // The hash of an id is the engine's own affair; lists do not look at slots.
  const slotSql = 'n % 16384';
  for (let from = 0; from < count; from += batch) {
    const to = Math.min(count, from + batch) - 1;
    await backend.query('TRUNCATE bench_history');
    await backend.query(`INSERT INTO bench_history SELECT n, made, ${idSql} FROM
      (SELECT n, ${createdAt(span)} AS made FROM generate_series(${String(from)}, ${String(to)}) n) x`);
    await backend.query(`INSERT INTO execution (id, slot, body, updated_at, seq, inbox_seq, claims, state, payload,
        ${Object.keys(values).join(', ')})
      SELECT id, ${slotSql}, ${String(low?.['no'])} + ${body}, made, 8, 0, 0, ${state('made')}, '{"order":"o-1"}',
        ${Object.values(values).join(', ')} FROM bench_history`);
    for (const [key, value] of labelRows) {
      await backend.query(`INSERT INTO label SELECT '${key}', ${value}, id FROM bench_history`);
    }
    await backend.query(`INSERT INTO step (execution, ord, round, visit, undo_sort, undo_rank, readable, marked, node_id, scope, effect, undo, "row")
      SELECT id, 2 * o - 1, 1, 1, o, 2, 1, 1, 'node-' || o, '', 'succeeded', NULL, ${step('(2 * o - 1)', 'made')}
      FROM bench_history, generate_series(1, ${String(stepsEach)}) o`);
    await backend.query(`INSERT INTO call (execution, ord, "row")
      SELECT id, 2 * o, ${call('(2 * o)', 'made')} FROM bench_history, generate_series(1, ${String(stepsEach)}) o`);
    if (from % (10 * batch) === 0) say(`History: ${String(from)} of ${String(count)}.`);
  }
  await backend.query('DROP TABLE bench_history');
  await backend.query('VACUUM ANALYZE');
  await backend.query('CHECKPOINT');
}

function seedSqlite(file: DatabaseSync, span: Span): void {
  const { count } = span;
  file.function('slot_of', (id) => slotOf(String(id)));
  file.exec('PRAGMA cache_size = -400000');
  file.exec(`INSERT INTO definition_body (hash, definition)
    WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 39) SELECT 'hash-' || n, '${definition}' FROM s`);
  const low = Number(file.prepare("SELECT min(no) AS no FROM definition_body WHERE hash LIKE 'hash-%'").get()?.['no']);
  const base = Number(file.prepare('SELECT coalesce(max(no), 0) AS no FROM execution').get()?.['no']) + 1;
  const values = columns('made');
  const time = "printf('%012x', made)";
  const idSql = `substr(${time}, 1, 8) || '-' || substr(${time}, 9) || '-7' || printf('%03x', n % 4096) || '-8' ||
    printf('%03x', (n * 7919) % 4096) || '-' || printf('%012x', n)`;
  file.exec('CREATE TEMP TABLE part (n INTEGER PRIMARY KEY, made INTEGER, id TEXT)');
  for (let from = 0; from < count; from += batch) {
    const to = Math.min(count, from + batch) - 1;
    file.exec('BEGIN');
    file.exec('DELETE FROM part');
    file.exec(`INSERT INTO part SELECT n, made, ${idSql} FROM (
      WITH RECURSIVE s (n) AS (SELECT ${String(from)} UNION ALL SELECT n + 1 FROM s WHERE n < ${String(to)})
      SELECT n, ${createdAt(span)} AS made FROM s)`);
    file.exec(`INSERT INTO execution (no, id, slot, name, version, body, ${Object.keys(values).join(', ')})
      SELECT ${String(base)} + n, id, slot_of(id), 'saga-' || (${body}), '1', ${String(low)} + ${body},
        ${Object.values(values).join(', ')} FROM part`);
    file.exec(`INSERT INTO run (execution, seq, inbox_seq, claims, updated_at, state)
      SELECT ${String(base)} + n, 8, 0, 0, made, ${state('made')} FROM part`);
    file.exec(`INSERT INTO input (execution, payload) SELECT ${String(base)} + n, '{"order":"o-1"}' FROM part`);
    for (const [key, value] of labelRows) file.exec(`INSERT INTO label SELECT '${key}', ${value}, id FROM part`);
    const ords = `(WITH RECURSIVE s (o) AS (SELECT 1 UNION ALL SELECT o + 1 FROM s WHERE o < ${String(stepsEach)}) SELECT o FROM s)`;
    file.exec(`INSERT INTO step (execution, ord, round, node_id, visit, scope, readable, marked, effect, undo, undo_rank, undo_sort, row)
      SELECT ${String(base)} + n, 2 * o - 1, 1, 'node-' || o, 1, '', 1, 1, 'succeeded', NULL, 2, o, ${step('(2 * o - 1)', 'made')}
      FROM part, ${ords}`);
    file.exec(`INSERT INTO call (execution, ord, row)
      SELECT ${String(base)} + n, 2 * o, ${call('(2 * o)', 'made')} FROM part, ${ords}`);
    file.exec('COMMIT');
    if (from % (10 * batch) === 0) say(`History: ${String(from)} of ${String(count)}.`);
  }
  file.exec('ANALYZE');
  file.close();
}
