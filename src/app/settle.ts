import { apply } from '../core/apply.ts';
import { hookStatus } from '../core/delivery.ts';
import type { Event, ResolvedEvent } from '../core/event.ts';
import { isOfPlaces } from '../core/context/scope.ts';
import type { Json } from '../core/value/json.ts';
import { dueAt } from '../core/due.ts';
import type { UndoTarget } from '../core/state.ts';
import { summarize } from '../core/summary.ts';
import type { ExecutionDetail } from '../ports/records.ts';
import { isExpected } from '../ports/store/revision.ts';
import { type Answer, changedSince, granted, refused, type Refusal, unknownExecution } from './answer.ts';
import { type Accepted, offer } from './control.ts';
import { unfinishedOf } from './queries/effects.ts';
import { refuseChild, refuseForeign } from './family/refuse-child.ts';
import { type AppContext, reasonWithout } from './context.ts';
import { decidingEnv, isOver, runOf } from './queries/run-view.ts';

/** Lost races after which the client is asked to try again. */
const maxRaces = 5;

/**
 * Retries an execution that is over: starts a new round of a FAILED or CANCELLED one (TERMINATED: with `force`), or
 * runs the compensations of a CORRUPTED one again. Only a CORRUPTED one may have a parent.
 */
export function retry(app: AppContext, id: string, force: boolean): Promise<Answer<Accepted>> {
  return decide(
    app,
    id,
    async (detail) =>
      (await refuseChild(app, detail)) ??
      (await refuseForeign(app, detail)) ??
      changeTerminal(app, detail, { type: 'retried', force }, retryConflict),
  );
}

function retryConflict(detail: ExecutionDetail): string {
  if (detail.status === 'TERMINATED') return 'A TERMINATED execution is retried only with { "force": true }.';
  if (isOver(detail)) return `A ${detail.status} execution cannot be retried.`;
  return `The execution is ${detail.status}; only one that has ended can be retried.`;
}

/**
 * Takes back an execution that has SUCCEEDED: its compensations run as if it had failed at its end. `reason` becomes its
 * failure description. Of two at once, one is accepted. Refused with `nothing_to_undo` if nothing of it has a
 * compensation.
 */
export function undo(app: AppContext, id: string, reason: string): Promise<Answer<Accepted>> {
  const event = { type: 'undone', reason: reasonWithout(app, reason) } as const;
  return decide(app, id, async (detail) => {
    if (detail.status !== 'SUCCEEDED') return refused('state_conflict', undoConflict(detail));
    const refusal = (await refuseForeign(app, detail)) ?? (await refuseEmptyUndo(app, detail));
    if (refusal !== undefined) return refusal;
    return changeTerminal(app, detail, event, undoConflict);
  });
}

/** Why an execution cannot be undone in its status. */
export function undoConflict(detail: ExecutionDetail): string {
  return isOver(detail)
    ? `The execution ended ${detail.status}; only one that has SUCCEEDED can be undone.`
    : `The execution is ${detail.status}; only one that has SUCCEEDED can be undone. While it runs, cancel it.`;
}

/** The refusal of an undo that would do nothing. */
async function refuseEmptyUndo(app: AppContext, { id, round }: ExecutionDetail): Promise<Refusal | undefined> {
  const pending = await app.store.listEffects(id, 1, { rounds: [round, round], undo: ['pending'] });
  if (pending.length > 0) return undefined;
  return refused(
    'nothing_to_undo',
    'No visit of the execution has a compensation that is due: there is nothing to undo.',
  );
}

/** Calls the hook of an execution that is over again: an undelivered hook or, with `force`, a delivered one. */
export function redeliver(app: AppContext, id: string, force: boolean): Promise<Answer<Accepted>> {
  return decide(app, id, (detail) => changeTerminal(app, detail, { type: 'redelivered', force }, redeliveryConflict));
}

function redeliveryConflict(detail: ExecutionDetail): string {
  if (!isOver(detail)) return `The execution is ${detail.status}; its hook is called when it ends.`;
  switch (hookStatus(detail.state)?.state) {
    case 'PENDING':
      return 'The hook is being called at this moment.';
    case 'DELIVERED':
      return 'The hook was delivered; it is called again only with { "force": true }.';
    case 'FAILED':
    case undefined:
      return `The execution ended ${detail.status} without a hook to call.`;
  }
}

/** The outcome that an operator states for a node. */
export interface Resolution {
  readonly nodeId: string;
  /** Absent: the latest unsettled visit. */
  readonly visit?: number;
  /** The places of the items that the visit belongs to, outermost first. */
  readonly item?: readonly number[];
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
  readonly body?: Json;
  readonly reason: string;
}

/**
 * Settles an unfinished compensation, or a node that waits, backs off or is blocked. Refused if there is nothing to
 * settle.
 */
