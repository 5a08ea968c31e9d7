import type { PartitionCare } from '../../ports/partitions.ts';
import { StoreContended, type StoreFault } from '../../ports/store.ts';
import type { Connections } from './connection/connections.ts';
import type { Session } from './connection/session.ts';
import { lowestIdAt } from './columns/execution-id.ts';
import { keepsFamily } from './columns/family.ts';
import { endedLate, promptMillis } from './columns/late-ends.ts';
import { isLookedUp } from './queries/looked-up.ts';

/** Partitioned tables and their partition keys; `execution` first, the order in which statements lock them. */
const tables = [
  { table: 'execution', key: 'id' },
  { table: 'label', key: 'execution' },
  { table: 'step', key: 'execution' },
  { table: 'call', key: 'execution' },
  { table: 'inbox', key: 'execution' },
] as const;

/** Storage parameters of tables, as in the migrations. */
const tableOptions: Readonly<Record<string, string>> = {
  execution: 'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05',
  step: 'toast_tuple_target = 4080',
};

const maxDefaultBytes = 32 * 1024 * 1024;

const lockMillis = 300;

/** Key of the advisory lock that a process holds while it creates or drops partitions. */
const lockKey = 0x5472_6170;

interface Month {
  /** `2026_05` */
  readonly name: string;
  /** Its first instant, and that of the next month. */
  readonly from: number;
  readonly to: number;
}

function monthOf(year: number, month: number): Month {
  const from = new Date(Date.UTC(year, month));
  const name = `${String(from.getUTCFullYear()).padStart(4, '0')}_${String(from.getUTCMonth() + 1).padStart(2, '0')}`;
  return { name, from: from.getTime(), to: Date.UTC(year, month + 1) };
}

function monthsFrom(now: number, ahead: number): readonly Month[] {
  const date = new Date(now);
  return Array.from({ length: ahead + 1 }, (_, i) => monthOf(date.getUTCFullYear(), date.getUTCMonth() + i));
}

const existingSql = `
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'execution'::regclass`;

async function existing(connections: Connections): Promise<readonly Month[]> {
  const rows = await connections.query<{ name: string }>('long', { text: existingSql });
  return rows.flatMap(({ name }) => {
    const match = /^execution_(\d{4})_(\d{2})$/.exec(name);
    return match === null ? [] : [monthOf(Number(match[1]), Number(match[2]) - 1)];
  });
}

/**
 * Takes the advisory lock for this transaction. False when another process has it, or has already created or dropped the
 * month.
 */
async function isAlone(session: Session, { name }: Month, isPresent: boolean): Promise<boolean> {
  const [lock] = await session.query<{ granted: boolean }>({
    text: `SELECT pg_try_advisory_xact_lock(${lockKey}) AS granted`,
  });
  if (lock?.granted !== true) return false;
  await session.query({ text: `SET LOCAL lock_timeout = ${lockMillis}` });
  const [month] = await session.query<{ present: boolean }>({
    text: `SELECT to_regclass('execution_${name}') IS NOT NULL AS present`,
  });
  return month?.present === isPresent;
}

const defaultBytesSql = `SELECT (${tables.map(({ table }) => `pg_total_relation_size('${table}_default')`).join(' + ')}) AS bytes`;

/** Creates a month's partitions; false when another process creates or has created them. */
async function create(session: Session, month: Month): Promise<boolean> {
  if (!(await isAlone(session, month, false))) return false;
  const { name, from, to } = month;
  const [low, high] = [lowestIdAt(from), lowestIdAt(to)];
  for (const { table } of tables) {
    const options = tableOptions[table];
    const clause = options === undefined ? '' : `WITH (${options})`;
    await session.query({ text: `CREATE TABLE ${table}_${name} (LIKE ${table} INCLUDING ALL) ${clause}` });
  }
  const defaults = tables.map(({ table }) => `${table}_default`).join(', ');
  await session.query({ text: `LOCK TABLE ${defaults} IN ACCESS EXCLUSIVE MODE` });
  for (const { table, key } of tables) {
    await session.query({
      text: `
WITH moved AS (DELETE FROM ${table}_default WHERE ${key} >= '${low}' AND ${key} < '${high}' RETURNING *)
INSERT INTO ${table}_${name} SELECT * FROM moved`,
    });
    await session.query({
      text: `ALTER TABLE ${table} ATTACH PARTITION ${table}_${name} FOR VALUES FROM ('${low}') TO ('${high}')`,
    });
  }
  return true;
}

/**
 * Whether a family keeps a month that has no member to keep, by index: a root outside of the month still exists, or a member outside
 * of it must be kept. The parameters from the number `range` on are the month's range of ids.
 */
const familyKeepsSql = (name: string, range: number): string => `
EXISTS (
  SELECT 1 FROM (
    SELECT root FROM execution_${name} e WHERE NOT ${keepsFamily('e')} AND root < $${range}
    UNION SELECT root FROM execution_${name} e WHERE NOT ${keepsFamily('e')} AND root >= $${range + 1}
  ) m CROSS JOIN LATERAL (
    SELECT 1 FROM execution r WHERE ${isLookedUp('r.id', 'm.root')} LIMIT 1
  ) r
) OR EXISTS (SELECT 1 FROM execution c WHERE c.root >= $${range} AND c.root < $${range + 1} AND ${keepsFamily('c')})`;

