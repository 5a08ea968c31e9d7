import { isSettled } from '../../src/core/delivery.ts';
import { callsOf } from '../../src/core/call/ending-call.ts';
import type { CallRow, StepRow } from '../../src/core/history.ts';
import { isWithin, itemsOf } from '../../src/core/context/scope.ts';
import type { State, Token, UndoTarget } from '../../src/core/state.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Checkpoint, InboxEvent, NewExecution, Tell, TerminalChange } from '../../src/ports/store.ts';
import type { Account } from './account.ts';
import { CallOrder } from './call-order.ts';
import { type DefinitionView, type KeyParts, keyParts, viewOf } from '../definition-view.ts';
import type { JsonObject } from '../../src/core/value/json.ts';
import { parseJson } from '../../src/core/value/json.ts';
import type { Departure } from '../links/http-link.ts';
import type { LeaseBook } from './lease-book.ts';
import { UnproductiveClaims } from './unproductive-claims.ts';

/** A rule that was broken. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}

/**
 * Everything that became durable, in order, and the rules that every single write and every single call must keep.
 * `rules.ts` has the rules about how things end.
 */
export class Ledger {
  readonly accounts: Map<string, Account> = new Map();
  readonly violations: Violation[] = [];
  /** Until when a process may not know that the queue, which was wiped, gave its executions to others. */
  amnestyUntil: number = -Infinity;
  readonly #monotonic: () => number;
  readonly #now: () => number;
  readonly #note: (what: string) => void;
  readonly #order: CallOrder = new CallOrder((rule, what) => this.blame(rule, what));
  /** The claims without progress. */
  readonly claims: UnproductiveClaims = new UnproductiveClaims((rule, what) => this.blame(rule, what));

  constructor(clock: Clock, note: (what: string) => void) {
    this.#monotonic = () => clock.monotonic();
    this.#now = () => clock.now();
    this.#note = note;
  }

  /** Records that a rule is broken. */
  blame(rule: string, what: string): void {
    this.#note(`VIOLATION ${rule}: ${what}`);
    this.violations.push({ rule, what });
  }

  /** Enters a new execution that is durable. A second time changes nothing. */
  submitted(execution: NewExecution): void {
    if (this.accounts.has(execution.id)) return;
    const now = this.#now();
    const account: Account = {
      id: execution.id,
      slot: execution.slot,
      definition: viewOf(parseJson(execution.definition) as JsonObject),
      state: execution.state,
      seq: 0,
      dueAt: execution.dueAt,
      touchedAt: this.#monotonic(),
      steps: [],
      undo: new Map(),
      calls: [],
      marks: new Map(),
      firstCalls: new Map(),
      begun: new Set(),
      departed: new Map(),
      compensated: new Set(),
      cancelled: new Set(),
      terminated: new Set(),
      resolved: new Set(),
      callbacks: new Set(),
      firstDueAt: Math.max(execution.dueAt ?? now, now),
      firstTakenAt: execution.claim === undefined ? undefined : now,
      parent: execution.parent,
      toldToEnd: new Set(),
      items: new Map(),
      ends: endOf(execution.state),
    };
    this.accounts.set(execution.id, account);
    if (execution.claim !== undefined) this.claims.takenOver(execution.id, execution.claim);
    this.#note(`${short(account.id)} submitted`);
    this.#append(account, execution.state, execution.steps, [], []);
    this.#told(execution.tells);
  }

