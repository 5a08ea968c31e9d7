/**
 * The database file: opening it for this process alone, and what its errors mean.
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StoreUnavailable } from '../../ports/store.ts';

/** Marks the file as ours (`Tram`). */
const applicationId = 0x5472616d;

/** Where the store of a data directory is. */
export function databaseFile(dataDir: string): string {
  return join(dataDir, 'trama.db');
}

/** The `errcode` of an error of SQLite, its extension cut off; undefined for any other error. */
function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

const busy = 5;

/** Result codes that concern the file, its disk or this process, not the row being written. */
const troubles: Readonly<Record<number, StoreUnavailable['kind']>> = {
  3: 'unreachable', // permission denied
  [busy]: 'unreachable',
  6: 'unreachable', // locked
  7: 'unreachable', // out of memory
  8: 'read_only',
  10: 'unreachable', // I/O error
  11: 'unreachable', // malformed file
  13: 'full',
  14: 'unreachable', // cannot open
  26: 'unreachable', // not a database
};

/** What makes the store unavailable, by an error; undefined when the request itself cannot be stored (a data error). */
export function troubleOf(error: unknown): StoreUnavailable['kind'] | undefined {
  const code = primaryCode(error);
  return code === undefined ? undefined : troubles[code];
}

function sentenceFor(error: unknown, dataDir: string): string {
  const code = primaryCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === busy) return `The data directory ${dataDir} is in use by another Trama process.`;
  if (code === 8) return `The data directory ${dataDir} is read-only.`;
  if (code === 13) return `The disk of the data directory ${dataDir} is full.`;
  if (code === 26) return `${databaseFile(dataDir)} is not a Trama database.`;
  return `The data directory ${dataDir} cannot be used: ${message}.`;
}

/**
 * Opens the file for this process alone, on disk at every commit; creates directory (mode 0700) and file (0600) where
 * absent.
 *
 * @throws Error with a sentence for people.
 */
export function openFile(dataDir: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    makeFolder(dataDir);
    const file = databaseFile(dataDir);
    // Only the owner may read payloads and the callback key, also in a directory that was there before. The log beside the file
    // takes its mode.
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    db = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: false });
    // The locking mode first: set before WAL, the lock is taken for good and there is no shared-memory file.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    db.exec('PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY');
    adopt(db, dataDir);
    return db;
  } catch (error) {
    if (db?.isOpen === true) db.close();
    throw error instanceof ForeignFile ? error : new Error(sentenceFor(error, dataDir), { cause: error });
  }
}

/** Makes a folder and those above it. `mkdir` of Node with `recursive` tries for ever where a file system takes no folders, as `/proc`. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  const above = dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

class ForeignFile extends Error {}

/** Takes the write lock, so that a second process is refused now and not at its first write, and marks a new file. */
function adopt(db: DatabaseSync, dataDir: string): void {
  db.exec('BEGIN EXCLUSIVE');
  const mark = (db.prepare('PRAGMA application_id').get() as { application_id: number }).application_id;
  if (mark !== applicationId) {
    const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
    if (mark !== 0 || tables > 0) {
      db.exec('ROLLBACK');
      throw new ForeignFile(`${databaseFile(dataDir)} is not a Trama database.`);
    }
    db.exec(`PRAGMA application_id = ${applicationId}`);
  }
  db.exec('COMMIT');
}
