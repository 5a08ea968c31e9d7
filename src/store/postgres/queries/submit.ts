import type { ShowStep } from '../../../ports/listing.ts';
import { StoreUnavailable, type NewExecution, type SubmitResult } from '../../../ports/store.ts';
import { encode, familyValues, isOver, isStanding, isUnresolved, type FamilyValues } from '../../row-text.ts';
import { callbackKeysText } from '../../stored-rows.ts';
import { boolArray, int4Array, int8Array, textArray, uuidArray } from '../columns/binary-array.ts';
import type { Connections } from '../connection/connections.ts';
import type { Statement } from '../connection/session.ts';
import {
  historyValues,
  int4,
  int8,
  StepColumns,
  stepColumns,
  stepParameters,
  stepSql,
  type HistoryValues,
} from '../columns/history-columns.ts';
import { executionId } from '../columns/execution-id.ts';
import { encodeJsonText, encodeText, encodeTextOrNull } from '../columns/text-column.ts';
import { isLookedUp, isOneOf } from './looked-up.ts';
import type { PinnedBodies } from './pinned-bodies.ts';
import { insertMembers, isMember, type Answer } from './insert-members.ts';
import { tellValues, type TellValues } from './tells.ts';

/** A new execution, encoded for the statement. */
export interface SubmitValues {
  readonly source: NewExecution;
  readonly state: string;
  readonly history: HistoryValues;
  readonly standing: 0 | 1 | 2;
  readonly family: FamilyValues;
  readonly tells: readonly TellValues[];
}

/** Throws a TypeError when something in it cannot be stored. */
export function submitValues(x: NewExecution, show?: ShowStep): SubmitValues {
  executionId(x.id);
  int4(x.slot);
  int4(x.summary.round);
  for (const at of [x.createdAt, x.dueAt, x.summary.updatedAt, x.summary.startedAt, x.summary.completedAt ?? 0])
    int8(at);
  return {
    source: x,
    state: encode(x.state),
    history: historyValues(x.id, x.steps, [], [], show),
    standing: standingOf(x),
    family: placed(x),
    tells: tellValues(x.id, x.tells),
  };
}

function placed(x: NewExecution): FamilyValues {
  const family = familyValues(x);
  for (const id of family.slice(0, 2)) if (id !== null) executionId(id);
  return family;
}

function standingOf({ summary, steps }: NewExecution): 0 | 1 | 2 {
  if (!summary.maybeStanding) return 0;
  if (steps.some((row) => isUnresolved(row))) return 2;
  return steps.some((row) => isStanding(row)) ? 1 : 0;
}

const bodiesParameter = 30;
const recordsParameter = 31;
const firstStepParameter = 32;
const firstLabelParameter = firstStepParameter + stepParameters;

/** Locks the pinned bodies, and finds those whose definition has a record, by the parameters of their numbers. */
const bodiesSql = (bodies: number, records: number): string => `
body AS MATERIALIZED (
  SELECT no FROM definition_body WHERE no = ANY ($${bodies}::int[]) ORDER BY no FOR KEY SHARE
), record AS MATERIALIZED (
  SELECT b.no FROM definition_body b WHERE b.no = ANY ($${records}::int[]) AND EXISTS (
    SELECT 1 FROM definition d WHERE d.name = b.name AND d.version = b.version AND d.hash = b.hash)
)`;

const hasBody = isOneOf('i.body', 'SELECT no FROM body');
const hasRecord = `(NOT i.must_be_stored OR ${isOneOf('i.body', 'SELECT no FROM record')})`;

/** For runs that have just begun, without start key, labels, trace and rows: nearly all. Sends a third of the columns. */
const leanSql = `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::bool[])
    AS i (id, created_at, updated_at, due_at, started_at, slot, body, status, claim, state, payload, must_be_stored)
), ${bodiesSql(13, 14)}, created AS (
  INSERT INTO execution (id, created_at, updated_at, due_at, started_at, slot, body, seq, inbox_seq, claims, round, standing,
    status, claim, state, payload)
  SELECT i.id, i.created_at, i.updated_at, i.due_at, i.started_at, i.slot, i.body, 0, 0, (i.claim IS NOT NULL)::int, 1, 0,
    i.status, i.claim, i.state, i.payload
  FROM input i WHERE ${hasBody} AND ${hasRecord}
  ON CONFLICT DO NOTHING
)
SELECT i.id, ${hasBody} AS "hasBody", ${hasRecord} AS "hasRecord", true AS done FROM input i`;

