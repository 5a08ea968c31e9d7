import { idempotencyKey } from '../call/keys.ts';
import type { ChildView } from '../context/context.ts';
import type { Draft } from '../draft.ts';
import type { ChildEndedEvent, Event } from '../event.ts';
import type { StepOutput, StepRow } from '../history.ts';
import type { WorkflowPlan } from '../plan.ts';
import type { ChildRun } from './child-run.ts';
import type { AttemptFailure, Token } from '../state.ts';
import { drainOf, failToken } from '../transition/failure.ts';
import { goTo, noteCompleted } from '../transition/route.ts';
import { childToken, endChild, isTakenOver, type Parenting, workflowNode } from './ending.ts';
import type { Mutable } from '../value/mutable.ts';

/** Maximum number of visits of a round, with those of children that have ended. */
const maxFamilyVisits = 1_000_000;

/** Greatest depth of an execution in its family; a root has depth 1. */
const maxDepth = 10;

/**
 * The course of a visit of a `workflow` node, which starts another execution, its child.
 *
 * starting --childStarted--> running (or done, if the node does not wait) --childEnded--> done | failed. A child is told to end when its
 * time is over or the scope of the visit fails (`ending`); its end is awaited all the same, so its outcome is never left unknown.
 *
 * The id of the child is in the state before the engine stores the child, so a child is started exactly once. Its end is in the inbox with
 * the commit that ended it, so an end is never lost; a child can have several ends, which are counted (`ChildRun.after`).
 *
 * This begins a visit: the engine stores the child once the transition is durable.
 */
export function startChild(d: Draft, token: Token, node: WorkflowPlan, visit: number): void {
  const child: ChildRun = { visit, id: d.env.executionId(), startOrd: d.newCallId() };
  const started = d.move(token, { kind: 'child', part: 'starting', since: d.now, child }) as Parenting;
  const why = refusalOf(d);
  if (why !== undefined) refuse(d, started, node, why, why);
  else d.command({ type: 'startChild', tokenId: token.id, childId: child.id });
}

function refusalOf({ state, header }: Draft): string | undefined {
  if ((header.depth ?? 1) >= maxDepth) return `The family would be deeper than ${String(maxDepth)} executions.`;
  if (state.totalVisits + (state.childVisits ?? 0) < maxFamilyVisits) return undefined;
  return `The execution and its children made ${String(maxFamilyVisits)} node visits, which is the limit of a family.`;
}

/** Issues the commands of visits again whose children may not be stored. */
export function restartChildren(d: Draft): void {
  for (const { id, stage } of d.tokens) {
    if (stage.kind !== 'child' || stage.part !== 'starting') continue;
    d.command({ type: 'startChild', tokenId: id, childId: stage.child.id, again: true });
  }
}

/** The child is stored. */
export function childStarted(d: Draft, event: Extract<Event, { type: 'childStarted' }>): void {
  const token = childToken(d.tokens, event.childId);
  if (token?.stage.part !== 'starting') return;
  const node = workflowNode(d, token.nodeId);
  const child: ChildRun = { ...token.stage.child, fingerprint: event.fingerprint };
  const { since } = token.stage;
  if (!node.wait) {
    completeStart(d, d.move(token, { ...token.stage, child }) as Parenting, node);
    return;
  }
  recordStart(d, token, node);
  const until = node.timeoutMillis === undefined ? undefined : { until: d.now + node.timeoutMillis };
  const running = d.move(token, { kind: 'child', part: 'running', since, child, ...until }) as Parenting;
  if (drainOf(d, running) !== undefined) endChild(d, running);
}

/** An execution of an earlier round takes the place of the child. */
export function childFound(d: Draft, { childId, fingerprint, found }: Extract<Event, { type: 'childFound' }>): void {
  const token = childToken(d.tokens, childId);
  if (token?.stage.part !== 'starting' || token.stage.child.supersedes !== undefined) return;
  if (isTakenOver(d.tokens, found.ord)) {
    // Another item was faster: the engine looks for a further one.
    d.command({ type: 'startChild', tokenId: token.id, childId });
    return;
  }
  const { visit, startOrd } = token.stage.child;
  const child: ChildRun = {
    visit,
    startOrd,
    id: found.id,
    supersedes: found.ord,
    after: found.ends,
    fingerprint,
  };
  d.move(token, { ...token.stage, child });
  d.command({ type: 'startChild', tokenId: token.id, childId: found.id });
}

