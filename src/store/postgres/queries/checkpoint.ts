import type { ShowStep } from '../../../ports/listing.ts';
import { StoreUnavailable, type Checkpoint, type CheckpointResult } from '../../../ports/store.ts';
import { encode } from '../../row-text.ts';
import { callbackKeysText, inboxRows, type InboxValues } from '../../stored-rows.ts';
import { int4Array, int8Array, textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Session, Statement } from '../connection/session.ts';
import {
  historyValues,
  int4,
  int8,
  StepColumns,
  stepColumns,
  stepSql,
  type HistoryValues,
} from '../columns/history-columns.ts';
import { executionId } from '../columns/execution-id.ts';
import { decodeText, encodeText, encodeTextOrNull } from '../columns/text-column.ts';
import { isLookedUp, isOneOf } from './looked-up.ts';
import { lockInOrder, tell, tellValues, type TellValues } from './tells.ts';
import { lockChildren, tellChildren } from './terminate-children.ts';

/** A checkpoint, encoded for the statement. */
export interface CheckpointValues {
  readonly source: Checkpoint;
  readonly state: string;
  readonly history: HistoryValues;
  readonly tells: readonly TellValues[];
}

/** Throws a TypeError when something in it cannot be stored. */
export function checkpointValues(x: Checkpoint, show?: ShowStep): CheckpointValues {
  executionId(x.id);
  int4(x.seq);
  int4(x.inboxSeq ?? 0);
  int4(x.summary.round);
  for (const at of [x.summary.updatedAt, x.summary.startedAt, x.summary.completedAt ?? 0, x.dueAt ?? 0]) int8(at);
  return {
    source: x,
    state: encode(x.state),
    history: historyValues(x.id, x.steps, x.calls, x.undo, show),
    tells: tellValues(x.id, x.tells),
  };
}

const dueKinds = { leave: 0, set: 1, none: 2 } as const;

/** The columns of every statement. Columns in `seldom` have values only when a run fails or waits for a callback. */
const leanColumns = 13;
const seldom = ['reason', 'failed_node_id', 'failure_description', 'callback_warning', 'callback_keys'] as const;
const fullColumns = leanColumns + seldom.length;

const leanInputs = `$1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::int[],
    $9::bigint[], $10::bigint[], $11::int[], $12::bigint[], $13::int[]`;
const leanNames =
  'id, claim, seq, inbox_seq, state, updated_at, status, round, started_at, completed_at, due_kind, due_at, claims';

const leanInputSql = `SELECT * FROM unnest(${leanInputs}) AS i (${leanNames})`;

const inputSql = `
  SELECT * FROM unnest(${leanInputs}, ${seldom.map((_, i) => `$${leanColumns + 1 + i}::text[]`).join(', ')})
    AS i (${leanNames}, ${seldom.join(', ')})`;

const leanSetSql = `
    seq = i.seq + 1, state = i.state, updated_at = i.updated_at, claims = coalesce(i.claims, e.claims),
    status = i.status, round = i.round, started_at = i.started_at, completed_at = i.completed_at,
    due_at = CASE i.due_kind WHEN 0 THEN e.due_at WHEN 1 THEN i.due_at END`;

const setSql = `${leanSetSql}, ${seldom.map((name) => `${name} = i.${name}`).join(', ')}`;

const matchSql = `
  WHERE ${isLookedUp('e.id', 'i.id')} AND e.claim = i.claim AND e.seq = i.seq AND (i.inbox_seq IS NULL OR e.inbox_seq = i.inbox_seq)
  RETURNING e.id, e.inbox_seq`;

const isWritten = (id: string): string => isOneOf(id, 'SELECT id FROM written');

const appendSql = `
steps AS (
  INSERT INTO step (${stepColumns()}) SELECT s.* FROM ${stepSql(fullColumns + 1)} WHERE ${isWritten('s.execution')}
), calls AS (
  INSERT INTO call (execution, ord, "row")
  SELECT c.* FROM unnest($36::uuid[], $37::int[], $38::text[]) AS c (execution, ord, "row")
  WHERE ${isWritten('c.execution')}
)`;

const answerSql = 'SELECT id, inbox_seq AS "inboxSeq" FROM written';

/**
 * For batches with new rows only, without failures, separate call rows or large outputs: nearly every batch. Omitting ten
 * columns of nulls saves a tenth of the engine's work for a checkpoint.
 */
const leanSql = `
WITH written AS (
  UPDATE execution e SET ${leanSetSql}, ${seldom.map((name) => `${name} = NULL`).join(', ')}, standing = 0
  FROM (${leanInputSql}) i ${matchSql}
), steps AS (
  INSERT INTO step (${stepColumns(true)}) SELECT s.* FROM ${stepSql(leanColumns + 1, true)} WHERE ${isWritten('s.execution')}
)
${answerSql}`;

