/**
 * The thread that owns the database: opens it, takes everything that waits, answers, closes it.
 *
 * While a transaction waits for the disk, requests gather in the port; the next one takes them all.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openFile } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { migrate } from './migrations.ts';
import type { FromWorker, Request, ToWorker, WorkerData } from './protocol.ts';
import { Session } from './session.ts';

/** Requests in one transaction; bounds how long the first waits for the last. */
const maxGroup = 256;

const port = parentPort;
if (port === null) throw new Error('This module runs in a worker thread only.');
const post = (message: FromWorker): void => port.postMessage(message);
const { dataDir, migrate: mayMigrate, maxPages } = workerData as WorkerData;

function open(): Session | undefined {
  try {
    const db = openFile(dataDir);
    try {
      migrate(db, dataDir, mayMigrate);
      if (maxPages !== null) db.exec(`PRAGMA max_page_count = ${maxPages}`);
      return new Session(db);
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    post({ refused: error instanceof Error ? error.message : String(error) });
    port?.close();
    return undefined;
  }
}

const session = open();
if (session !== undefined) {
  const { db } = session;
  const groups = new GroupCommit(session);
  port.on('message', (first: ToWorker) => {
    let next: ToWorker | undefined = first;
    while (next !== undefined) {
      const group: Request[] = [];
      for (; next !== undefined && next !== 'close' && group.length < maxGroup; next = receive()) group.push(next);
      if (group.length > 0) post(groups.run(group));
      if (next === 'close') {
        db.close();
        post('closed');
        port.close();
        return;
      }
    }
  });
  post('open');
}

function receive(): ToWorker | undefined {
  return port === null ? undefined : (receiveMessageOnPort(port)?.message as ToWorker | undefined);
}
