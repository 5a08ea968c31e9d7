import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { StoreUnavailable } from '../../../ports/store.ts';
import type { SteadyClient } from './client.ts';
import { isCollision, isDataError, unavailable } from './errors.ts';

/** A statement; a named one is prepared once per connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** A connection in use. */
export interface Session {
  /** Runs a statement and returns its rows. */
  query<T>(statement: Statement): Promise<T[]>;
}

/** Run-time parameters of a connection, by name. */
export type Settings = Readonly<Record<string, string>>;

/**
 * The first statement of a connection. Startup parameters would make it unnecessary, but poolers and proxies reject them
 * (PgBouncer documentation, `ignore_startup_parameters`).
 */
const beginSql = `
SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS readonly,
  count(set_config(name, value, false))
FROM unnest($1::text[], $2::text[]) AS settings (name, value)`;

/** A client of a pool. The pool creates instances of the class in its options. */
export type Pooled = PoolClient & SteadyClient & { generation?: number };

/** Whether a caller needs the SQLSTATE of the error. */
function keepsMeaning(error: unknown): boolean {
  return isCollision(error) || isDataError(error);
}

/** A pooled connection in use. Throws StoreUnavailable, collisions and data errors. */
export class PooledSession implements Session {
  readonly #client: Pooled;

  constructor(client: Pooled) {
    this.#client = client;
  }

  async query<T>({ name, text, values = [] }: Statement): Promise<T[]> {
    return (await this.#run<T & QueryResultRow>({ ...(name === undefined ? undefined : { name }), text, values })).rows;
  }

  /** Commits and checks the reply: Postgres replies to COMMIT of a failed transaction with ROLLBACK instead of an error. */
  async commit(): Promise<void> {
    const { command } = await this.#run({ text: 'COMMIT' });
    if (command !== 'COMMIT') throw new StoreUnavailable('unreachable', 'Postgres rolled a transaction back.');
  }

  async #run<T extends QueryResultRow>(statement: Statement): Promise<QueryResult<T>> {
    try {
      return await this.#client.query<T>(statement as QueryConfig);
    } catch (error) {
      throw keepsMeaning(error) ? error : unavailable(this.#client.brokenBy ?? error);
    }
  }
}

/** Applies the settings of the lane to a new connection. Throws when `mustWrite` is set and the server is read-only. */
export async function begin(client: SteadyClient, settings: Settings, mustWrite: boolean): Promise<void> {
  const { rows } = await client.query<{ readonly: boolean }>(beginSql, [
    Object.keys(settings),
    Object.values(settings),
  ]);
  if (!mustWrite || rows[0]?.readonly === false) return;
  throw new StoreUnavailable('read_only', `Postgres at ${client.host}:${client.port} takes no writes.`);
}
