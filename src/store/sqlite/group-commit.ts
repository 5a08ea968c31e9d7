import type { StatementSync } from 'node:sqlite';
import { troubleOf } from './database.ts';
import { prepareOperations, writing } from './operations.ts';
import type { Answer, OperationName, Operations, Request } from './protocol.ts';
import type { Session } from './session.ts';

/**
 * Runs requests in groups: all waiting requests share one transaction, and so one wait for the disk.
 *
 * If a request fails, the transaction is rolled back and each request runs again in a transaction of its own, row by row, so
 * that only rows that cannot be stored fail. No answer leaves before its transaction is on disk.
 */
export class GroupCommit {
  readonly #session: Session;
  readonly #operations: Operations;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;

  constructor(session: Session) {
    this.#session = session;
    this.#operations = prepareOperations(session);
    this.#begin = session.db.prepare('BEGIN IMMEDIATE');
    this.#commit = session.db.prepare('COMMIT');
  }

  /** Answers in the order of the requests. Never throws. */
  run(requests: readonly Request[]): readonly Answer[] {
    if (!requests.some(([, operation]) => writing.has(operation))) return requests.map((one) => this.#read(one));
    try {
      return this.#transaction(() => requests.map((one) => this.#perform(one)));
    } catch {
      // Separate transactions show which request failed.
      return requests.map((one) => this.#alone(one));
    }
  }

  #transaction<T>(run: () => T): T {
    const { db } = this.#session;
    this.#begin.run();
    try {
      const result = run();
      this.#commit.run();
      return result;
    } catch (error) {
      this.#session.rolledBack();
      // A full disk rolls back by itself.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #alone(request: Request): Answer {
    if (!writing.has(request[1])) return this.#read(request);
    try {
      return this.#session.isolated(() => this.#transaction(() => this.#perform(request)));
    } catch (error) {
      return refusal(request, error);
    }
  }

  #read(request: Request): Answer {
    try {
      return this.#perform(request);
    } catch (error) {
      return refusal(request, error);
    }
  }

  #perform([number, operation, ...args]: Request): Answer {
    const perform = this.#operations[operation] as (
      ...args: readonly unknown[]
    ) => ReturnType<Operations[OperationName]>;
    return [number, true, perform(...args)];
  }
}

function refusal([number]: Request, error: unknown): Answer {
  const message = error instanceof Error ? error.message : String(error);
  return [number, false, troubleOf(error) ?? 'rejected', message];
}
