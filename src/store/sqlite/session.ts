import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Invalid } from '../batch.ts';
import { troubleOf } from './database.ts';

/**
 * The connection that the worker's operations share. It isolates the error of one row from the rest of its batch.
 */
export class Session {
  readonly db: DatabaseSync;
  /** Whether rows of batches are written under a savepoint each: only after a whole batch has failed. */
  #isolated = false;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #undo: StatementSync;
  readonly #onRollback: (() => void)[] = [];

  constructor(db: DatabaseSync) {
    this.db = db;
    this.#savepoint = db.prepare('SAVEPOINT one_row');
    this.#release = db.prepare('RELEASE one_row');
    this.#undo = db.prepare('ROLLBACK TO one_row');
  }

  /** Runs a piece of work whose rows are to be written one by one. */
  isolated<T>(run: () => T): T {
    this.#isolated = true;
    try {
      return run();
    } finally {
      this.#isolated = false;
    }
  }

  /** Writes one row of a batch. When isolated, a data error is its answer and it leaves nothing; else it is thrown. */
  row<T>(write: () => T): T | Invalid {
    if (!this.#isolated) return write();
    this.#savepoint.run();
    try {
      const result = write();
      this.#release.run();
      return result;
    } catch (error) {
      // A full disk may have ended the whole transaction already.
      if (troubleOf(error) !== undefined || !this.db.isTransaction) throw error;
      this.#undo.run();
      this.#release.run();
      this.rolledBack();
      return { kind: 'invalid', message: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Registers what must be forgotten when writes are undone. */
  onRollback(forget: () => void): void {
    this.#onRollback.push(forget);
  }

  /** Reports that writes were rolled back. */
  rolledBack(): void {
    for (const forget of this.#onRollback) forget();
  }

  /** A statement whose rows have the type T; columns must be named alike. */
  all<T>(sql: string): (...values: readonly (string | number | null)[]) => T[] {
    const statement = this.db.prepare(sql);
    return (...values) => statement.all(...values) as unknown as T[];
  }

  /** A statement whose rows are read as far as the caller iterates, one iteration at a time; see {@link Session.all}. */
  iterate<T>(sql: string): (...values: readonly (string | number | null)[]) => Iterable<T> {
    const statement = this.db.prepare(sql);
    return (...values) => statement.iterate(...values) as Iterable<unknown> as Iterable<T>;
  }

  /** A statement that gives at most one row; see {@link Session.all}. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- like `all`: the statement fixes the row's type
  one<T>(sql: string): (...values: readonly (string | number | null)[]) => T | undefined {
    const statement = this.db.prepare(sql);
    return (...values) => statement.get(...values) as unknown as T | undefined;
  }

  /** The same with the columns of the row as a list, which costs a good deal less to make than an object of many columns. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- like `all`: the statement fixes the row's type
  oneList<T extends readonly unknown[]>(
    sql: string,
  ): (...values: readonly (string | number | null)[]) => T | undefined {
    const statement = this.db.prepare(sql);
    statement.setReturnArrays(true);
    return (...values) => statement.get(...values) as unknown as T | undefined;
  }

  /** A statement without rows; answers how many rows it changed. */
  write(sql: string): (...values: readonly (string | number | null)[]) => number {
    const statement = this.db.prepare(sql);
    return (...values) => statement.run(...values).changes as number;
  }
}
