import type { Connections } from '../connection/connections.ts';
import { decodeText, encodeText } from '../columns/text-column.ts';

const selectSql = 'SELECT value FROM setting WHERE key = $1';

const insertSql = 'INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING';

const updateSql = 'UPDATE setting SET value = $3 WHERE key = $1 AND value = $2';

/** Reads a setting. */
export async function getSetting(connections: Connections, key: string): Promise<string | undefined> {
  const values = [encodeText(key)];
  const [row] = await connections.query<{ value: string }>('short', { text: selectSql, values });
  return row && decodeText(row.value);
}

/** Writes a setting if absent and returns the value in force. Settings are never removed. */
export async function initSetting(connections: Connections, key: string, value: string): Promise<string> {
  await connections.query('short', { text: insertSql, values: [encodeText(key), encodeText(value)] });
  return (await getSetting(connections, key)) ?? value;
}

/** Changes a setting from a known value and returns whether the new value is in force. */
export async function changeSetting(connections: Connections, key: string, from: string, to: string): Promise<boolean> {
  await connections.query('short', { text: updateSql, values: [key, from, to].map((text) => encodeText(text)) });
  return (await getSetting(connections, key)) === to;
}
