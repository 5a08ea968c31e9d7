import { type BeatAnswer, type ProcessInfo, type ProcessRow, rememberedMillis } from '../../../ports/processes.ts';
import type { Connections } from '../connection/connections.ts';
import { decodeText, encodeText } from '../columns/text-column.ts';

// A beat need not survive a crash of the server, so the commit does not wait for the disk. The statement always returns at
// least one row, which has the server's clock.
const beatSql = `
WITH clock AS MATERIALIZED (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now),
beat AS (
  INSERT INTO process (id, pod_id, version, works, sole_worker, ttl_millis, beat_at)
  SELECT $1, $2, $3, $4, $5, $6, now FROM clock
  ON CONFLICT (id) DO UPDATE SET version = excluded.version, works = excluded.works,
    sole_worker = excluded.sole_worker, ttl_millis = excluded.ttl_millis, beat_at = excluded.beat_at
)
SELECT p.id, p.pod_id AS "podId", p.version, p.works, p.sole_worker AS "isSoleWorker", p.ttl_millis AS "ttlMillis",
  p.beat_at AS "beatAt", clock.now, set_config('synchronous_commit', 'off', true) AS "isQuiet"
FROM clock LEFT JOIN process p ON p.id <> $1 AND p.beat_at > clock.now - ${String(rememberedMillis)}
ORDER BY p.id`;

/** Deletes earlier runs of the same pod, and processes without a beat for a day. */
const forgetSql = `
DELETE FROM process WHERE (pod_id = $2 AND id <> $1)
  OR beat_at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000`;

const endSql = 'DELETE FROM process WHERE id = $1';

interface Row extends Omit<ProcessRow, 'id'> {
  /** Null when there is no other process. */
  readonly id: string | null;
  readonly now: number;
  readonly isQuiet: string;
}

/** See `Store.beat`. */
export async function beat(connections: Connections, process: ProcessInfo, isFirst: boolean): Promise<BeatAnswer> {
  const { id, podId, version, works, isSoleWorker, ttlMillis } = process;
  const names = [id, podId].map((text) => encodeText(text));
  if (isFirst) await connections.query('short', { text: forgetSql, values: names });
  const rows = await connections.query<Row>('short', {
    name: 'beat',
    text: beatSql,
    values: [...names, encodeText(version), works, isSoleWorker, Math.ceil(ttlMillis)],
  });
  const others = rows.flatMap((row): readonly ProcessRow[] => {
    if (row.id === null) return [];
    const { now: _clock, isQuiet: _setting, ...info } = row;
    const texts = { id: decodeText(row.id), podId: decodeText(info.podId), version: decodeText(info.version) };
    return [{ ...info, ...texts }];
  });
  return { now: rows[0]?.now ?? Number.NaN, others };
}

/** See `Store.endProcess`. */
export async function endProcess(connections: Connections, id: string): Promise<void> {
  await connections.query('short', { text: endSql, values: [encodeText(id)] });
}
