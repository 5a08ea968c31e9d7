import type { SoleWorkerCandidacy, SoleWorkerListener } from '../../ports/processes.ts';
import type { DueRow } from '../../ports/records.ts';
import type { SteadyClient } from './connection/client.ts';
import type { Connections } from './connection/connections.ts';
import { isExecutionId } from './columns/execution-id.ts';

/**
 * Advisory locks and channels are per database, but each schema may hold a store. This is the oid of the schema of this
 * store's tables, which makes its lock and channels distinct.
 */
const schemaSql = `coalesce(
  (SELECT relnamespace::oid FROM pg_class WHERE oid = to_regclass('execution')), quote_ident(current_schema())::regnamespace::oid
)::int4`;

/** Arguments of the functions of advisory locks. */
const lockKeys = `${String(0x5472_6177)}, ${schemaSql}`;

/** Prefix of the channel on which the worker receives due executions. */
const dueChannel = 'trama_due_';

/** Prefix of the channel on which candidates learn that the worker has released the lock. */
const freeChannel = 'trama_free_';

/** Executions per notification: a payload is limited to 8000 bytes (Postgres documentation, NOTIFY), and each takes up to 64. */
const maxItems = 100;

// A notification need not survive a crash, so the commit does not wait for the disk.
const ringSql = `
SELECT set_config('synchronous_commit', 'off', true), pg_notify('${dueChannel}' || ${schemaSql}, text)
FROM unnest($1::text[]) AS rings (text)`;

const lockSql = `SELECT pg_try_advisory_lock(${lockKeys}) AS held`;

// Postgres delivers the notification after the statement, when the lock is free.
const unlockSql = `SELECT pg_advisory_unlock(${lockKeys}), pg_notify('${freeChannel}' || ${schemaSql}, '')`;

/** Since version 14 Postgres can end idle sessions; an older server releases the lock only when the connection ends. */
const silenceSql = `
SELECT set_config('idle_session_timeout', $1, false) WHERE current_setting('server_version_num')::int >= 140000`;

/** A holder sends a query every few seconds, so a shorter timeout would end healthy sessions. */
const shortestSilenceMillis = 6_000;

/**
 * A candidate for the sole worker of a database without a shared queue. A dedicated connection holds the advisory lock and
 * receives notifications from other processes (LISTEN and NOTIFY).
 *
 * The server releases the lock when the connection ends: because it broke, or because it was idle for too long, so that a
 * hanging process does not keep the lock forever. A holder whose query fails treats the lock as lost. `lost` is called once
 * per acquisition that is not released.
 */
export class SoleWorkerLock implements SoleWorkerCandidacy {
  readonly #connections: Connections;
  readonly #listener: SoleWorkerListener;
  readonly #silenceMillis: number;
  #client: SteadyClient | undefined;
  #connecting: Promise<SteadyClient> | undefined;
  #isHeld = false;
  #isClosed = false;
  #asking: Promise<boolean> | undefined;

  constructor(connections: Connections, listener: SoleWorkerListener, silenceMillis: number) {
    this.#connections = connections;
    this.#listener = listener;
    this.#silenceMillis = Math.max(shortestSilenceMillis, Math.ceil(silenceMillis));
  }

  async listen(): Promise<void> {
    await this.#connected();
  }

  async acquire(): Promise<boolean> {
    if (this.#isHeld) return true;
    const client = await this.#connected();
    try {
      const { rows } = await client.query<{ held: boolean }>(lockSql);
      if (rows[0]?.held !== true) return false;
      await client.query(`LISTEN "${dueChannel}${await schemaOf(client)}"`);
      await client.query(silenceSql, [String(this.#silenceMillis)]);
    } catch (error) {
      this.#drop(client);
      throw this.#connections.unreached(error);
    }
    // The connection may have broken in the same turn as its last reply.
    this.#isHeld = this.#client === client;
    return this.#isHeld;
  }

  isHeld(): Promise<boolean> {
    const client = this.#client;
    if (!this.#isHeld || client === undefined) return Promise.resolve(false);
    this.#asking ??= client
      .query('SELECT 1')
      .then(
        () => this.#isHeld && this.#client === client,
        () => {
          this.#drop(client);
          return false;
        },
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async release(): Promise<void> {
    const client = this.#client;
    if (!this.#isHeld || client === undefined) return;
    this.#isHeld = false;
    try {
      await client.query(`UNLISTEN "${dueChannel}${await schemaOf(client)}"`);
      await client.query(silenceSql, ['0']);
      await client.query(unlockSql);
    } catch (error) {
      // The end of the connection frees the lock.
      this.#drop(client);
      throw this.#connections.unreached(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isHeld = false;
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  /** Concurrent callers share one connection. */
  async #connected(): Promise<SteadyClient> {
    if (this.#client !== undefined) return this.#client;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<SteadyClient> {
    const client = await this.#connections.dedicated();
    if (this.#isClosed) {
      await client.end();
      throw this.#connections.unreached(new Error('The candidacy is closed.'));
    }
    const broke = (): void => this.#drop(client);
    client.on('error', broke);
    client.on('end', broke);
    client.on('notification', ({ channel, payload }) => {
      if (channel.startsWith(freeChannel)) this.#listener.freed();
      else if (this.#isHeld) this.#listener.rung(readRings(payload ?? ''));
    });
    // The connection may have broken in the same turn in which it became ready.
    if (client.brokenBy !== undefined) throw this.#connections.unreached(client.brokenBy);
    this.#client = client;
    try {
      await client.query(`LISTEN "${freeChannel}${await schemaOf(client)}"`);
    } catch (error) {
      this.#drop(client);
      throw this.#connections.unreached(error);
    }
    return client;
  }

  /** Discards a broken connection and reports the loss of the lock. */
  #drop(client: SteadyClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    // Ends the server's session, if it still exists, to free the lock. Errors do not matter.
    client.end().catch(() => undefined);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#listener.lost();
  }
}

/** The oid of this store's schema, for the name of a channel. */
async function schemaOf(client: SteadyClient): Promise<string> {
  const { rows } = await client.query<{ schema: number }>(`SELECT ${schemaSql} AS schema`);
  return String(rows[0]?.schema);
}

/** See `Store.ringSoleWorker`. */
export async function ringSoleWorker(connections: Connections, items: readonly DueRow[]): Promise<void> {
  const rings: string[] = [];
  for (let from = 0; from < items.length; from += maxItems) {
    const part = items.slice(from, from + maxItems).map(({ id, slot, dueAt }) => [id, slot, dueAt]);
    rings.push(JSON.stringify(part));
  }
  if (rings.length > 0) await connections.query('short', { name: 'ring', text: ringSql, values: [rings] });
}

/** Parses a notification. Any client of the database may notify, so malformed payloads are ignored. */
function readRings(payload: string): readonly DueRow[] {
  let read: unknown;
  try {
    read = JSON.parse(payload);
  } catch {
    return [];
  }
  if (!Array.isArray(read)) return [];
  return read.flatMap((ring: unknown) => {
    const [id, slot, dueAt] = Array.isArray(ring) ? (ring as unknown[]) : [];
    if (typeof id !== 'string' || !isExecutionId(id)) return [];
    return Number.isInteger(slot) && Number.isSafeInteger(dueAt)
      ? [{ id, slot: slot as number, dueAt: dueAt as number }]
      : [];
  });
}
