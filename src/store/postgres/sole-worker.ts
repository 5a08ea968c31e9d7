/** Which process works on a database without a shared queue, and how the others tell it what is due. */
import type { SoleWorkerCandidacy, SoleWorkerListener } from '../../ports/processes.ts';
import type { DueRow } from '../../ports/records.ts';
import type { SteadyClient } from './connection/client.ts';
import type { Connections } from './connection/connections.ts';
import { isExecutionId } from './columns/execution-id.ts';

/**
 * Locks and channels are of a whole database, where each schema may hold a store of its own: this number of the schema, by which
 * they differ, is that of the schema where this store's tables are.
 */
const schemaSql = `coalesce(
  (SELECT relnamespace::oid FROM pg_class WHERE oid = to_regclass('execution')), quote_ident(current_schema())::regnamespace::oid
)::int4`;

/** Arguments of the functions of advisory locks. */
const lockKeys = `${String(0x5472_6177)}, ${schemaSql}`;

/** Begins the channel on which the worker hears what is due. */
const dueChannel = 'trama_due_';

/** Begins the channel on which candidates hear that the worker has let go. */
const freeChannel = 'trama_free_';

/** Executions in one notification: Postgres takes less than 8000 bytes (documentation of NOTIFY), and one has up to 64. */
const maxItems = 100;

// A ring need not outlast a crash, so nothing waits for the disk.
const ringSql = `
SELECT set_config('synchronous_commit', 'off', true), pg_notify('${dueChannel}' || ${schemaSql}, text)
FROM unnest($1::text[]) AS rings (text)`;

const lockSql = `SELECT pg_try_advisory_lock(${lockKeys}) AS held`;

// Delivered when the statement is over, so that the lock is free by then.
const unlockSql = `SELECT pg_advisory_unlock(${lockKeys}), pg_notify('${freeChannel}' || ${schemaSql}, '')`;

/** Since Postgres 14 a server ends sessions that are silent for too long; an older one waits for the end of the connection. */
const silenceSql = `
SELECT set_config('idle_session_timeout', $1, false) WHERE current_setting('server_version_num')::int >= 140000`;

/** A session of a candidate asks every few seconds at most, so a shorter silence says nothing. */
const shortestSilenceMillis = 6_000;

/**
 * A candidate: it holds an advisory lock of a connection of its own, or waits for it on that connection, where it hears what
 * the others say (LISTEN and NOTIFY).
 *
 * The server lets the lock go when it ends the connection: because it broke, or because it heard nothing for too long, so
 * that a process that hangs does not keep the work for ever. A holder that misses an answer counts itself out. `lost` is called
 * once per acquisition, unless it was released before.
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
    // The connection may have broken in the turn of its last answer.
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

  /** One connection, however many ask for it at once. */
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
    // It may have broken in the turn in which it became ready.
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

  /** The connection is of no use any more. */
  #drop(client: SteadyClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    // Ends the session where the server still has it, so that the lock is free. What that meets is of no interest.
    client.end().catch(() => undefined);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#listener.lost();
  }
}

/** The number of this store's schema, for the name of a channel. */
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

/** Every client of the database may notify: what has not the form of rings is ignored. */
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
