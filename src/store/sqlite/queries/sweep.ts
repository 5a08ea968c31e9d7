/**
 * Removes a slice of the history of removed executions, and start keys of removed executions once they are a day old.
 * Answers whether anything is left. A slice is small, so that writes wait a few milliseconds at most.
 *
 * A key's age is taken from the instant before which executions were removed, which is in the past: keys may stay longer,
 * never shorter.
 */
import type { Operations } from '../protocol.ts';
import type { Session } from '../session.ts';

/** Rows of history removed at once. */
const slice = 1000;

const dayMillis = 86_400_000;

const findSql = 'SELECT execution AS no FROM garbage LIMIT 1';

const sliceSql = (table: string): string => `
DELETE FROM ${table} WHERE no IN (SELECT no FROM ${table} WHERE execution = ? LIMIT ?)`;

const doneSql = 'DELETE FROM garbage WHERE execution = ?';

const keysSql = `
DELETE FROM start_key WHERE (caller, key) IN (
  SELECT caller, key FROM start_key INDEXED BY start_key_orphan WHERE orphan = 1 AND created_at < ? LIMIT ?)`;

/** Prepares it. */
export function sweep(session: Session): Operations['sweep'] {
  const find = session.one<{ no: number }>(findSql);
  const removeSteps = session.write(sliceSql('step'));
  const removeCalls = session.write(sliceSql('call'));
  const removeGarbage = session.write(doneSql);
  const removeKeys = session.write(keysSql);
  return (before) => {
    let left = slice;
    for (let next = find(); next !== undefined; next = find()) {
      left -= removeSteps(next.no, left);
      if (left > 0) left -= removeCalls(next.no, left);
      if (left <= 0) return true;
      removeGarbage(next.no);
      left -= 1;
      if (left <= 0) return true;
    }
    return removeKeys(before - dayMillis, left) === left;
  };
}
