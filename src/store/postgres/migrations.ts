import type { Connections } from './connection/connections.ts';
import type { Session } from './connection/session.ts';
import { checkMayCreate } from './connection/fitness.ts';
import { initialSchema } from './migrations/0001-initial.ts';
import { auditSchema } from './migrations/0002-audit.ts';
import { foldedCallsSchema } from './migrations/0003-folded-calls.ts';
import { orderedListsSchema } from './migrations/0004-ordered-lists.ts';
import { callbackKeysSchema } from './migrations/0005-callback-keys.ts';
import { processesSchema } from './migrations/0006-processes.ts';
import { listedOutputsSchema } from './migrations/0007-listed-outputs.ts';
import { pendingHooksSchema } from './migrations/0008-pending-hooks.ts';
import { leanHistorySchema } from './migrations/0009-lean-history.ts';
import { familiesSchema } from './migrations/0010-families.ts';

interface Migration {
  /** Number of the migration; defines the order. */
  readonly version: number;
  readonly title: string;
  /** The oldest program that can run on the resulting schema, by the schema version that it knows. */
  readonly neededVersion: number;
  readonly sql: string;
}

const migrations: readonly Migration[] = [
  { version: 1, title: 'initial schema', neededVersion: 1, sql: initialSchema },
  { version: 2, title: 'audit log', neededVersion: 1, sql: auditSchema },
  { version: 3, title: 'calls in the rows of their steps', neededVersion: 1, sql: foldedCallsSchema },
  { version: 4, title: 'ordered lists', neededVersion: 1, sql: orderedListsSchema },
  { version: 5, title: 'callback keys', neededVersion: 1, sql: callbackKeysSchema },
  { version: 6, title: 'processes', neededVersion: 1, sql: processesSchema },
  // A program without this migration would read rows without their outputs.
  { version: 7, title: 'listed outputs', neededVersion: 7, sql: listedOutputsSchema },
  // A program without this migration would take over executions with an undelivered hook and lose the hook.
  { version: 8, title: 'pending hooks', neededVersion: 8, sql: pendingHooksSchema },
  // A program without this migration cannot read the rows.
  { version: 9, title: 'lean history', neededVersion: 9, sql: leanHistorySchema },
  // A program without this migration would remove executions before their roots, and end them without telling their parents.
  { version: 10, title: 'families', neededVersion: 10, sql: familiesSchema },
];

/** The schema version that this program writes. */
const schemaVersion = migrations.at(-1)?.version ?? 0;

/** The oldest schema that can be migrated. No release wrote an older one, and its history has another form. */
const oldestVersion = 9;

/** Key of the advisory lock that a migration holds; distinct from the other keys. */
const lockKey = 0x5472_616d;

const createSql = `
CREATE TABLE IF NOT EXISTS migration (
  version integer PRIMARY KEY,
  title text NOT NULL,
  needed_version integer NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

const existsSql = `SELECT to_regclass('migration') IS NOT NULL AS "exists"`;

const stateSql = `
SELECT coalesce(max(version), 0) AS version, coalesce(max(needed_version), 0) AS "neededVersion" FROM migration`;

interface SchemaState {
  readonly version: number;
  readonly neededVersion: number;
}

async function stateOf(session: Session): Promise<SchemaState> {
  const [found] = await session.query<{ exists: boolean }>({ text: existsSql });
  if (found?.exists !== true) return { version: 0, neededVersion: 0 };
  const [state] = await session.query<SchemaState>({ text: stateSql });
  return state ?? { version: 0, neededVersion: 0 };
}

/** A schema that this program cannot run on; the message is for users. */
class UnfitSchema extends Error {}

function refuseUnfit({ version, neededVersion }: SchemaState): void {
  if (version > 0 && version < oldestVersion) {
    throw new UnfitSchema(
      `The Postgres database has schema ${version} of a version of Trama that was never released. Its history cannot be ` +
        'read any more. Use another database.',
    );
  }
  if (neededVersion <= schemaVersion) return;
  throw new UnfitSchema(
    `The Postgres database has schema ${version} of a newer version of Trama, on which this one cannot run (it knows ` +
      `${schemaVersion}, at least ${neededVersion} is needed). Start that version or a newer one.`,
  );
}

function pendingOf({ version }: SchemaState): readonly Migration[] {
  return migrations.filter((migration) => migration.version > version);
}

/** Throws with a sentence when the schema is too old or too new for this program. */
async function check(session: Session): Promise<void> {
  const state = await stateOf(session);
  refuseUnfit(state);
  if (pendingOf(state).length === 0) return;
  throw new UnfitSchema(
    `Migrations of the Postgres database are pending: it has schema ${state.version}, this program needs ` +
      `${schemaVersion}. Run \`trama migrate\`.`,
  );
}

/** Migrates the schema to the current version in one transaction. */
async function apply(session: Session): Promise<void> {
  // Another process may be migrating for a while; statement_timeout bounds the wait.
  await session.query({ text: 'SET LOCAL lock_timeout = 0' });
  await session.query({ text: `SELECT pg_advisory_xact_lock(${lockKey})` });
  const state = await stateOf(session);
  refuseUnfit(state);
  const pending = pendingOf(state);
  if (pending.length === 0) return;
  await checkMayCreate(session);
  await session.query({ text: createSql });
  for (const { version, title, neededVersion, sql } of pending) {
    await session.query({ text: sql });
    await session.query({
      text: 'INSERT INTO migration (version, title, needed_version) VALUES ($1, $2, $3)',
      values: [version, title, neededVersion],
    });
  }
}

/**
 * Checks that this program can run on the schema; migrates an older one if `allowed`. Migrations are forward-only, numbered
 * from 1 and recorded in the table `migration`. A program can run on a newer schema if every later migration permits it:
 * migrations within a minor version only add. Processes that start at the same time wait for each other.
 *
 * @throws Error with a sentence for users when the schema is unsuitable; StoreUnavailable.
 */
export function migrate(connections: Connections, allowed: boolean): Promise<void> {
  return allowed ? connections.transaction('long', apply) : connections.transaction('long', check);
}

/**
 * Names the migrations that {@link migrate} would run. Changes nothing.
 *
 * @throws Error with a sentence when the schema is too new; StoreUnavailable.
 */
export async function pendingMigrations(connections: Connections): Promise<readonly string[]> {
  const state = await connections.transaction('long', stateOf);
  refuseUnfit(state);
  return pendingOf(state).map(({ version, title }) => `${String(version).padStart(4, '0')} ${title}`);
}
