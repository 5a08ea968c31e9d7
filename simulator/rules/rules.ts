import type { StepRow } from '../../src/core/history.ts';
import type { JsonObject } from '../../src/core/value/json.ts';
import { keyParts } from '../definition-view.ts';
import type { Downstreams, Operation } from '../downstreams.ts';
import { type Ledger, mustUndo, short } from './ledger.ts';
import type { Account } from './account.ts';
import { type Blame, checkChildren, checkFirsts, checkItems, type Standing } from '../language/rules.ts';

/** Checks one execution that is over, when nothing is under way any more. `document` is its status document. */
export function checkExecution(ledger: Ledger, downstreams: Downstreams, account: Account, document: JsonObject): void {
  const { end } = account.state;
  const blame = (rule: string, what: string): void =>
    ledger.blame(rule, `${short(account.id)} ${end?.status ?? ''}: ${what}`);
  if (end === undefined) return;
  if (document['status'] !== end.status) blame('durable', `the store shows ${JSON.stringify(document['status'])}`);
  checkHistory(account, blame);
  checkAccepted(account, blame);
  checkResolved(account, blame);
  checkHook(account, blame);
  // A quarantined execution remains unchanged, including its calls in flight, until an operator retries it.
  if (end.reason === 'engine') return;
  const standing = document['standing'] as readonly unknown[] as readonly Standing[];
  for (const operation of downstreams.operationsOf(account.id)) {
    if (account.definition.tasks.get(operation.nodeId)?.mutating !== true) continue;
    checkOperation(account, operation, standing, blame);
  }
  if (end.status === 'SUCCEEDED') checkSuccess(account, downstreams, blame);
  checkStanding(account, downstreams, standing, blame);
  checkItems(account, blame);
  checkFirsts(account, downstreams, blame);
  checkChildren(ledger, downstreams, account, standing, blame);
}

function checkHistory(account: Account, blame: Blame): void {
  const ords = new Set<number>();
  for (const { ord } of [...account.steps, ...account.calls]) {
    if (ords.has(ord)) blame('history', `two rows have the ord ${String(ord)}`);
    ords.add(ord);
  }
  const seen = new Map<string, StepRow>();
  for (const row of account.steps) {
    if (row.repeat === true || row.outcome === 'pending' || row.phase === 'RESOLVE') continue;
    // A loop and the start of a child have a row at their begin, too, and a parent leaves rows in the history of its child.
    if ((row.phase === 'FOREACH' || row.phase === 'WORKFLOW') && !row.final) continue;
    const of = `${row.phase} ${row.nodeId}#${String(row.visit)} of round ${String(row.round)}`;
    const before = seen.get(of);
    // A compensation that failed or was settled by hand may have another row after a retry, and a hook after the end.
    const isFurther =
      (row.phase === 'DOWN' || row.phase === 'HOOK') && before !== undefined && before.outcome !== 'succeeded';
    if (before !== undefined && !isFurther) blame('history', `two rows for ${of}`);
    seen.set(of, row);
    checkOutcome(account, row, blame);
  }
}

/** One attempt of unknown outcome makes the visit unknown, unless a callback or an operator decided otherwise. */
function checkOutcome(account: Account, row: StepRow, blame: Blame): void {
  if (row.phase !== 'UP' || !row.final || (row.outcome !== 'rejected' && row.outcome !== 'unsent')) return;
  const isVisit = (other: { nodeId: string; visit: number; round: number }): boolean =>
    other.nodeId === row.nodeId && other.visit === row.visit && other.round === row.round;
  if (account.steps.some((other) => other.phase === 'RESOLVE' && isVisit(other))) return;
  if (account.calls.some((call) => call.phase === 'UP' && isVisit(call) && call.outcome === 'unknown')) {
    blame(
      'unknown stays unknown',
      `${row.nodeId}#${String(row.visit)} is ${row.outcome} in spite of an unknown attempt`,
    );
  }
}

/** Requests that were accepted took effect. */
function checkAccepted(account: Account, blame: Blame): void {
  for (const { round, status, reason } of account.ends) {
    if (reason === 'engine') continue;
    if (account.terminated.has(round)) {
      if (status !== 'TERMINATED' && !account.ends.some((end) => end.round === round && end.status === 'TERMINATED')) {
        blame('accepted terminate', `round ${String(round)} ended ${status}`);
      }
    } else if (
      account.cancelled.has(round) &&
      !account.toldToEnd.has(round) &&
      status !== 'CANCELLED' &&
      status !== 'CORRUPTED'
    ) {
      blame('accepted cancel', `round ${String(round)} ended ${status}`);
    }
  }
}