/** The child cannot be started. */
export function childRefused(d: Draft, event: Extract<Event, { type: 'childRefused' }>): void {
  const token = childToken(d.tokens, event.childId);
  if (token?.stage.part !== 'starting') return;
  refuse(d, token, workflowNode(d, token.nodeId), event.reason, event.logged ?? event.reason);
}

function refuse(d: Draft, token: Parenting, node: WorkflowPlan, why: string, logged: string): void {
  const failure: AttemptFailure = { outcome: 'unsent', reason: 'unsent', description: why, logged };
  failVisit(d, token, node, failure, { failure: { outcome: 'unsent', reason: 'unsent' } });
}

/** Handles the end of a child whose visit awaits it. Returns false if no visit does. */
export function awaitedEnd(d: Draft, event: ChildEndedEvent): boolean {
  const token = childToken(d.tokens, event.childId);
  if (token === undefined) return false;
  const { stage } = token;
  if (event.end <= (stage.child.after ?? 0)) return true;
  const node = workflowNode(d, token.nodeId);
  d.state.childVisits = (d.state.childVisits ?? 0) + event.visits;
  if (stage.part === 'starting') {
    if (!node.wait) {
      completeStart(d, token, node);
      return true;
    }
    recordStart(d, token, node);
  }
  settle(d, token, node, event);
  return true;
}

/** Ends a visit by the end of its child. */
function settle(d: Draft, token: Parenting, node: WorkflowPlan, event: ChildEndedEvent): void {
  const { status, reason, statusCode } = event;
  const child: ChildView = { id: event.childId, status, ...(reason === undefined ? undefined : { reason }) };
  if (status === 'SUCCEEDED') {
    complete(d, token, node, {
      response: { status: null, headers: {}, body: event.result ?? null },
      child,
    });
    return;
  }
  const outcome = status === 'CORRUPTED' || status === 'TERMINATED' ? 'unknown' : 'rejected';
  const isLate = token.stage.child.isLate === true && status === 'CANCELLED';
  const code = statusCode === undefined ? undefined : { statusCode };
  const text = event.description === undefined ? '' : ` ${event.description}`;
  const failure: AttemptFailure = {
    outcome,
    reason: isLate ? 'timeout' : 'child',
    description: isLate
      ? `The execution ${event.childId} did not end within ${String(node.timeoutMillis ?? 0)} ms and was cancelled.`
      : `The execution ${event.childId} ended ${status}.${text}`,
    logged: `The execution ${event.childId} ended ${status}.`,
    ...code,
  };
  const view = { outcome, reason: isLate ? 'timeout' : (reason ?? 'child'), ...code } as const;
  failVisit(d, token, node, failure, { failure: view, child }, event.standing);
}

/** Has the children of an execution terminated that was terminated itself; the checkpoint of its end tells the first ones. */
export function terminateChildren(d: Draft): void {
  if (d.plan.starts === undefined) return;
  d.state.tellsChildren = `terminate:${d.header.id}:${String(d.state.ord)}`;
  retellChildren(d);
}

/** Goes on to tell children of a terminate. */
export function retellChildren(d: Draft): void {
  const { tellsChildren } = d.state;
  if (tellsChildren !== undefined) d.command({ type: 'terminateChildren', eventId: tellsChildren });
}

/** Settles the visit of a token whose execution is terminated; the engine terminates the child. */
export function settleTerminated(d: Draft, token: Parenting): void {
  const { stage } = token;
  if (stage.part === 'starting' && d.withdrawStart(token.id)) return;
  const node = workflowNode(d, token.nodeId);
  if (stage.part === 'starting') recordStart(d, token, node);
  const failure: AttemptFailure = {
    outcome: 'unknown',
    reason: 'terminated',
    description: 'Given up, since the execution was terminated, and its children with it.',
  };
  const view = { outcome: 'unknown', reason: 'terminated' } as const;
  recordFailure(d, token, node, failure, { failure: view, child: { id: stage.child.id } }, true);
}