const sql = `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[],
    $8::int[], $9::int[], $10::int[], $11::int[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::uuid[], $27::uuid[], $28::text[], $29::bool[])
    AS i (id, created_at, updated_at, due_at, started_at, completed_at, slot, body, claims, round, standing, status, claim,
      reason, failed_node_id, failure_description, callback_warning, labels, state, payload, traceparent, caller, key,
      fingerprint, callback_keys, parent, root, link, must_be_stored)
), ${bodiesSql(bodiesParameter, recordsParameter)}, pinned AS MATERIALIZED (
  SELECT i.id FROM input i WHERE ${hasBody} AND ${hasRecord}
), keyed AS (
  INSERT INTO start_key (caller, key, execution_id, created_at, fingerprint)
  SELECT i.caller, i.key, i.id, i.created_at, i.fingerprint FROM input i
  WHERE i.key IS NOT NULL AND ${isOneOf('i.id', 'SELECT id FROM pinned')} ORDER BY i.caller, i.key, i.id
  ON CONFLICT DO NOTHING RETURNING execution_id
), created AS (
  INSERT INTO execution (id, created_at, updated_at, due_at, started_at, completed_at, slot, body, seq, inbox_seq, claims,
    round, standing, status, claim, reason, failed_node_id, failure_description, callback_warning, labels, state,
    payload, traceparent, callback_keys, parent, root, link)
  SELECT i.id, i.created_at, i.updated_at, i.due_at, i.started_at, i.completed_at, i.slot, i.body, 0, 0, i.claims, i.round,
    i.standing, i.status, i.claim, i.reason, i.failed_node_id, i.failure_description, i.callback_warning, i.labels,
    i.state, i.payload, i.traceparent, i.callback_keys, i.parent, i.root, i.link
  FROM input i
  WHERE ${isOneOf('i.id', 'SELECT id FROM pinned')}
    AND (i.key IS NULL OR ${isOneOf('i.id', 'SELECT execution_id FROM keyed')})
  ON CONFLICT DO NOTHING RETURNING id
), steps AS (
  INSERT INTO step (${stepColumns()})
  SELECT s.* FROM ${stepSql(firstStepParameter)} WHERE ${isOneOf('s.execution', 'SELECT id FROM created')}
), labels AS (
  INSERT INTO label (execution, key, value)
  SELECT l.* FROM unnest($${firstLabelParameter}::uuid[], $${firstLabelParameter + 1}::text[], $${firstLabelParameter + 2}::text[])
    AS l (execution, key, value) WHERE ${isOneOf('l.execution', 'SELECT id FROM created')}
)
SELECT i.id, ${hasBody} AS "hasBody", ${hasRecord} AS "hasRecord",
  i.key IS NULL OR ${isOneOf('i.id', 'SELECT execution_id FROM keyed')} AS done
FROM input i`;

const keySql = `
SELECT i.n::int AS n, k.execution_id AS id, k.fingerprint
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (caller, key, n)
CROSS JOIN LATERAL (
  SELECT execution_id, fingerprint FROM start_key WHERE caller = i.caller AND key = i.key OFFSET 0
) k`;

const idSql = `SELECT e.id FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')}`;

/** The statement for a batch of distinct ids; `bodies` are the numbers of their definitions. */
export function submitStatement(batch: readonly SubmitValues[], bodies: readonly number[]): Statement {
  if (batch.every((value) => isLean(value))) {
    return { name: 'submit-lean', text: leanSql, values: leanParameters(batch, bodies) };
  }
  return { name: 'submit', text: sql, values: parameters(batch, bodies) };
}

/** Whether all columns that the lean statement leaves out have the values that it gives them. */
function isLean({ source, history, standing }: SubmitValues): boolean {
  const { summary, startKey, traceparent, parent } = source;
  const { completedAt, reason, failedNodeId, failureDescription, callbackWarning, round } = summary;
  const seldom =
    startKey ?? traceparent ?? parent ?? completedAt ?? reason ?? failedNodeId ?? failureDescription ?? callbackWarning;
  const isPlain = (seldom ?? callbackKeysText(summary) ?? undefined) === undefined && round === 1 && standing === 0;
  return isPlain && !isOver(summary) && history.steps.length === 0 && Object.keys(source.labels).length === 0;
}