/** For batches that only add rows. */
const plainSql = `
WITH written AS (
  UPDATE execution e SET ${setSql}, standing = 0
  FROM (${inputSql}) i ${matchSql}
), ${appendSql}
${answerSql}`;

const isMarked = (row: string): string => isOneOf(`(${row})`, 'SELECT execution, ord FROM marks');

const isEnded = (id: string): string => isOneOf(id, 'SELECT unnest($44::uuid[])');

/**
 * For batches that also change earlier rows, consume events, or end executions whose effects may stand. An effect counts with
 * the mark that this checkpoint sets on it.
 */
const fullSql = `
WITH marks AS MATERIALIZED (
  SELECT * FROM unnest($39::uuid[], $40::int[], $41::text[]) AS m (execution, ord, undo)
), effects AS (
  SELECT s.execution, s.effect, s.undo FROM unnest($44::uuid[]) AS ended (execution) CROSS JOIN LATERAL (
    SELECT execution, ord, effect, undo FROM step
    WHERE execution = ended.execution AND effect IS NOT NULL OFFSET 0
  ) s WHERE NOT ${isMarked('s.execution, s.ord')}
  UNION ALL
  SELECT m.execution, s.effect, m.undo FROM marks m CROSS JOIN LATERAL (
    SELECT effect FROM step WHERE execution = m.execution AND ord = m.ord AND effect IS NOT NULL OFFSET 0
  ) s WHERE ${isEnded('m.execution')}
  UNION ALL
  SELECT s.execution, s.effect, s.undo FROM ${stepSql(fullColumns + 1)}
  WHERE s.effect IS NOT NULL AND ${isEnded('s.execution')}
), standing AS MATERIALIZED (
  SELECT execution, effect = 'unknown' AND undo IS DISTINCT FROM 'accepted' AS unresolved FROM effects
  WHERE undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted')
), written AS (
  UPDATE execution e SET ${setSql}, standing = CASE
    WHEN ${isOneOf('i.id', 'SELECT execution FROM standing WHERE unresolved')} THEN 2
    WHEN ${isOneOf('i.id', 'SELECT execution FROM standing')} THEN 1 ELSE 0 END
  FROM (${inputSql}) i ${matchSql}
), ${appendSql}, marked AS (
  UPDATE step s SET undo = m.undo, marked = 1
  FROM marks m WHERE ${isLookedUp('s.execution', 'm.execution')} AND s.ord = m.ord AND ${isWritten('m.execution')}
), reopened AS (
  UPDATE step s SET undo = 'reopened'
  FROM (
    SELECT r.execution, f.ord FROM unnest($45::uuid[], $46::int[]) AS r (execution, round) CROSS JOIN LATERAL (
      SELECT ord FROM step
      WHERE execution = r.execution AND round = r.round AND undo = 'failed' OFFSET 0
    ) f WHERE ${isWritten('r.execution')}
  ) failed
  WHERE ${isLookedUp('s.execution', 'failed.execution')} AND s.ord = failed.ord AND NOT ${isMarked('s.execution, s.ord')}
), consumed AS (
  UPDATE inbox b SET event = NULL
  FROM unnest($42::uuid[], $43::text[]) AS u (execution, id)
  WHERE ${isLookedUp('b.execution', 'u.execution')} AND b.id = u.id AND ${isWritten('u.execution')}
)
${answerSql}`;

const lookSql = `
SELECT e.id, e.seq, e.inbox_seq AS "inboxSeq", e.claim, b.events
FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')} LEFT JOIN LATERAL (
  SELECT json_agg(json_build_object('id', b.id, 'at', b.at, 'event', b.event) ORDER BY b.position) AS events
  FROM inbox b WHERE b.execution = e.id AND b.event IS NOT NULL
) b ON true`;

interface Looked {
  readonly id: string;
  readonly seq: number;
  readonly inboxSeq: number;
  readonly claim: string | null;
  readonly events: readonly InboxValues[] | null;
}

function dueKind({ dueAt }: Checkpoint): number {
  if (dueAt === null) return dueKinds.none;
  return dueAt === undefined ? dueKinds.leave : dueKinds.set;
}

/** Whether any of the columns {@link seldom} has a value. */
function hasSeldom(summary: Checkpoint['summary']): boolean {
  const { reason, failedNodeId, failureDescription, callbackWarning } = summary;
  const seen = reason ?? failedNodeId ?? failureDescription ?? callbackWarning ?? callbackKeysText(summary);
  return seen !== null && seen !== undefined;
}