/** The fields that all rows of a visit have. */
function rowOf(
  d: Draft,
  { scope, stage }: Parenting,
  node: WorkflowPlan,
  of: Required<Pick<StepRow, 'outcome' | 'output' | 'final'>>,
): Mutable<StepRow> {
  return {
    // The draft gives the row its ord.
    ord: 0,
    at: d.now,
    round: d.state.round,
    nodeId: node.id,
    index: node.index,
    phase: 'WORKFLOW',
    visit: stage.child.visit,
    attempt: 1,
    outcome: of.outcome,
    startedAt: stage.since,
    attemptAt: stage.since,
    scope,
    output: of.output,
    final: of.final,
    child: stage.child.id,
  };
}

function recordStart(d: Draft, token: Parenting, node: WorkflowPlan): void {
  const { id } = token.stage.child;
  d.step(rowOf(d, token, node, { outcome: 'succeeded', output: { child: { id } }, final: false }));
}

/** Ends a visit that does not wait: its child has started. */
function completeStart(d: Draft, token: Parenting, node: WorkflowPlan): void {
  const { id } = token.stage.child;
  complete(d, token, node, { response: { status: null, headers: {}, body: { id } }, child: { id } });
}

/** Ends a visit successfully and moves the token on. */
function complete(d: Draft, token: Parenting, node: WorkflowPlan, output: StepOutput): void {
  const row = rowOf(d, token, node, { outcome: 'succeeded', output, final: true });
  const ord = d.state.ord + 1;
  row.effect = 'succeeded';
  markUndo(d, row, node, 2, ord);
  if (row.undo !== undefined) row.prev = { nodeId: node.id, ord };
  finalRow(d, token, node, row);
  noteCompleted(d, node.id);
  const drained = drainOf(d, token) !== undefined;
  const done = d.put({ ...token, stage: { kind: 'ready' }, prev: { nodeId: node.id, ord: row.ord } });
  if (drained) d.remove(done);
  else goTo(d, done, node.next);
}

/** Ends a visit that has failed, and follows its route or fails its scope. `stands`: effects of the child stand. */
function failVisit(
  d: Draft,
  token: Parenting,
  node: WorkflowPlan,
  failure: AttemptFailure,
  output: StepOutput,
  stands = false,
): void {
  const row = recordFailure(d, token, node, failure, output, stands);
  const { visit } = token.stage.child;
  failToken(d, d.move(token, { kind: 'ready' }), failure, { visit, undoFirst: row.undo === 'pending' });
}

function recordFailure(
  d: Draft,
  token: Parenting,
  node: WorkflowPlan,
  failure: AttemptFailure,
  output: StepOutput,
  stands: boolean,
): StepRow {
  const { outcome, description, statusCode } = failure;
  const row = rowOf(d, token, node, { outcome, output, final: true });
  row.note = description;
  if (statusCode !== undefined) row.statusCode = statusCode;
  if (outcome === 'unsent') delete row.child;
  if (stands || outcome === 'unknown') row.effect = 'unknown';
  if (outcome === 'unknown') markUndo(d, row, node, 1, token.stage.child.startOrd);
  if (row.undo !== undefined && token.prev !== undefined) row.prev = token.prev;
  return finalRow(d, token, node, row);
}

/** Marks a visit for compensation. With "none", only a child that was not awaited may have to be ended. */
function markUndo(d: Draft, row: Mutable<StepRow>, node: WorkflowPlan, rank: 1 | 2, sort: number): void {
  if (node.compensation === 'none' && node.wait) return;
  row.undo = 'pending';
  row.undoRank = rank;
  row.undoSort = sort;
  row.key = idempotencyKey(d.header.id, d.state.round, node.id, row.visit, 'UP');
}

function finalRow(d: Draft, token: Parenting, node: WorkflowPlan, row: Mutable<StepRow>): StepRow {
  const { fingerprint, supersedes } = token.stage.child;
  if (fingerprint !== undefined) row.fingerprint = fingerprint;
  d.step(row);
  if (supersedes !== undefined) d.mark({ kind: 'set', ord: supersedes, undo: 'moved' });
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'workflow',
    outcome: row.outcome === 'pending' ? 'unknown' : row.outcome,
    durationMillis: d.now - token.stage.since,
    visit: row.visit,
  });
  return row;
}