function leanParameters(batch: readonly SubmitValues[], bodies: readonly number[]): unknown[] {
  const sources = batch.map(({ source }) => source);
  return [
    uuidArray(sources.map(({ id }) => id)),
    int8Array(sources.map(({ createdAt }) => createdAt)),
    int8Array(sources.map(({ summary }) => summary.updatedAt)),
    int8Array(sources.map(({ dueAt }) => dueAt)),
    int8Array(sources.map(({ summary }) => summary.startedAt)),
    int4Array(sources.map(({ slot }) => slot)),
    int4Array(bodies),
    textArray(sources.map(({ summary }) => summary.status)),
    textArray(sources.map(({ claim }) => encodeTextOrNull(claim))),
    textArray(batch.map(({ state }) => state)),
    textArray(sources.map(({ payload }) => encodeJsonText(payload))),
    ...storedParameters(sources, bodies),
  ];
}

/** Which runs demand a record of their definition, the numbers of all definitions, and of those that must have a record. */
function storedParameters(sources: readonly NewExecution[], bodies: readonly number[]): readonly unknown[] {
  return [
    boolArray(sources.map(({ mustBeStored }) => mustBeStored === true)),
    int4Array([...new Set(bodies)]),
    int4Array([...new Set(bodies.filter((_, i) => sources[i]?.mustBeStored === true))]),
  ];
}

function parameters(batch: readonly SubmitValues[], bodies: readonly number[]): unknown[] {
  const sources = batch.map(({ source }) => source);
  const summaries = sources.map(({ summary }) => summary);
  const steps = new StepColumns();
  const labels: (readonly [id: string, key: string, value: string])[] = [];
  for (const { source, history } of batch) {
    steps.add(source.id, history.steps);
    for (const [key, value] of Object.entries(source.labels)) labels.push([source.id, key, value]);
  }
  return [
    uuidArray(sources.map(({ id }) => id)),
    int8Array(sources.map(({ createdAt }) => createdAt)),
    int8Array(summaries.map(({ updatedAt }) => updatedAt)),
    int8Array(sources.map(({ summary, dueAt }) => (isOver(summary) ? null : dueAt))),
    int8Array(summaries.map(({ startedAt }) => startedAt)),
    int8Array(summaries.map(({ completedAt }) => completedAt ?? null)),
    int4Array(sources.map(({ slot }) => slot)),
    int4Array(bodies),
    int4Array(sources.map(({ claim }) => (claim === undefined ? 0 : 1))),
    int4Array(summaries.map(({ round }) => round)),
    int4Array(batch.map(({ standing }) => standing)),
    textArray(summaries.map(({ status }) => status)),
    textArray(sources.map(({ claim }) => encodeTextOrNull(claim))),
    textArray(summaries.map(({ reason }) => encodeTextOrNull(reason))),
    textArray(summaries.map(({ failedNodeId }) => encodeTextOrNull(failedNodeId))),
    textArray(summaries.map(({ failureDescription }) => encodeTextOrNull(failureDescription))),
    textArray(summaries.map(({ callbackWarning }) => encodeTextOrNull(callbackWarning))),
    textArray(sources.map((source) => (Object.keys(source.labels).length === 0 ? null : encode(source.labels)))),
    textArray(batch.map(({ state }) => state)),
    textArray(sources.map(({ payload }) => encodeJsonText(payload))),
    textArray(sources.map(({ traceparent }) => encodeTextOrNull(traceparent))),
    textArray(sources.map(({ startKey }) => encodeTextOrNull(startKey?.caller))),
    textArray(sources.map(({ startKey }) => encodeTextOrNull(startKey?.key))),
    textArray(sources.map(({ startKey }) => encodeTextOrNull(startKey?.fingerprint))),
    textArray(summaries.map((summary) => encodeTextOrNull(callbackKeysText(summary)))),
    uuidArray(batch.map(({ family: [parent] }) => parent)),
    uuidArray(batch.map(({ family: [, root] }) => root)),
    textArray(batch.map(({ family: [, , link] }) => link)),
    ...storedParameters(sources, bodies),
    ...steps.parameters(),
    uuidArray(labels.map(([id]) => id)),
    textArray(labels.map(([, key]) => encodeText(key))),
    textArray(labels.map(([, , value]) => encodeText(value))),
  ];
}

/** Limits the attempts for rows whose definition or start key is removed repeatedly. */
const maxRounds = 5;

/**
 * Inserts a batch of executions with distinct ids, with input, labels, first rows and start keys, in one statement.
 *
 * The statement locks the pinned definition bodies, so that retention cannot remove them meanwhile. It skips rows whose body
 * is missing; a later attempt stores the body and inserts them. It inserts an execution only if its start key, if any, was
 * inserted; otherwise a second statement reads which execution has the key.
 *
 * Guarantees: a repeated id is `created` again and writes nothing, so a batch may be sent twice. Of racing start keys one
 * wins, and the results of the others name its execution.
 *
 * Throws the server's error when a value cannot be stored.
 */