const keptSql = (name: string): string => `
SELECT EXISTS (
  SELECT 1 FROM execution_${name}
  WHERE (completed_at < $1 AND due_at IS NULL AND status <> 'CORRUPTED' AND standing < 2) IS NOT TRUE
) OR ${familyKeepsSql(name, 2)} AS kept`;

/**
 * The same check by index, for changes since the first one: a retry, a resolve, an imported execution. What ended late has an
 * index; what ended soon after its creation has an id from `$2` on if it ended at `$1` or later.
 */
const stillKeptSql = (name: string): string => `
SELECT EXISTS (SELECT 1 FROM execution_${name} WHERE due_at IS NOT NULL)
  OR EXISTS (SELECT 1 FROM execution_${name} WHERE status = 'CORRUPTED')
  OR EXISTS (SELECT 1 FROM execution_${name} WHERE standing = 2)
  OR EXISTS (
    SELECT 1 FROM execution_${name} e
    WHERE e.completed_at >= $1 AND ${endedLate}
  )
  OR EXISTS (SELECT 1 FROM execution_${name} WHERE id >= $2 AND completed_at >= $1)
  OR ${familyKeepsSql(name, 3)} AS kept`;

/** Drops a month's partitions; false when they contain executions to keep, or another process drops them. */
async function drop(session: Session, month: Month, completedBefore: number): Promise<boolean> {
  if (!(await isAlone(session, month, true))) return false;
  const { name, from, to } = month;
  const parents = tables.map(({ table }) => table).join(', ');
  await session.query({ text: `LOCK TABLE ONLY ${parents} IN ACCESS EXCLUSIVE MODE` });
  const [low, high] = [lowestIdAt(from), lowestIdAt(to)];
  const values = [completedBefore, lowestIdAt(completedBefore - promptMillis), low, high];
  const [row] = await session.query<{ kept: boolean }>({ text: stillKeptSql(name), values });
  if (row?.kept !== false) return false;
  await session.query({
    text: 'INSERT INTO dropped_range (low, high) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [low, high],
  });
  await session.query({ text: `DROP TABLE ${tables.map(({ table }) => `${table}_${name}`).join(', ')}` });
  return true;
}

/** Numbers of months changed and postponed. */
export interface Progress {
  readonly done: number;
  readonly postponed: number;
}

/** Changes the months one by one; postpones those whose tables another session has locked. */
async function tend(months: readonly Month[], change: (month: Month) => Promise<boolean>): Promise<Progress> {
  let done = 0;
  let postponed = 0;
  for (const month of months) {
    try {
      if (await change(month)) done += 1;
    } catch (error) {
      if (!(error instanceof StoreContended)) throw error;
      postponed += 1;
    }
  }
  return { done, postponed };
}

/**
 * Creates the partitions of the current month and the next `lookaheadMonths`.
 *
 * One transaction, by one process at a time, creates a month's partitions of all tables. It creates them detached and then
 * attaches them, which does not block writers; it locks only the default partitions, while it moves the month's rows out of
 * them. Their size bounds that lock: beyond {@link maxDefaultBytes} (no process created partitions for long), this function
 * reports a fault and creates none. Rows then stay in the default partitions until retention removes them.
 *
 * A transaction waits at most {@link lockMillis} for each lock, since later statements queue behind it, and otherwise postpones
 * the month.
 */
export async function createPartitions(
  connections: Connections,
  { now, lookaheadMonths }: Pick<PartitionCare, 'now' | 'lookaheadMonths'>,
  onFault: (fault: StoreFault) => void,
): Promise<Progress> {
  const present = new Set((await existing(connections)).map(({ name }) => name));
  const missing = monthsFrom(now, lookaheadMonths).filter(({ name }) => !present.has(name));
  if (missing.length === 0) return { done: 0, postponed: 0 };
  const [size] = await connections.query<{ bytes: number }>('long', { text: defaultBytesSql });
  if ((size?.bytes ?? 0) > maxDefaultBytes) {
    onFault({ message: 'The default partitions of Postgres are too large to make monthly ones beside them.' });
    return { done: 0, postponed: 0 };
  }
  return tend(missing, (month) => connections.transaction('long', (session) => create(session, month)));
}

/**
 * Drops the partitions of past months that contain no execution to keep. Dropping locks every table exclusively for a moment,
 * so a query without these locks checks first. Waits for locks as {@link createPartitions} does.
 */
export async function dropPartitions(
  connections: Connections,
  { completedBefore }: Pick<PartitionCare, 'completedBefore'>,
): Promise<Progress> {
  const past = (await existing(connections)).filter(({ to }) => to <= completedBefore);
  return tend(past, async (month) => {
    const [row] = await connections.query<{ kept: boolean }>('long', {
      text: keptSql(month.name),
      values: [completedBefore, lowestIdAt(month.from), lowestIdAt(month.to)],
    });
    if (row?.kept !== false) return false;
    return connections.transaction('long', (session) => drop(session, month, completedBefore));
  });
}
