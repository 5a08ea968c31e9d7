import { restartChildren, retellChildren } from '../family/child.ts';
import { resumeTakeBacks } from '../family/take-back.ts';
import { attemptingOf, callerOf, isBlocked } from '../call/attempting.ts';
import type { Answered, Draft } from '../draft.ts';
import type { Stage, Token } from '../state.ts';
import { answered, type BlockedEvent, blocked, type CallOwner, interrupted, recordUnseen, repeat } from './attempt.ts';
import { hooks } from './ending/finish.ts';
import { recordFailure } from './settle.ts';
import { visits } from './task.ts';
import { compensations } from './unwind.ts';

const owners: { readonly [Kind in Stage['kind']]?: CallOwner } = {
  calling: visits,
  backoff: visits,
  waiting: visits,
  unwinding: compensations,
  hook: hooks,
};

/** Passes the answer of a call to its owner. Does nothing if no token waits for the answer any more. */
export function answer(d: Draft, event: Answered): void {
  const token = callerOf(d.tokens, event.callId);
  if (token === undefined) return;
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run !== undefined && owner !== undefined) answered(d, owner, token, run, event);
}

/**
 * Passes a block of a call to its owner: a hold, an open circuit, or no free slot at the host. Does nothing if the call
 * is no longer needed.
 */
export function block(d: Draft, event: BlockedEvent): void {
  const token = callerOf(d.tokens, event.callId);
  if (token === undefined) return;
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run !== undefined && owner !== undefined) blocked(d, owner, token, run, event);
}

/** Makes the call whose delay has passed. Does nothing if the token has no call. */
export function callAgain(d: Draft, token: Token): void {
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run === undefined || owner === undefined) return;
  repeat(d, owner, token, run, token.stage.kind === 'backoff' && token.stage.redelivery === true);
}

/** Makes all blocked calls due now. */
export function tryBlocked(d: Draft): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if (isBlocked(stage)) d.move(token, { ...stage, until: d.now });
  }
}

/**
 * Repeats, after a worker took the execution over, the calls that had been sent and not answered, with the same
 * idempotency keys; and asks again for children that it had not stored or changed.
 */
export function resume(d: Draft): void {
  restartChildren(d);
  resumeTakeBacks(d);
  retellChildren(d);
  for (const { id } of d.tokens.slice()) {
    const token = d.token(id);
    if (token === undefined || !('callId' in token.stage) || token.stage.callId === undefined) continue;
    const run = attemptingOf(token.stage);
    const owner = owners[token.stage.kind];
    if (run !== undefined && owner !== undefined) interrupted(d, owner, token, run, token.stage.callId);
  }
}

/** Gives up forward calls in flight: settles their visits as unknown and removes their tokens. */
export function abandonCalls(d: Draft, description: string): void {
  for (const token of d.tokens.slice()) {
    const { stage } = token;
    if (stage.kind !== 'calling') continue;
    d.command({ type: 'abort', callId: stage.callId });
    const failure = recordUnseen(d, visits, token, stage.task, stage.callId, description);
    recordFailure(d, token, { ...stage.task, unknown: true }, failure);
    d.remove(token);
  }
}

/** Gives up compensations and hooks in flight; whether they took effect stays unknown. */
export function abandonOtherCalls(d: Draft, description: string): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if ((stage.kind !== 'unwinding' && stage.kind !== 'hook') || stage.callId === undefined) continue;
    const run = attemptingOf(stage);
    const owner = owners[stage.kind];
    if (run === undefined || owner === undefined) continue;
    d.command({ type: 'abort', callId: stage.callId });
    recordUnseen(d, owner, token, run, stage.callId, description);
  }
}
