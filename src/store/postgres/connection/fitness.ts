import { StoreUnavailable } from '../../../ports/store.ts';
import type { Connections } from './connections.ts';
import type { Session } from './session.ts';
import { sqlStateOf } from './errors.ts';

/** A database that cannot be used until an operator changes it or the configuration; the message is for users. */
class UnfitDatabase extends Error {}

const traitsSql = `
SELECT current_setting('server_encoding') AS encoding, current_schema() AS schema, current_user AS role,
  current_setting('search_path') AS "searchPath", current_database() AS database`;

interface Traits {
  readonly encoding: string;
  readonly schema: string | null;
  readonly role: string;
  readonly searchPath: string;
  readonly database: string;
}

/** @throws UnfitDatabase when the encoding is not UTF8 or there is no usable schema. */
async function checkTraits(session: Session): Promise<void> {
  const [traits] = await session.query<Traits>({ text: traitsSql });
  if (traits === undefined) return;
  const { encoding, schema, role, searchPath, database } = traits;
  if (encoding !== 'UTF8') {
    throw new UnfitDatabase(
      `The Postgres database "${database}" has the encoding ${encoding}, which cannot hold every text. Trama needs UTF8: ` +
        `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
    );
  }
  if (schema === null) {
    throw new UnfitDatabase(
      `The Postgres database "${database}" has no schema that the role "${role}" may use: search_path is ${searchPath}. Create the ` +
        `schema and GRANT USAGE, CREATE ON it TO "${role}", or name another one with the parameter "schema" of database.url.`,
    );
  }
}

const mayCreateSql = `
SELECT current_schema() AS schema, current_user AS role,
  has_schema_privilege(current_schema(), 'CREATE') AS "mayCreate"`;

/** @throws UnfitDatabase when this role may not create tables. */
export async function checkMayCreate(session: Session): Promise<void> {
  const [row] = await session.query<{ schema: string; role: string; mayCreate: boolean }>({ text: mayCreateSql });
  if (row === undefined || row.mayCreate) return;
  throw new UnfitDatabase(
    `The Postgres role "${row.role}" may not create tables in the schema "${row.schema}", which the migrations need. ` +
      `GRANT USAGE, CREATE ON SCHEMA "${row.schema}" TO "${row.role}", or run "trama migrate" as a role that may.`,
  );
}

const pidSql = 'SELECT pg_backend_pid() AS pid';

async function pidOf(session: Session): Promise<number | undefined> {
  const [row] = await session.query<{ pid: number }>({ text: pidSql });
  return row?.pid;
}

/**
 * Detects a pooler that may assign a different server process to each transaction, which breaks locks, notifications and
 * prepared statements. Two connections hold one process each and return them one after the other. If the pooler reuses the
 * process returned last, the first connection then gets the second one's process; if it reuses the one returned first, the
 * first connection gets another process at its second query. Without a pooler, or with session pooling, a connection keeps its
 * process.
 *
 * @throws UnfitDatabase when such a pooler is found.
 */
async function checkSessions(first: Session, second: Session): Promise<void> {
  await first.query({ text: 'BEGIN' });
  const pid = await pidOf(first);
  await second.query({ text: 'BEGIN' });
  await pidOf(second);
  await first.query({ text: 'COMMIT' });
  await second.query({ text: 'COMMIT' });
  const later = [await pidOf(first), await pidOf(first)];
  if (later.every((each) => each === pid)) return;
  throw new UnfitDatabase(partsSessions);
}

const partsSessions =
  'A pooler between Trama and Postgres gives each transaction another session (PgBouncer: pool_mode = transaction, or statement). ' +
  'Trama needs sessions, for locks, notifications and prepared statements: set pool_mode = session for this database, or let ' +
  'database.url lead to Postgres itself.';

const oldTableSql = `SELECT to_regclass('saga_execution') IS NOT NULL AS "exists"`;

const unfinishedSql = `
SELECT count(*)::int AS n FROM (
  SELECT 1 FROM saga_execution
  WHERE upper(status::text) NOT IN ('SUCCEEDED', 'COMPLETED', 'FAILED', 'CORRUPTED', 'CANCELLED', 'TERMINATED', 'COMPENSATED')
  LIMIT 1000
) AS unfinished`;

/** Returns a warning when an earlier generation of Trama has unfinished executions in the schema, which this one cannot run. */
export async function findUnfinishedOld(connections: Connections): Promise<string | undefined> {
  const [table] = await connections.query<{ exists: boolean }>('long', { text: oldTableSql });
  if (table?.exists !== true) return undefined;
  let count: string;
  try {
    const [row] = await connections.query<{ n: number }>('long', { text: unfinishedSql });
    if (row?.n === 0) return undefined;
    count = row?.n === 1000 ? 'at least 1000' : String(row?.n);
  } catch (error) {
    // The table has other columns, or this role may not read it, so the number is unknown.
    if (sqlStateOf((error as Error).cause)?.startsWith('42') !== true) throw error;
    count = 'perhaps';
  }
  return (
    `The database has the table saga_execution of existing Trama, with ${count} unfinished executions. This version does not go on ` +
    'with them: let existing Trama finish them, and give this version a database or a schema of its own.'
  );
}

/** Explanations of errors that persist until an operator changes something, by SQLSTATE. */
const refusals: Readonly<Record<string, string>> = {
  '28000': 'Postgres does not let this user in: look at database.user, TLS and pg_hba.conf',
  '28P01': 'Postgres does not accept the password of this user',
  '3D000': 'This Postgres server has no such database: create it, or correct database.url',
  '42501': 'The Postgres role lacks a privilege: grant it, or run "trama migrate" as the role that owns the tables',
};

/** Converts an error during startup: a persistent refusal is not an outage. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof StoreUnavailable) || !(error.cause instanceof Error)) return error;
  const { cause } = error;
  // PgBouncer uses one SQLSTATE for all its own errors, including temporary ones.
  if (cause.message.includes('statement pooling mode')) return new UnfitDatabase(partsSessions);
  const sentence = refusals[sqlStateOf(cause) ?? ''];
  // The message may contain an explanation of the connection, such as a configuration key.
  return sentence === undefined ? error : new UnfitDatabase(`${sentence}. ${error.message}`);
}

/**
 * Checks that Trama can use the server.
 *
 * @throws UnfitDatabase for a pooler without session pooling or an unsuitable database; StoreUnavailable.
 */
export async function examine(connections: Connections): Promise<void> {
  await connections.withTwo(async (first, second) => {
    await checkSessions(first, second);
    await checkTraits(first);
  });
}