  /** Enters a take-over under `claim`. */
  takenOver(id: string, claim: string, seq: number, dueAt: number): void {
    const account = this.accounts.get(id);
    if (account === undefined) return;
    account.seq = seq;
    account.firstTakenAt ??= this.#now();
    this.claims.takenOver(id, claim);
    // The take-over of a parked execution makes it runnable in the same transaction.
    account.dueAt = Math.min(dueAt, this.#now());
    account.touchedAt = this.#monotonic();
    this.#note(`${short(id)} taken over, seq ${String(seq)}`);
  }

  /** Enters a checkpoint that was answered as written; a repeated one changes nothing. */
  written(checkpoint: Checkpoint): void {
    const account = this.accounts.get(checkpoint.id);
    if (account === undefined) {
      this.blame('durable', `a checkpoint of ${checkpoint.id}, which was never submitted`);
      return;
    }
    if (account.seq === checkpoint.seq + 1) return;
    account.seq = checkpoint.seq + 1;
    const { end } = account.state;
    if (end !== undefined && (isSettled(account.state) || checkpoint.state.end?.status !== end.status)) {
      this.blame('one outcome', `${short(account.id)} was ${end.status} and was written again`);
    }
    if (checkpoint.dueAt !== undefined) account.dueAt = checkpoint.dueAt;
    this.claims.written(checkpoint);
    if (end === undefined) account.ends.push(...endOf(checkpoint.state));
    this.#append(account, checkpoint.state, checkpoint.steps, callsOf(checkpoint), checkpoint.undo);
    this.#told(checkpoint.tells);
    if (checkpoint.terminatesChildren === undefined) return;
    for (const child of this.accounts.values()) {
      if (child.parent?.id === account.id) child.toldToEnd.add(child.state.round);
    }
  }

  /** Enters a retry or resolve of a terminal execution. */
  changed(change: TerminalChange): void {
    const account = this.accounts.get(change.id);
    // The answer to a repetition of the write may come long after it.
    if (account === undefined || account.seq > change.seq) return;
    if (account.state.end === undefined) this.blame('one outcome', `${short(account.id)} was changed while it ran`);
    account.seq = change.seq + 1;
    account.dueAt = change.dueAt;
    this.claims.progressed(account.id);
    account.ends.push(...endOf(change.state));
    this.#append(account, change.state, change.steps, callsOf(change), change.undo);
    this.#told(change.tells);
  }

  /** Enters what one execution told others, which makes them due. */
  #told(tells: readonly Tell[] = []): void {
    for (const { executionId, row } of tells) {
      const account = this.accounts.get(executionId);
      if (account === undefined || account.dueAt === null) continue;
      account.dueAt = Math.min(account.dueAt, this.#now());
      this.#note(`${short(executionId)} is told ${row.event.type}`);
      if (row.event.type === 'cancelled') account.toldToEnd.add(account.state.round);
    }
  }

  /** Enters an accepted event from outside. */
  accepted(id: string, event: InboxEvent): void {
    const account = this.accounts.get(id);
    if (account === undefined) return;
    const { round } = account.state;
    // The event makes it runnable in the same transaction.
    if (account.dueAt !== null) account.dueAt = Math.min(account.dueAt, this.#now());
    this.#note(`${short(id)} accepted ${event.type}`);
    if (event.type === 'cancelled') account.cancelled.add(round);
    else if (event.type === 'terminated') account.terminated.add(round);
    else if (event.type === 'resolved') account.resolved.add(`${String(round)} ${event.nodeId}`);
    else if (event.type === 'callback' && !event.pending) account.callbacks.add(operationOf(event));
  }

  /** Checks a call that leaves a process with these leases. */
  departing(who: string, departure: Departure, leases: Pick<LeaseBook, 'holds' | 'doubtOf'>): void {
    const { executionId, nodeId, key, attempt, compensates } = departure;
    const account = this.accounts.get(executionId);
    this.#note(`${who} calls ${key} attempt ${String(attempt)}`);
    if (account === undefined) {
      this.blame('checkpoint before call', `${key}: its execution is not durable`);
      return;
    }
    const of = keyParts(key);
    if (of.nodeId !== nodeId || of.executionId !== executionId) this.blame('keys', `${key} is sent for node ${nodeId}`);
    if (!leases.holds(executionId)) this.blame('lease', `${who} calls ${key} after its lease is over`);
    const doubt = leases.doubtOf(executionId);
    if (doubt !== undefined) {
      this.blame(
        'lapse',
        `${who} calls ${key} under a lease that a ${doubt} brought back, and has not asked the store since`,
      );
    }
    if (!isTakenOver(account, of)) this.#countDeparture(who, account, of, departure);
    if (of.phase === 'DOWN' && compensates !== undefined) account.compensated.add(compensates);
    if (of.phase === 'UP' && !isTakenOver(account, of))
      account.begun.add(`${String(account.state.round)} ${nodeId} ${String(of.visit)}`);
    if (of.phase === 'UP') this.#mayForward(account, nodeId, attempt, key);
  }

  /** Checks that a call was released, once, and after those before it. */
  #countDeparture(who: string, account: Account, of: KeyParts, departure: Departure): void {
    const { key, attempt } = departure;
    const mark = this.#markFor(account, of, attempt);
    const departed = (account.departed.get(mark) ?? 0) + 1;
    account.departed.set(mark, departed);
    const granted = account.marks.get(mark)?.size ?? 0;
    this.#order.leaves(who, account, of, departure, Math.max(...(account.marks.get(mark) ?? [])));
    if (granted === 0) this.blame('checkpoint before call', `${key}, attempt ${String(attempt)} is not durable`);
    else if (departed > granted) this.blame('calls once', `${key}, attempt ${String(attempt)} leaves twice`);
    const isNext = account.calls.some(
      (row) =>
        row.round === (of.phase === 'HOOK' ? of.round : account.state.round) &&
        row.phase === of.phase &&
        row.nodeId === of.nodeId &&
        row.visit === of.visit &&
        row.attempt === attempt - 1,
    );
    if (attempt > 1 && !isNext && !this.#isExcused)
      this.blame('attempts', `${key}, attempt ${String(attempt)} leaves, and none before it was made`);
  }

  /**
   * The mark under which a call leaves. A mark of an earlier round counts only if the process may not know of the next
   * round, and for a hook also if a retry came between its checkpoint and its call.
   */
  #markFor({ marks, state }: Account, { phase, nodeId, visit, round: own }: KeyParts, attempt: number): string {
    if (phase === 'HOOK') return markOf(own, phase, nodeId, visit, attempt);
    const now = markOf(state.round, phase, nodeId, visit, attempt);
    for (let round = state.round - 1; round > 0 && !marks.has(now) && this.#isExcused; round--) {
      const before = markOf(round, phase, nodeId, visit, attempt);
      if (marks.has(before)) return before;
    }
    return now;
  }

  get #isExcused(): boolean {
    return this.#monotonic() <= this.amnestyUntil;
  }