/** The statement for a batch of distinct ids, sorted by id. */
export function checkpointStatement(batch: readonly CheckpointValues[]): Statement {
  const sources = batch.map(({ source }) => source);
  const summaries = sources.map(({ summary }) => summary);
  const steps = new StepColumns();
  const calls: (readonly [id: string, ord: number, row: string])[] = [];
  const marks: (readonly [id: string, ord: number, undo: string])[] = [];
  const consumed: (readonly [id: string, event: string])[] = [];
  const reopened: (readonly [id: string, round: number])[] = [];
  for (const { source, history } of batch) {
    const { id } = source;
    steps.add(id, history.steps);
    for (const call of history.calls) calls.push([id, ...call]);
    for (const mark of history.marks) marks.push([id, ...mark]);
    for (const round of history.reopened) reopened.push([id, round]);
    for (const event of source.consumed) consumed.push([id, event]);
  }
  const ended = sources.filter(({ summary }) => summary.maybeStanding).map(({ id }) => id);
  const values: unknown[] = [
    uuidArray(sources.map(({ id }) => id)),
    textArray(sources.map(({ claim }) => encodeText(claim))),
    int4Array(sources.map(({ seq }) => seq)),
    int4Array(sources.map(({ inboxSeq }) => inboxSeq ?? null)),
    textArray(batch.map(({ state }) => state)),
    int8Array(summaries.map(({ updatedAt }) => updatedAt)),
    textArray(summaries.map(({ status }) => status)),
    int4Array(summaries.map(({ round }) => round)),
    int8Array(summaries.map(({ startedAt }) => startedAt)),
    int8Array(summaries.map(({ completedAt }) => completedAt ?? null)),
    int4Array(sources.map((source) => dueKind(source))),
    int8Array(sources.map(({ dueAt }) => dueAt ?? null)),
    int4Array(sources.map(({ progress, claims }) => (progress ? 0 : (claims ?? null)))),
  ];
  const isPlain = marks.length + consumed.length + ended.length + reopened.length === 0;
  if (isPlain && calls.length === 0 && steps.isLean && !summaries.some((summary) => hasSeldom(summary))) {
    values.push(...steps.parameters(true));
    return { name: 'checkpoint-lean', text: leanSql, values };
  }
  values.push(
    textArray(summaries.map(({ reason }) => encodeTextOrNull(reason))),
    textArray(summaries.map(({ failedNodeId }) => encodeTextOrNull(failedNodeId))),
    textArray(summaries.map(({ failureDescription }) => encodeTextOrNull(failureDescription))),
    textArray(summaries.map(({ callbackWarning }) => encodeTextOrNull(callbackWarning))),
    textArray(summaries.map((summary) => encodeTextOrNull(callbackKeysText(summary)))),
    ...steps.parameters(),
    uuidArray(calls.map((call) => call[0])),
    int4Array(calls.map((call) => call[1])),
    textArray(calls.map((call) => call[2])),
  );
  if (isPlain) return { name: 'checkpoint', text: plainSql, values };
  values.push(
    uuidArray(marks.map(([id]) => id)),
    int4Array(marks.map(([, ord]) => ord)),
    textArray(marks.map(([, , undo]) => undo)),
    uuidArray(consumed.map(([id]) => id)),
    textArray(consumed.map(([, event]) => encodeText(event))),
    uuidArray(ended),
    uuidArray(reopened.map(([id]) => id)),
    int4Array(reopened.map(([, round]) => round)),
  );
  return { name: 'checkpoint-full', text: fullSql, values };
}

/** The result for a row that was not written; undefined if it can be written now. */
function verdict({ source }: CheckpointValues, row: Looked | undefined): CheckpointResult | undefined {
  if (row === undefined || row.claim !== encodeText(source.claim)) return { kind: 'fenced' };
  const { inboxSeq } = row;
  if (row.seq === source.seq + 1) return { kind: 'written', inboxSeq };
  if (row.seq !== source.seq) return { kind: 'fenced' };
  if (source.inboxSeq === undefined || source.inboxSeq === inboxSeq) return undefined;
  return {
    kind: 'inbox',
    inboxSeq,
    inbox: inboxRows((row.events ?? []).map((event) => ({ ...event, id: decodeText(event.id) }))),
  };
}

/** Runs a statement: by itself, or in a transaction. */
type Query = Session['query'];

/** Limits the attempts for rows that another writer keeps changing. */
const maxRounds = 5;