export function resolve(app: AppContext, id: string, resolution: Resolution): Promise<Answer<Accepted>> {
  return decide(app, id, async (detail) => {
    const event = await eventOf(app, detail, resolution);
    if (event === undefined) return refused('state_conflict', nothingToSettle(resolution));
    if (!isOver(detail)) return offer(app, id, (inboxId) => ({ ...event, inboxId }));
    return changeTerminal(app, detail, event, () => nothingToSettle(resolution));
  });
}

function nothingToSettle({ nodeId, visit, phase }: Resolution): string {
  const of = visit === undefined ? '' : ` (visit ${String(visit)})`;
  return phase === 'DOWN'
    ? `Node ${JSON.stringify(nodeId)}${of} has no unfinished compensation.`
    : `Node ${JSON.stringify(nodeId)}${of} does not wait for anything that could be settled.`;
}

async function eventOf(
  app: AppContext,
  detail: ExecutionDetail,
  resolution: Resolution,
): Promise<ResolvedEvent | undefined> {
  const masked = { ...resolution, reason: reasonWithout(app, resolution.reason) };
  if (resolution.phase === 'UP') return { type: 'resolved', ...masked };
  const target = await findUnfinished(app, detail, resolution);
  return target === undefined ? undefined : { type: 'resolved', ...masked, target };
}

/** The unfinished compensation of this round that the request names; without a visit, that of the latest one. */
async function findUnfinished(
  app: AppContext,
  detail: ExecutionDetail,
  { nodeId, visit, item }: Resolution,
): Promise<UndoTarget | undefined> {
  const effects = await unfinishedOf(app, detail, { nodeId, ...(visit !== undefined && { visit }) });
  return effects
    .filter(({ target }) => isOfPlaces(target.scope, item))
    .reduce<UndoTarget | undefined>(
      (latest, { target }) => (latest === undefined || target.visit >= latest.visit ? target : latest),
      undefined,
    );
}

/**
 * Calls `attempt` with the stored execution, and again after each lost race. Of two concurrent retries, one is accepted
 * and the other finds the execution running.
 */
async function decide(
  app: AppContext,
  id: string,
  attempt: (detail: ExecutionDetail) => Promise<Answer<Accepted> | 'lost'>,
): Promise<Answer<Accepted>> {
  for (let race = 0; race < maxRaces; race++) {
    const detail = await app.store.getExecution(id);
    if (detail === undefined) return unknownExecution(id);
    if (!isExpected(detail, app.expected)) return changedSince();
    const answer = await attempt(detail);
    if (answer !== 'lost') return answer;
  }
  return refused('state_conflict', 'The execution changes too fast; look at it and try again.');
}

/** Says that the root of an execution is not over. Names it to those who may see it. */
async function familyRuns(app: AppContext, { id, root }: ExecutionDetail): Promise<string> {
  const isSeen = root !== undefined && (await app.store.getProgress(root)) !== undefined;
  return `The execution ${id} belongs to ${isSeen ? `the execution ${root}` : 'another execution'}, which is not over: it is undone with that.`;
}

/**
 * Applies an event to an execution that is over, and writes the result by compare-and-set instead of through the inbox,
 * which has no reader after the end. Refuses with the sentence of `conflict` if the event does not apply; `lost` if
 * another writer has changed the execution in the meantime.
 */
async function changeTerminal(
  app: AppContext,
  detail: ExecutionDetail,
  event: Event,
  conflict: (detail: ExecutionDetail) => string,
): Promise<Answer<Accepted> | 'lost'> {
  if (!isOver(detail)) return refused('state_conflict', conflict(detail));
  const { state, steps, calls, undo } = apply(await runOf(app, detail), event, decidingEnv(app));
  // An event that does not apply leaves the execution over and writes nothing.
  const isMoved = state.tokens.some((token, i) => token !== detail.state.tokens[i]);
  if (state.end !== undefined && !isMoved && steps.length === 0 && undo.length === 0) {
    return refused('state_conflict', conflict(detail));
  }
  const due = dueAt(state);
  const written = await app.store.changeTerminal({
    id: detail.id,
    seq: detail.seq,
    writeId: app.entropy.nonce(),
    state,
    summary: summarize(state),
    dueAt: due,
    steps,
    calls,
    undo,
    // A child is undone with its family as long as that runs.
    ...(event.type === 'undone' && detail.root !== undefined && { ifRootOver: detail.root }),
  });
  if (written === 'root_open') return refused('state_conflict', await familyRuns(app, detail));
  if (!written) return 'lost';
  if (due !== null) app.engine.ring({ id: detail.id, slot: detail.slot, dueAt: due });
  return granted({ id: detail.id });
}
