/**
 * Inserts executions, each with its definition (once per content), input, labels, first rows and start key.
 *
 * Guarantees: the same id again is `created` and writes nothing, so a batch may be sent twice; a start key used before,
 * also earlier in the same batch, decides before anything is written, and before that a definition that must be stored and
 * is not. When bodies of definitions are missing, nothing is written and their hashes are the answer.
 */
import type { SubmitResult } from '../../../ports/store.ts';
import type { MemberValues, Operations, SubmitValues } from '../protocol.ts';
import type { Session } from '../session.ts';
import { appendHistory } from './append-history.ts';
import { standingLevel } from './standing-level.ts';
import { tells } from './tells.ts';

const highestNoSql = `
SELECT max(coalesce((SELECT max(no) FROM execution), 0), coalesce((SELECT max(execution) FROM garbage), 0)) AS no`;

const findBodySql = 'SELECT no FROM definition_body WHERE hash = ?';

const insertBodySql = 'INSERT INTO definition_body (hash, definition) VALUES (?, ?)';

const findRecordSql = 'SELECT 1 AS found FROM definition WHERE name = ? AND version = ? AND hash = ?';

const findExecutionSql = 'SELECT no FROM execution WHERE id = ?';

/** The claim of an execution that is not over. */
const claimSql = `
SELECT r.claim FROM execution e JOIN run r ON r.execution = e.no WHERE e.id = ? AND e.completed_at IS NULL`;

const findKeySql = 'SELECT execution_id AS id, fingerprint FROM start_key WHERE caller = ? AND key = ?';

const insertKeySql =
  'INSERT INTO start_key (caller, key, fingerprint, execution_id, created_at) VALUES (?, ?, ?, ?, ?)';

const insertExecutionSql = `
INSERT INTO execution (no, id, slot, name, version, body, labels, created_at, due_at, standing, parent, root, link,
  status, round, started_at, completed_at, reason, failed_node_id, failure_description, callback_warning, callback_keys)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING`;

const insertRunSql = `
INSERT INTO run (execution, seq, inbox_seq, claim, claims, updated_at, state) VALUES (?, 0, 0, ?, ?, ?, ?)`;

const insertInputSql = 'INSERT INTO input (execution, payload, traceparent) VALUES (?, ?, ?)';

const insertLabelSql = 'INSERT INTO label (key, value, id) VALUES (?, ?, ?)';

/** Definitions whose number is remembered. */
const maxRemembered = 1000;

const ofRoot: MemberValues = { place: [null, null, null], parentClaim: null, tells: [] };

/** Prepares it. */
export function submit(session: Session): Operations['submit'] {
  const findBody = session.one<{ no: number }>(findBodySql);
  const insertBody = session.write(insertBodySql);
  const findRecord = session.one<{ found: number }>(findRecordSql);
  const findExecution = session.one<{ no: number }>(findExecutionSql);
  const claimOf = session.one<{ claim: string | null }>(claimSql);
  const findKey = session.one<{ id: string; fingerprint: string }>(findKeySql);
  const insertKey = session.write(insertKeySql);
  const insertExecution = session.write(insertExecutionSql);
  const insertRun = session.write(insertRunSql);
  const insertInput = session.write(insertInputSql);
  const insertLabel = session.write(insertLabelSql);
  const setStanding = session.write('UPDATE execution SET standing = ? WHERE no = ?');
  const append = appendHistory(session);
  const level = standingLevel(session);
  const tell = tells(session);
  // This code assigns the numbers, because SQLite would reuse the number of a removed execution.
  let lastNo = session.one<{ no: number }>(highestNoSql)()?.no ?? 0;
  const bodies = new Map<string, number>();
  session.onRollback(() => bodies.clear());

  function bodyNo(hash: string, definition: string | undefined): number | undefined {
    const known = bodies.get(hash);
    if (known !== undefined) return known;
    let no = findBody(hash)?.no;
    if (no === undefined) {
      if (definition === undefined) return undefined;
      insertBody(hash, definition);
      no = findBody(hash)?.no;
    }
    if (no !== undefined) {
      if (bodies.size >= maxRemembered) bodies.clear();
      bodies.set(hash, no);
    }
    return no;
  }

  function settledByKey(x: SubmitValues): SubmitResult | undefined {
    if (x.startKey === null) return undefined;
    const [caller, key, fingerprint] = x.startKey;
    const used = findKey(caller, key);
    if (used === undefined) return undefined;
    if (used.id === x.id) return { kind: 'created' };
    return used.fingerprint === fingerprint ? { kind: 'existing', id: used.id } : { kind: 'reused' };
  }

  function insert(x: SubmitValues, body: number): SubmitResult {
    if (x.mustBeStored && findRecord(x.name, x.version, x.hash) === undefined) {
      return { kind: findExecution(x.id) === undefined ? 'gone' : 'created' };
    }
    const settled = settledByKey(x);
    if (settled !== undefined) return settled;
    const { place, parentClaim, tells: told } = x.member ?? ofRoot;
    if (parentClaim !== null && findExecution(x.id) === undefined) {
      const claim = claimOf(place[0])?.claim ?? null;
      if (claim !== parentClaim) return { kind: 'fenced' };
    }
    const no = ++lastNo;
    const inserted = insertExecution(
      no,
      x.id,
      x.slot,
      x.name,
      x.version,
      body,
      x.labels,
      x.createdAt,
      x.dueAt,
      0,
      place[0],
      place[1],
      place[2],
      // The only list that is spread, and the last argument: V8 makes no array for it.
      ...x.summary,
    );
    if (inserted === 0) return { kind: 'created' };
    insertRun(no, x.claim, x.claim === null ? 0 : 1, x.updatedAt, x.state);
    insertInput(no, x.payload, x.traceparent);
    for (const [key, value] of x.labelPairs) insertLabel(key, value, x.id);
    if (x.steps.length > 0) append(no, x.steps, [], []);
    if (x.maybeStanding) setStanding(level(no), no);
    if (x.startKey !== null) insertKey(...x.startKey, x.id, x.createdAt);
    tell(no, told);
    return { kind: 'created' };
  }

  return (batch, definitions) => {
    const missing = new Set<string>();
    const numbers = batch.map((x) => {
      const no = bodyNo(x.hash, Object.hasOwn(definitions, x.hash) ? definitions[x.hash] : undefined);
      if (no === undefined) missing.add(x.hash);
      return no;
    });
    if (missing.size > 0) return { kind: 'bodies', missing: [...missing] };
    return { kind: 'done', results: batch.map((x, i) => session.row(() => insert(x, numbers[i] as number))) };
  };
}
