/** Small durable settings: the one in force, and setting it where absent. */
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const selectSql = 'SELECT value FROM setting WHERE key = ?';

const insertSql = 'INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING';

/** Prepares the reading one. */
export function getSetting(session: Session): Operations['getSetting'] {
  const select = session.one<{ value: string }>(selectSql);
  return (key) => select(key)?.value;
}

/** Prepares the one that sets it if absent and answers the value in force. */
export function initSetting(session: Session): Operations['initSetting'] {
  const select = session.one<{ value: string }>(selectSql);
  const insert = session.write(insertSql);
  return (key, value) => {
    insert(key, value);
    return select(key)?.value ?? value;
  };
}
