/**
 * The schema's versions: forward-only, numbered from 1, recorded in the file's `user_version`.
 */
import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { databaseFile, openFile } from './database.ts';
import { initialSchema } from './migrations/0001-initial.ts';
import { auditSchema } from './migrations/0002-audit.ts';
import { callbackKeysSchema } from './migrations/0003-callback-keys.ts';
import { listedOutputsSchema } from './migrations/0004-listed-outputs.ts';
import { pendingHooksSchema } from './migrations/0005-pending-hooks.ts';
import { leanHistorySchema } from './migrations/0006-lean-history.ts';
import { familiesSchema } from './migrations/0007-families.ts';

interface Migration {
  /** Also its order: the file's version after it. */
  readonly version: number;
  readonly title: string;
  readonly sql: string;
}

const migrations: readonly Migration[] = [
  { version: 1, title: 'initial schema', sql: initialSchema },
  { version: 2, title: 'audit log', sql: auditSchema },
  { version: 3, title: 'callback keys', sql: callbackKeysSchema },
  { version: 4, title: 'listed outputs', sql: listedOutputsSchema },
  { version: 5, title: 'pending hooks', sql: pendingHooksSchema },
  { version: 6, title: 'lean history', sql: leanHistorySchema },
  { version: 7, title: 'families', sql: familiesSchema },
];

/** The schema version that this program writes. */
export const schemaVersion: number = migrations.at(-1)?.version ?? 0;

function versionOf(db: DatabaseSync): number {
  return (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

function pendingOf(version: number): readonly Migration[] {
  return migrations.filter((migration) => migration.version > version);
}

/** The oldest schema that can be migrated. No release wrote an older one, and its history has another form. */
const oldestVersion = 6;

/** Throws with a sentence when the file was written by a newer program, or by one that was never released. */
function refuseUnfit(version: number, dataDir: string): void {
  if (version > 0 && version < oldestVersion) {
    throw new Error(
      `The data directory ${dataDir} has schema ${version} of a version of Trama that was never released. Its history cannot ` +
        'be read any more. Use another directory.',
    );
  }
  if (version <= schemaVersion) return;
  throw new Error(
    `The data directory ${dataDir} was written by a newer version of Trama (schema ${version}; this one knows ` +
      `${schemaVersion}). Start that version or a newer one on it.`,
  );
}

/**
 * Brings an open file to {@link schemaVersion}, each step in a transaction of its own; does nothing when it is there.
 *
 * @throws Error with a sentence when the file is newer, or older while `allowed` is false.
 */
export function migrate(db: DatabaseSync, dataDir: string, allowed: boolean): void {
  const version = versionOf(db);
  refuseUnfit(version, dataDir);
  const pending = pendingOf(version);
  if (pending.length > 0 && !allowed) {
    throw new Error(
      `The data directory ${dataDir} has schema ${version}; this program needs ${schemaVersion}. Run \`trama migrate\`.`,
    );
  }
  for (const migration of pending) {
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(migration.sql);
      db.exec(`PRAGMA user_version = ${migration.version}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

/**
 * Names the migrations that opening this data directory would run; all of them when there is no store yet. Changes
 * nothing.
 *
 * @throws Error with a sentence when the directory is in use, newer, or holds something else.
 */
export function pendingMigrations(dataDir: string): readonly string[] {
  let version = 0;
  if (existsSync(databaseFile(dataDir))) {
    const db = openFile(dataDir);
    try {
      version = versionOf(db);
    } finally {
      db.close();
    }
  }
  refuseUnfit(version, dataDir);
  return pendingOf(version).map((migration) => `${String(migration.version).padStart(4, '0')} ${migration.title}`);
}
