/**
 * The one worker of a database without a shared queue: whoever holds an advisory lock of a connection of its own. On that
 * connection it hears what the others say of executions that became due (LISTEN and NOTIFY), so that none waits for a
 * look at the whole store.
 *
 * The server lets the lock go when it ends the connection, so the holder watches it: it asks every {@link keepaliveMillis},
 * with a deadline, and counts itself out as soon as an answer is missing. `lost` is called once, unless released before.
 */
import type { Client } from 'pg';
import type { DueRow } from '../../ports/store.ts';
import type { Connections } from './connections.ts';
import { isExecutionId } from './execution-id.ts';

/** Key of the lock. */
const lockKey = 0x5472_6177;

const keepaliveMillis = 2000;

const channel = 'trama_due';

/** Executions in one notification: Postgres takes less than 8000 bytes (documentation of NOTIFY), and one has up to 64. */
const maxItems = 100;

// A ring need not outlast a crash, so nobody waits for the disk.
const ringSql = `
SELECT set_config('synchronous_commit', 'off', true), pg_notify('${channel}', text)
FROM unnest($1::text[]) AS rings (text)`;

const lockSql = `SELECT pg_try_advisory_lock(${lockKey}) AS held`;

/** See `Store.soleWorker`. Throws StoreUnavailable when Postgres cannot answer. */
export async function soleWorker(
  connections: Connections,
  lost: () => void,
  rung: (items: readonly DueRow[]) => void,
): Promise<{ release(): Promise<void> } | undefined> {
  const client = await connections.dedicated();
  try {
    if (await isGranted(client)) {
      client.on('notification', ({ payload }) => rung(readRings(payload ?? '')));
      await client.query(`LISTEN ${channel}`);
      return hold(client, lost);
    }
  } catch (error) {
    await client.end();
    throw error;
  }
  await client.end();
  return undefined;
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

/** Whoever may use the database may notify: what is none of ours is nothing. */
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
