/**
 * Retry, resolve and redelivery: the only ways in which people change a terminal execution. They do not go through the inbox, which no one
 * reads once an execution is over; the desk makes the transition itself and writes it by compare-and-set. Whoever loses
 * a race looks again, so that of two retries at once one is accepted and the other finds the execution running.
 */
import { apply } from '../core/apply.ts';
import { hookStatus } from '../core/delivery.ts';
import type { Event, ResolvedEvent } from '../core/event.ts';
import type { Json } from '../core/value/json.ts';
import { dueAt } from '../core/due.ts';
import type { UndoTarget } from '../core/state.ts';
import { summarize } from '../core/summary.ts';
import type { ExecutionDetail } from '../ports/records.ts';
import { type Answer, granted, refused, unknownExecution } from './answer.ts';
import { type Accepted, offer } from './control.ts';
import { unfinishedOf } from './queries/effects.ts';
import { type DeskParts, reasonWithout } from './context.ts';
import { decidingEnv, isOver, runOf } from './queries/run-view.ts';

/** How often a lost race is run again before the client is asked to. */
const maxRaces = 5;

/** Starts a new round of a FAILED or CANCELLED execution (TERMINATED: with `force`), or a CORRUPTED one's compensations again. */
export async function retry(parts: DeskParts, id: string, force: boolean): Promise<Answer<Accepted>> {
  for (let race = 0; race < maxRaces; race++) {
    const detail = await parts.store.getExecution(id);
    if (detail === undefined) return unknownExecution(id);
    const answer = await changeTerminal(parts, detail, { type: 'retried', force });
    if (answer === 'changed') return granted({ id });
    if (answer === 'unchanged') return refused('state_conflict', retryConflict(detail));
  }
  return refused('state_conflict', 'The execution changes too fast; look at it and try again.');
}

function retryConflict(detail: ExecutionDetail): string {
  if (detail.status === 'TERMINATED') return 'A TERMINATED execution is retried only with { "force": true }.';
  if (isOver(detail)) return `A ${detail.status} execution cannot be retried.`;
  return `The execution is ${detail.status}; only one that has ended can be retried.`;
}

/** Calls the hook of an execution's end again, now: one that was not delivered, or with `force` one that was. */
export async function redeliver(parts: DeskParts, id: string, force: boolean): Promise<Answer<Accepted>> {
  for (let race = 0; race < maxRaces; race++) {
    const detail = await parts.store.getExecution(id);
    if (detail === undefined) return unknownExecution(id);
    const answer = await changeTerminal(parts, detail, { type: 'redelivered', force });
    if (answer === 'changed') return granted({ id });
    if (answer === 'unchanged') return refused('state_conflict', redeliveryConflict(detail));
  }
  return refused('state_conflict', 'The execution changes too fast; look at it and try again.');
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

/** What an operator settles by hand. */
export interface Resolution {
  readonly nodeId: string;
  /** The latest unsettled one when absent. */
  readonly visit?: number;
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
  readonly body?: Json;
  readonly reason: string;
}

/** Settles an unfinished compensation, or a node that waits, backs off or is blocked. Refused when there is nothing to settle. */
export async function resolve(parts: DeskParts, id: string, resolution: Resolution): Promise<Answer<Accepted>> {
  for (let race = 0; race < maxRaces; race++) {
    const detail = await parts.store.getExecution(id);
    if (detail === undefined) return unknownExecution(id);
    const event = await eventOf(parts, detail, resolution);
    if (event === undefined) return refused('state_conflict', nothingToSettle(resolution));
    if (!isOver(detail)) return offer(parts, id, (inboxId) => ({ ...event, inboxId }));
    const answer = await changeTerminal(parts, detail, event);
    if (answer === 'changed') return granted({ id });
    if (answer === 'unchanged') return refused('state_conflict', nothingToSettle(resolution));
  }
  return refused('state_conflict', 'The execution changes too fast; look at it and try again.');
}

function nothingToSettle({ nodeId, visit, phase }: Resolution): string {
  const of = visit === undefined ? '' : ` (visit ${String(visit)})`;
  return phase === 'DOWN'
    ? `Node ${JSON.stringify(nodeId)}${of} has no unfinished compensation.`
    : `Node ${JSON.stringify(nodeId)}${of} does not wait for anything that could be settled.`;
}

async function eventOf(
  parts: DeskParts,
  detail: ExecutionDetail,
  resolution: Resolution,
): Promise<ResolvedEvent | undefined> {
  const masked = { ...resolution, reason: reasonWithout(parts, resolution.reason) };
  if (resolution.phase === 'UP') return { type: 'resolved', ...masked };
  const target = await findUnfinished(parts, detail, resolution);
  return target === undefined ? undefined : { type: 'resolved', ...masked, target };
}

/** The unfinished compensation meant: of this round, of the latest visit where none is named. */
async function findUnfinished(
  parts: DeskParts,
  detail: ExecutionDetail,
  { nodeId, visit }: Resolution,
): Promise<UndoTarget | undefined> {
  const effects = await unfinishedOf(parts, detail, { nodeId, ...(visit !== undefined && { visit }) });
  return effects.reduce<UndoTarget | undefined>(
    (latest, { target }) => (latest === undefined || target.visit >= latest.visit ? target : latest),
    undefined,
  );
}

/** `lost`: somebody else changed the execution in between. */
async function changeTerminal(
  parts: DeskParts,
  detail: ExecutionDetail,
  event: Event,
): Promise<'changed' | 'unchanged' | 'lost'> {
  if (!isOver(detail)) return 'unchanged';
  const { state, steps, calls, undo } = apply(await runOf(parts, detail), event, decidingEnv(parts));
  // An event that does not apply leaves the execution over and writes nothing.
  const isMoved = state.tokens.some((token, i) => token !== detail.state.tokens[i]);
  if (state.end !== undefined && !isMoved && steps.length === 0 && undo.length === 0) return 'unchanged';
  const due = dueAt(state);
  const written = await parts.store.changeTerminal({
    id: detail.id,
    seq: detail.seq,
    writeId: parts.entropy.nonce(),
    state,
    summary: summarize(state),
    dueAt: due,
    steps,
    calls,
    undo,
  });
  if (!written) return 'lost';
  if (due !== null) parts.engine.ring({ id: detail.id, slot: detail.slot, dueAt: due });
  return 'changed';
}