  #mayForward(account: Account, nodeId: string, attempt: number, key: string): void {
    const { state, definition } = account;
    const isDecided = state.verdict !== undefined || state.end !== undefined;
    if (isDecided && !this.#isExcused) {
      this.blame('no new calls', `${key} leaves after the end was decided`);
    }
    if (attempt > 1 || nodeId === definition.entrypoint) return;
    const before = definition.before.get(nodeId) ?? new Set();
    const isReached = account.steps.some(
      (row) =>
        row.round === state.round &&
        before.has(row.nodeId) &&
        (row.final || !['UP', 'CALLBACK', 'DOWN'].includes(row.phase)),
    );
    if (!isReached) this.blame('order of nodes', `${key} leaves before any node that leads to it is done`);
  }

  #append(
    account: Account,
    state: State,
    steps: readonly StepRow[],
    calls: readonly CallRow[],
    undo: Checkpoint['undo'],
  ): void {
    account.state = state;
    account.touchedAt = this.#monotonic();
    for (const row of steps) {
      account.steps.push(row);
      if (row.undo !== undefined) account.undo.set(row.ord, row.undo);
      this.#note(
        `${short(account.id)} row ${String(row.ord)} ${row.phase} ${row.nodeId}#${String(row.visit)} ${row.outcome}`,
      );
      this.#checkTimeout(account, row, steps);
    }
    for (const row of calls) account.calls.push(row);
    for (const mark of undo) {
      if (mark.kind === 'set') {
        account.undo.set(mark.ord, mark.undo);
        // An operator declares that the effect remains, whatever became of its compensation, so a later round may count
        // on it.
        const settled = mark.undo === 'accepted' ? account.steps.find(({ ord }) => ord === mark.ord) : undefined;
        if (settled?.key !== undefined) account.compensated.delete(settled.key);
      } else {
        for (const row of account.steps) {
          if (row.round === mark.round && account.undo.get(row.ord) === 'failed') account.undo.set(row.ord, 'reopened');
        }
      }
    }
    for (const token of state.tokens) this.#mark(account, token);
    for (const row of steps) this.#item(account, row.round, row.scope);
    for (const token of state.tokens) this.#item(account, state.round, token.scope);
    if (state.end !== undefined) {
      const { status, reason = '' } = state.end;
      this.#note(
        `${short(account.id)} ends ${status} ${reason}${isSettled(state) ? '' : ', its hook is to be delivered'}`,
      );
    }
  }

  /** An accepted callback decides: a later timeout does not. A cancel comes before both. */
  #checkTimeout(account: Account, row: StepRow, together: readonly StepRow[]): void {
    // Another callback, which came with it, may have failed the execution or its branch.
    if (together.some((other) => other.phase === 'CALLBACK' && other.outcome === 'rejected')) return;
    if (account.cancelled.has(row.round) || account.terminated.has(row.round)) return;
    if (account.toldToEnd.has(row.round)) return;
    if (row.phase !== 'CALLBACK' || row.output?.failure?.reason !== 'callback_timeout') return;
    const operation = row.key === undefined ? 1 : keyParts(row.key).operation;
    if (account.callbacks.has(operationOf({ ...row, operation }))) {
      this.blame(
        'accepted callbacks',
        `${row.nodeId} of ${short(account.id)} timed out after its callback was accepted`,
      );
    }
  }

  /** The items that a scope belongs to have begun; each begins once in a visit of its loop. */
  #item(account: Account, round: number, scope: string): void {
    for (const { nodeId, visit, ord, place, scope: item } of itemsOf(scope)) {
      const loop = item.slice(0, item.lastIndexOf('/'));
      const of = `${String(round)} ${loop} ${String(place)}`;
      const before = account.items.get(of);
      if (before === undefined) account.items.set(of, item);
      else if (before !== item) {
        const where = `${nodeId}#${String(visit)} (row ${String(ord)})`;
        this.blame('items', `${short(account.id)} begins item ${String(place)} of ${where} twice`);
      }
    }
  }

  #mark(account: Account, token: Token): void {
    const { stage } = token;
    if (stage.kind === 'calling') {
      const { visit, attempt } = stage.task;
      this.#grant(account, 'UP', token.nodeId, visit, attempt, stage.callId);
      const of = `${String(account.state.round)} ${token.nodeId} ${String(visit)}`;
      if (!account.begun.has(of)) account.firstCalls.set(of, stage.callId);
    } else if (stage.kind === 'hook' && stage.callId !== undefined) {
      this.#grant(account, 'HOOK', stage.run.hook, stage.run.visit, stage.run.attempt, stage.callId);
    } else if (stage.kind === 'child') {
      const of = `${String(account.state.round)} ${token.nodeId} ${String(stage.child.visit)}`;
      account.firstCalls.set(of, stage.child.startOrd);
    } else if (stage.kind === 'unwinding' && stage.undo !== undefined && stage.callId !== undefined) {
      const { target, attempt } = stage.undo;
      const isNew = this.#grant(account, 'DOWN', target.nodeId, target.visit, attempt, stage.callId);
      if (isNew && attempt === 1) this.#checkOrder(account, token, stage, target);
    }
  }

  /** Enters a call that a checkpoint releases; false when an earlier checkpoint did. */
  #grant(account: Account, phase: string, nodeId: string, visit: number, attempt: number, callId: number): boolean {
    const mark = markOf(account.state.round, phase, nodeId, visit, attempt);
    const ids = account.marks.get(mark) ?? new Set();
    account.marks.set(mark, ids);
    if (ids.has(callId)) return false;
    ids.add(callId);
    return true;
  }

  /** Unknown outcomes first, latest started first; then completed ones in reverse; then rejected ones in reverse. */
  #checkOrder(
    account: Account,
    token: Token,
    stage: Extract<Token['stage'], { kind: 'unwinding' }>,
    target: UndoTarget,
  ): void {
    const { goal } = stage;
    const wanted = goal.kind === 'end' && goal.reopened === true ? 'reopened' : 'pending';
    const rankOf = (row: StepRow): number => ['unknown', 'succeeded', 'rejected'].indexOf(row.outcome);
    const sortOf = (row: StepRow): number =>
      row.outcome === 'unknown'
        ? isOfLaterItem(account, row)
          ? (row.undoSort ?? 0)
          : (account.firstCalls.get(`${String(row.round)} ${row.nodeId} ${String(row.visit)}`) ?? 0)
        : row.ord;
    const due = account.steps
      .filter((row) => row.round === account.state.round && mustUndo(account.definition, row))
      .filter((row) => account.undo.get(row.ord) === wanted && isWithin(row.scope, token.scope))
      .filter((row) => goal.kind !== 'route' || (row.nodeId === token.nodeId && row.visit === goal.visit))
      .sort((a, b) => rankOf(a) - rankOf(b) || sortOf(b) - sortOf(a));
    const first = due[0];
    if (first?.ord === target.ord) return;
    this.blame(
      'compensation order',
      `${short(account.id)} compensates ${target.nodeId}#${String(target.visit)} (row ${String(target.ord)}), ` +
        `but it was the turn of ${first === undefined ? 'nothing' : `${first.nodeId}#${String(first.visit)} (row ${String(first.ord)})`}`,
    );
  }
}

