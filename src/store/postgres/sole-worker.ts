/**
 * The one worker of a database without a shared queue: whoever holds an advisory lock of a connection of its own.
 *
 * The server lets the lock go when it ends the connection, so the holder watches it: it asks every {@link keepaliveMillis},
 * with a deadline, and counts itself out as soon as an answer is missing. `lost` is called once, unless released before.
 */
import type { Client } from 'pg';
import type { Connections } from './connections.ts';

/** Key of the lock. */
const lockKey = 0x5472_6177;

const keepaliveMillis = 2000;

const lockSql = `SELECT pg_try_advisory_lock(${lockKey}) AS held`;

/** See `Store.soleWorker`. Throws StoreUnavailable when Postgres cannot answer. */
export async function soleWorker(
  connections: Connections,
  lost: () => void,
): Promise<{ release(): Promise<void> } | undefined> {
  const client = await connections.dedicated();
  try {
    if (await isGranted(client)) return hold(client, lost);
  } catch (error) {
    await client.end();
    throw error;
  }
  await client.end();
  return undefined;
}

async function isGranted(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(lockSql);
  return rows[0]?.held === true;
}

function hold(client: Client, lost: () => void): { release(): Promise<void> } {
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const lose = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    // Ends the session where the server still has it, so that the lock is free.
    client.end().catch(() => undefined);
    lost();
  };
  client.on('error', lose);
  client.on('end', lose);
  const ask = (): void => {
    timer = setTimeout(() => {
      client.query('SELECT 1').then(() => {
        if (!over) ask();
      }, lose);
    }, keepaliveMillis);
    timer.unref();
  };
  ask();
  return {
    release: async () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      await client.end();
    },
  };
}