/** Settlements by operators are on record, unless another accepted request came before. */
function checkResolved(account: Account, blame: Blame): void {
  for (const of of account.resolved) {
    const [round, nodeId] = of.split(' ');
    const isOvertaken =
      account.cancelled.has(Number(round)) ||
      account.terminated.has(Number(round)) ||
      account.toldToEnd.has(Number(round)) ||
      [...account.callbacks].some((callback) => callback.startsWith(`${of} `)) ||
      account.ends.some((end) => end.reason === 'engine');
    const isRecorded = account.steps.some(
      (row) => row.phase === 'RESOLVE' && row.nodeId === nodeId && row.round === Number(round),
    );
    if (!isOvertaken && !isRecorded)
      blame('accepted resolve', `${String(nodeId)} of round ${String(round)} is not on record`);
  }
}

/** Every call of the hook of the end is on record, and a hook was given up only if its receiver refused it for good. */
function checkHook({ state, calls }: Account, blame: Blame): void {
  const { hook } = state;
  if (hook === undefined) return;
  const made = calls.filter(
    (row) => row.phase === 'HOOK' && row.round === state.round && row.nodeId === hook.hook && row.visit === hook.visit,
  );
  if (made.length !== hook.attempt) {
    blame('hooks', `${hook.hook} counts ${String(hook.attempt)} calls, and ${String(made.length)} are on record`);
  }
  const last = made.at(-1);
  if (!hook.isDelivered && last?.statusCode !== 404)
    blame('hooks', `${hook.hook} was given up: ${String(last?.error)}`);
  if (hook.isDelivered && last?.outcome !== 'succeeded') blame('hooks', `${hook.hook} was not delivered`);
}

function isStanding(operation: Operation): boolean {
  return operation.state === 'done' && !operation.undone;
}

/**
 * The row of this operation. A later round that asked for the operation again without success has not taken it over.
 */
function rowOf(account: Account, operation: Operation): StepRow | undefined {
  const rows = account.steps.filter((row) => row.key === operation.key && row.final);
  return rows.findLast((row) => row.effect !== undefined && account.undo.get(row.ord) !== 'moved') ?? rows.at(-1);
}

/** An effect that exists downstream must be allowed to, and must be shown. */
function checkOperation(account: Account, operation: Operation, standing: readonly Standing[], blame: Blame): void {
  if (!isStanding(operation)) return;
  const row = rowOf(account, operation);
  const { status } = account.state.end ?? {};
  if (row === undefined) {
    blame('effects', `${operation.key} was done, and the history does not say so`);
    return;
  }
  const undo = account.undo.get(row.ord);
  const mayStand = !mustUndo(account.definition, row) || undo === 'accepted';
  const isSuccess = status === 'SUCCEEDED' && row.outcome === 'succeeded' && row.round === account.state.round;
  const isOlder = row.round !== account.state.round && undo !== 'done' && undo !== 'resolved';
  if (!mayStand && !isSuccess && !isOlder && status !== 'CORRUPTED' && status !== 'TERMINATED') {
    blame('compensation', `${operation.key} stands (${row.outcome}, undo ${String(undo)})`);
  }
  if (status === 'SUCCEEDED') return;
  const isListed = standing.some(
    ({ nodeId, visit, round }) => nodeId === row.nodeId && visit === row.visit && round === row.round,
  );
  if (!isListed) blame('standing', `${operation.key} stands and is not listed (${row.outcome}, undo ${String(undo)})`);
}

/** Everything that is done according to the history was done, and is not undone. */
function checkSuccess(account: Account, downstreams: Downstreams, blame: Blame): void {
  for (const row of account.steps) {
    if (row.round !== account.state.round || !row.final || row.outcome !== 'succeeded' || row.key === undefined)
      continue;
    const task = account.definition.tasks.get(row.nodeId);
    if (task?.mutating !== true) continue;
    const undo = account.undo.get(row.ord);
    if (undo === 'done' || undo === 'resolved' || undo === 'accepted') continue;
    const operation = downstreams.find(row.key);
    if (operation === undefined || !isStanding(operation)) {
      blame('success', `${row.key} is ${operation?.undone === true ? 'undone' : (operation?.state ?? 'unheard of')}`);
    }
  }
}

/** Every listed effect exists downstream, or is unknown. */
function checkStanding(account: Account, downstreams: Downstreams, standing: readonly Standing[], blame: Blame): void {
  for (const { nodeId, visit, round, outcome } of standing) {
    // What stands of a child is in its own history.
    if (account.definition.starts.has(nodeId)) continue;
    const row = account.steps.findLast(
      (one) => one.nodeId === nodeId && one.visit === visit && one.round === round && one.final,
    );
    const key = row?.key;
    if (key === undefined) {
      blame('standing', `${nodeId}#${String(visit)} of round ${String(round)} is listed and has no row`);
      continue;
    }
    // A compensation whose own outcome is unknown may have undone it.
    if (outcome === 'unknown' || account.compensated.has(key)) continue;
    const operation = downstreams.find(key);
    // An operator may have undone it by hand, and not been heard.
    if (operation?.isSettled === true) continue;
    if (operation === undefined || !isStanding(operation)) {
      blame('standing', `${key} is listed as succeeded and is ${operation?.state ?? 'unheard of'}`);
    }
    if (keyParts(key).nodeId !== nodeId) blame('keys', `${nodeId} has the key ${key}`);
  }
}