export async function submit(
  connections: Connections,
  pinned: PinnedBodies,
  batch: readonly SubmitValues[],
): Promise<readonly SubmitResult[]> {
  const results: (SubmitResult | undefined)[] = batch.map(() => undefined);
  let open = batch.map((_, i) => i);
  for (let round = 1; open.length > 0; round++) {
    if (round > maxRounds) throw new StoreUnavailable('unreachable', 'What executions build on vanishes too fast.');
    const sent = open;
    const values = sent.map((i) => batch[i] as SubmitValues);
    const bodies = await pinned.numbers(values.map(({ source }) => source));
    const { answers, fenced } = await insert(connections, values, bodies);
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    for (const i of sent) if (fenced.has((batch[i] as SubmitValues).source.id)) results[i] = { kind: 'fenced' };
    const missing = new Set<number>();
    const keyed: number[] = [];
    const gone: number[] = [];
    for (const [k, i] of sent.entries()) {
      if (results[i] !== undefined) continue;
      const { hasBody, hasRecord, done } = byId.get((batch[i] as SubmitValues).source.id) as Answer;
      if (!hasBody) missing.add(bodies[k] as number);
      else if (!hasRecord) gone.push(i);
      else if (done) results[i] = { kind: 'created' };
      else keyed.push(i);
    }
    if (missing.size > 0) pinned.forget(missing);
    if (gone.length > 0) await settleGone(connections, batch, gone, results);
    if (keyed.length > 0) await settle(connections, batch, keyed, results);
    open = sent.filter((i) => results[i] === undefined);
  }
  return results as SubmitResult[];
}

/** Inserts rows in one statement; in a transaction where some belong to families. `bodies` are the numbers of their definitions. */
async function insert(
  connections: Connections,
  batch: readonly SubmitValues[],
  bodies: readonly number[],
): Promise<{ readonly answers: readonly Answer[]; readonly fenced: ReadonlySet<string> }> {
  if (!batch.some((value) => isMember(value))) {
    return { answers: await connections.query<Answer>('short', submitStatement(batch, bodies)), fenced: new Set() };
  }
  const numbers = new Map(batch.map((value, i) => [value, bodies[i] as number]));
  const statementOf = (part: readonly SubmitValues[]): Statement =>
    submitStatement(
      part,
      part.map((value) => numbers.get(value) as number),
    );
  return connections.transaction('short', (session) => insertMembers(session, batch, statementOf));
}

/** Sets the results of rows without a record: `created` if an earlier attempt inserted them, otherwise `gone`. */
async function settleGone(
  connections: Connections,
  batch: readonly SubmitValues[],
  gone: readonly number[],
  results: (SubmitResult | undefined)[],
): Promise<void> {
  const ids = gone.map((i) => (batch[i] as SubmitValues).source.id);
  const rows = await connections.query<{ id: string }>('short', {
    name: 'submit-gone',
    text: idSql,
    values: [uuidArray(ids)],
  });
  const inserted = new Set(rows.map(({ id }) => id));
  for (const [k, i] of gone.entries()) results[i] = { kind: inserted.has(ids[k] as string) ? 'created' : 'gone' };
}

/** Sets the results of rows whose start keys exist. A key that was removed meanwhile leaves its row without a result. */
async function settle(
  connections: Connections,
  batch: readonly SubmitValues[],
  keyed: readonly number[],
  results: (SubmitResult | undefined)[],
): Promise<void> {
  const keys = keyed.map((i) => (batch[i] as SubmitValues).source.startKey);
  const found = await connections.query<{ n: number; id: string; fingerprint: string }>('short', {
    name: 'submit-key',
    text: keySql,
    values: [
      textArray(keys.map((key) => encodeText(key?.caller ?? ''))),
      textArray(keys.map((key) => encodeText(key?.key ?? ''))),
    ],
  });
  for (const { n, id, fingerprint } of found) {
    const i = keyed[n - 1] as number;
    const { source } = batch[i] as SubmitValues;
    if (id === source.id) results[i] = { kind: 'created' };
    else if (fingerprint === encodeText(source.startKey?.fingerprint ?? '')) results[i] = { kind: 'existing', id };
    else results[i] = { kind: 'reused' };
  }
}