/** How a round ended, if it has. */
function endOf({ end, round }: State): Account['ends'] {
  return end === undefined ? [] : [{ round, status: end.status, reason: end.reason }];
}

/**
 * Whether a call goes out under the key of an earlier round, within a loop: there any visit may take over an effect with the same request, so
 * the key does not tell which one it is.
 */
function isTakenOver({ state, definition }: Account, { phase, round, nodeId }: KeyParts): boolean {
  return phase === 'UP' && round < state.round && definition.bodies.has(nodeId);
}

/** Whether the ledger may not know when a visit began, since its calls may have the key of another one. */
function isOfLaterItem({ definition }: Account, { round, nodeId }: StepRow): boolean {
  return round > 1 && definition.bodies.has(nodeId);
}

/** Whether a row decides a visit that its definition wants compensated. */
export function mustUndo(definition: DefinitionView, row: StepRow): boolean {
  if (!row.final) return false;
  if (row.phase === 'WORKFLOW') return row.undo !== undefined;
  if (row.phase !== 'UP' && row.phase !== 'CALLBACK') return false;
  const task = definition.tasks.get(row.nodeId);
  if (task?.hasCompensation !== true) return false;
  if (row.outcome === 'unknown') return task.compensateWhen !== 'completed';
  return row.outcome === 'succeeded' || (row.outcome === 'rejected' && task.compensateWhen === 'attempted');
}

/** The end of an id, which tells the executions of one run apart. */
export function short(id: string): string {
  return id.slice(-4);
}

function markOf(round: number, phase: string, nodeId: string, visit: number, attempt: number): string {
  return `${String(round)} ${phase} ${nodeId} ${String(visit)} ${String(attempt)}`;
}

function operationOf(of: {
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly operation: number;
}): string {
  return `${String(of.round)} ${of.nodeId} ${String(of.visit)} ${String(of.operation)}`;
}
