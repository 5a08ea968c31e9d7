import { Client } from 'pg';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

/** WAL records of one kind. */
export interface RecordWork {
  /** As `Btree/INSERT_LEAF`. */
  readonly kind: string;
  readonly count: number;
  readonly bytes: number;
}

/** Executions of one statement. */
export interface StatementWork {
  readonly sql: string;
  readonly calls: number;
  readonly rows: number;
  readonly walBytes: number;
}

/** What Postgres and Redis did for a server. */
export interface BackendWork {
  readonly records: readonly RecordWork[];
  readonly statements: readonly StatementWork[];
  /** Commands of clients; commands that a script calls are not counted. */
  readonly redisCommands: number;
  readonly redisBytes: number;
}

/** Resource managers whose records come from Postgres itself: checkpoints, and the list of open transactions every 15 seconds. */
const foreign: ReadonlySet<string | undefined> = new Set(['XLOG', 'Standby']);

/** How many records of the kinds that match there are. */
export function countRecords({ records }: BackendWork, kinds: RegExp): number {
  return records.reduce((total, { kind, count }) => total + (kinds.test(kind) ? count : 0), 0);
}

/**
 * A Postgres and a Redis that count.
 *
 * The counts of Postgres come from its WAL, which is exact: the statistics views lag by seconds and do not count index entries. The server
 * writes no images of full pages and runs no autovacuum, because both depend on the time.
 */
export class CountedBackend {
  /** What a server is configured with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #postgres: PostgresServer;
  readonly #redis: RedisServer;
  readonly #admin: Client;
  #startedAt = '';

  private constructor(postgres: PostgresServer, redis: RedisServer, admin: Client) {
    this.#postgres = postgres;
    this.#redis = redis;
    this.#admin = admin;
    this.env = {
      DATABASE_URL: postgres.url('trama'),
      REDIS_URL: `redis://127.0.0.1:${String(redis.port)}`,
    };
  }

  /** Starts both. Needs the contrib modules of Postgres, which Debian's package includes. */
  static async start(): Promise<CountedBackend> {
    const postgres = await PostgresServer.create({
      shared_preload_libraries: 'pg_stat_statements',
      shared_buffers: '128MB',
      full_page_writes: 'off',
      autovacuum: 'off',
      checkpoint_timeout: '1h',
      max_wal_size: '4GB',
    });
    const redis = await RedisServer.start();
    const admin = new Client({ connectionString: postgres.url() });
    const servers = new CountedBackend(postgres, redis, admin);
    try {
      await admin.connect();
      for (const name of ['pg_walinspect', 'pg_stat_statements']) await admin.query(`CREATE EXTENSION ${name}`);
      await admin.query('CREATE DATABASE trama');
      return servers;
    } catch (error) {
      await servers.close();
      throw error;
    }
  }

  get postgresPort(): number {
    return this.#postgres.port;
  }

  async #query(sql: string, values: readonly string[] = []): Promise<Record<string, unknown>[]> {
    return (await this.#admin.query<Record<string, unknown>>(sql, [...values])).rows;
  }

  /** The end of the WAL on disk; pg_walinspect reads no further. */
  async #position(): Promise<string> {
    const [row] = await this.#query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    return String(row?.['lsn']);
  }

  /** Begins to count. A second call begins anew. */
  async begin(): Promise<void> {
    await this.#redis.admin.config('RESETSTAT');
    await this.#query('SELECT pg_stat_statements_reset()');
    this.#startedAt = await this.#position();
  }

  /** What was done since `begin`. */
  async end(): Promise<BackendWork> {
    const [commands, stats] = [await this.#redis.admin.info('commandstats'), await this.#redis.admin.info('stats')];
    const until = await this.#position();
    const records = await this.#query(
      `SELECT "resource_manager/record_type" AS kind, count, record_size AS bytes
       FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, true) WHERE count > 0 ORDER BY record_size DESC`,
      [this.#startedAt, until],
    );
    const statements = await this.#query(
      `SELECT query, calls, rows, wal_bytes FROM pg_stat_statements
       WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'trama') ORDER BY wal_bytes DESC, calls DESC`,
    );
    return {
      records: records
        .map(({ kind, count, bytes }) => ({ kind: String(kind), count: Number(count), bytes: Number(bytes) }))
        .filter(({ kind }) => !foreign.has(kind.split('/')[0])),
      statements: statements.map((row) => ({
        sql: String(row['query']),
        calls: Number(row['calls']),
        rows: Number(row['rows']),
        walBytes: Number(row['wal_bytes']),
      })),
      redisCommands: [...commands.matchAll(/cmdstat_(?:evalsha|eval|fcall|bzmpop|blpop|ping):calls=(\d+)/g)].reduce(
        (total, [, calls]) => total + Number(calls),
        0,
      ),
      redisBytes: Number(/total_net_input_bytes:(\d+)/.exec(stats)?.[1]),
    };
  }

  /** Ends both servers and removes their data. */
  async close(): Promise<void> {
    await this.#admin.end();
    await Promise.all([this.#postgres.remove(), this.#redis.close()]);
  }
}
