import { slotOf } from '../core/value/slot.ts';
import type { WakeRequest } from '../core/transition/wakes.ts';
import type { InboxEvent, OfferResult } from '../ports/store.ts';
import { type Answer, changedSince, granted, refused, type Refusal, unknownExecution } from './answer.ts';
import { type AppContext, reasonWithout } from './context.ts';

/** An accepted change: it is durable, but the execution may not show it yet. */
export interface Accepted {
  readonly id: string;
  /** Of a wake: the number of waits that it ends. */
  readonly woken?: number;
}

/**
 * Requests an orderly end through the inbox: no further call, compensations, CANCELLED. Accepts a second request while
 * the first is pending.
 */
export function cancel(app: AppContext, id: string, reason: string | undefined): Promise<Answer<Accepted>> {
  return offer(app, id, (inboxId) => ({
    type: 'cancelled',
    inboxId,
    ...(reason !== undefined && { reason: reasonWithout(app, reason) }),
  }));
}

/** Ends the execution at once, without compensation. */
export function terminate(app: AppContext, id: string): Promise<Answer<Accepted>> {
  return offer(app, id, (inboxId) => ({ type: 'terminated', inboxId }));
}

/** Ends waits: sleeps by default, also the wait for `startAt`; waits for the next attempt of a call; blocks of calls. */
export async function wake(app: AppContext, id: string, request: WakeRequest = {}): Promise<Answer<Accepted>> {
  const answer = await offer(app, id, (inboxId) => ({ type: 'woken', inboxId, ...request }));
  return answer.ok ? answer : withSleepers(app, id, answer);
}

/** Children that a refused wake looks at. */
const maxSleepers = 20;

/** Names the children that sleep to a caller whose wake did not reach them: each of them is woken by itself. */
async function withSleepers(app: AppContext, id: string, refusal: Refusal): Promise<Refusal> {
  if (refusal.code !== 'state_conflict') return refusal;
  const filter = { parent: id, statuses: ['SLEEPING'] } as const;
  const { items } = await app.store.listExecutions(filter, { order: 'asc', limit: maxSleepers });
  if (items.length === 0) return refusal;
  const names = items.map((child) => child.id).join(', ');
  return refused('state_conflict', ...refusal.errors, `Children that sleep are woken by themselves: ${names}.`);
}

/** Adds an event to the inbox of an execution and rings the engine. `event` receives the id of its inbox row. */
export async function offer(
  app: AppContext,
  id: string,
  event: (inboxId: string) => InboxEvent,
): Promise<Answer<Accepted>> {
  const now = app.clock.now();
  const inboxId = app.entropy.nonce();
  const { expected } = app;
  const row = { id: inboxId, at: now, event: event(inboxId) };
  const result = await app.store.offer({ executionId: id, row, ...(expected !== undefined && { expected }) }, now);
  const refusal = refusalOf(id, result);
  if (refusal !== undefined) return refusal;
  const { heldBy, woken } = result.kind === 'accepted' ? result : {};
  app.engine.ring({ id, slot: slotOf(id), dueAt: now, ...(heldBy !== undefined && { heldBy }) });
  return granted({ id, ...(woken !== undefined && { woken }) });
}

function refusalOf(id: string, result: OfferResult): Refusal | undefined {
  switch (result.kind) {
    case 'accepted':
    case 'duplicate':
      return undefined;
    case 'unknown':
      return unknownExecution(id);
    case 'changed':
      return changedSince();
    case 'conflict':
      return refused('state_conflict', result.message);
    case 'other_body':
    case 'earlier_operation':
    case 'not_waiting':
    case 'rate_limited':
      return refused('state_conflict', 'The execution does not wait for this.');
  }
}