/**
 * Writes a batch of checkpoints with distinct ids, sorted by id: state, history and consumed events, if claim and seq match.
 * One statement, hence one transaction with one wait for the disk.
 *
 * The UPDATE itself compares claim and seq. If another transaction has locked or changed the row, Postgres waits for it and
 * compares again with the newest version, so one of two racing writers sees the other's row. The rest of the statement depends
 * on the rows that the UPDATE returned: without an update, nothing is appended or consumed. The rows that a checkpoint reads
 * under its claim and seq (effects that stand at the end of an execution) were written before the seq was issued, so they are
 * in the statement's snapshot.
 *
 * A second, later statement reads the rows that were not written and finds the reason. Only a row that can now be written is
 * sent again.
 *
 * Guarantees: a row at the next seq under the same claim was written by this same checkpoint (`written`, nothing twice);
 * another claim or seq is `fenced`; a given inbox seq that differs is `inbox` with the events. None of these writes anything.
 *
 * A batch that tells other executions something is a transaction of several statements. It locks all rows first, in the order of
 * their ids. What a checkpoint tells is appended only if this transaction writes the checkpoint.
 *
 * Throws the server's error when a value cannot be stored.
 */
export async function writeCheckpoints(
  connections: Connections,
  batch: readonly CheckpointValues[],
): Promise<readonly CheckpointResult[]> {
  const ending = batch.filter(({ source }) => source.terminatesChildren !== undefined);
  if (ending.length === 0) return writeTogether(connections, batch);
  const others = batch.filter((value) => !ending.includes(value));
  const results = new Map<CheckpointValues, CheckpointResult>();
  const answers = others.length === 0 ? [] : await writeTogether(connections, others);
  for (const [i, value] of others.entries()) results.set(value, answers[i] as CheckpointResult);
  for (const value of ending) results.set(value, await writeEnding(connections, value));
  return batch.map((value) => results.get(value) as CheckpointResult);
}

/**
 * Writes the end of an execution that terminates its children. The transaction locks the execution before it reads the children, so
 * that none is added in between; the insertion of a child locks its parent, too.
 */
function writeEnding(connections: Connections, value: CheckpointValues): Promise<CheckpointResult> {
  const { id, summary, terminatesChildren = '' } = value.source;
  return connections.transaction('short', async (session) => {
    await lockInOrder(session, [id]);
    const children = await lockChildren(session, id);
    await lockInOrder(
      session,
      value.tells.map((one) => one.executionId),
    );
    let isWritten = false;
    const [result] = await write(
      (statement) => session.query(statement),
      [value],
      () => (isWritten = true),
    );
    if (!isWritten || result?.kind !== 'written') return result as CheckpointResult;
    await tell(session, value.tells);
    await tellChildren(session, children, terminatesChildren, summary.updatedAt);
    return { ...result, children };
  });
}

function writeTogether(
  connections: Connections,
  batch: readonly CheckpointValues[],
): Promise<readonly CheckpointResult[]> {
  const targets = batch.flatMap(({ tells }) => tells.map((one) => one.executionId));
  if (targets.length === 0)
    return write(
      (statement) => connections.query('short', statement),
      batch,
      () => undefined,
    );
  return connections.transaction('short', async (session) => {
    await lockInOrder(session, [...batch.map(({ source }) => source.id), ...targets]);
    const told: TellValues[] = [];
    const results = await write(
      (statement) => session.query(statement),
      batch,
      ({ tells }) => void told.push(...tells),
    );
    await tell(session, told);
    return results;
  });
}

async function write(
  query: Query,
  batch: readonly CheckpointValues[],
  onWritten: (value: CheckpointValues) => void,
): Promise<readonly CheckpointResult[]> {
  const results: (CheckpointResult | undefined)[] = batch.map(() => undefined);
  let open = batch.map((_, i) => i);
  for (let round = 1; open.length > 0; round++) {
    if (round > maxRounds) throw new StoreUnavailable('unreachable', 'Executions change faster than they are written.');
    const sent = open;
    const rows = await query<{ id: string; inboxSeq: number }>(
      checkpointStatement(sent.map((i) => batch[i] as CheckpointValues)),
    );
    const written = new Map(rows.map(({ id, inboxSeq }) => [id, inboxSeq]));
    for (const i of sent) {
      const value = batch[i] as CheckpointValues;
      const inboxSeq = written.get(value.source.id);
      if (inboxSeq === undefined) continue;
      results[i] = { kind: 'written', inboxSeq };
      onWritten(value);
    }
    open = sent.filter((i) => results[i] === undefined);
    if (open.length === 0) break;
    const ids = open.map((i) => (batch[i] as CheckpointValues).source.id);
    const looked = await query<Looked>({
      name: 'checkpoint-look',
      text: lookSql,
      values: [uuidArray(ids)],
    });
    const byId = new Map(looked.map((row) => [row.id, row]));
    for (const i of open) {
      const value = batch[i] as CheckpointValues;
      results[i] = verdict(value, byId.get(value.source.id));
    }
    open = open.filter((i) => results[i] === undefined);
  }
  return results as CheckpointResult[];
}
