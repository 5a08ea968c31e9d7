/** Small durable settings: the one in force, setting it where absent, and changing it from a known value. */
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

const selectSql = 'SELECT value FROM setting WHERE key = ?';

const insertSql = 'INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING';

const updateSql = 'UPDATE setting SET value = ? WHERE key = ? AND value = ?';

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

/** Prepares the one that changes it from a known value and answers whether the new one is in force. */
export function changeSetting(session: Session): Operations['changeSetting'] {
  const select = session.one<{ value: string }>(selectSql);
  const update = session.write(updateSql);
  return (key, from, to) => {
    update(to, key, from);
    return select(key)?.value === to;
  };
}
