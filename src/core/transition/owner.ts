/** Events about calls, led to the visit, compensation or hook that owns the call. */
import { attemptingOf, isBlocked } from '../call/attempting.ts';
import type { Answered, Draft } from '../draft.ts';
import type { Stage, Token } from '../state.ts';
import { answered, type BlockedEvent, blocked, type CallOwner, interrupted, recordUnseen, repeat } from './attempt.ts';
import { hooks } from './finish.ts';
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

/** A call was answered. Does nothing when no token waits for the answer any more. */
export function answer(d: Draft, event: Answered): void {
  const token = callerOf(d, event.callId);
  if (token === undefined) return;
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run !== undefined && owner !== undefined) answered(d, owner, token, run, event);
}

/** A call must not go out yet: a hold, an open circuit, no free place at the host. Does nothing when it is not wanted any more. */
export function block(d: Draft, event: BlockedEvent): void {
  const token = callerOf(d, event.callId);
  if (token === undefined) return;
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run !== undefined && owner !== undefined) blocked(d, owner, token, run, event);
}

function callerOf(d: Draft, callId: number): Token | undefined {
  return d.tokens.find(({ stage }) => 'callId' in stage && stage.callId === callId);
}

/** The wait before a call is over: calls, unless the token is at no call. */
export function callAgain(d: Draft, token: Token): void {
  const run = attemptingOf(token.stage);
  const owner = owners[token.stage.kind];
  if (run === undefined || owner === undefined) return;
  repeat(d, owner, token, run, token.stage.kind === 'backoff' && token.stage.redelivery === true);
}

/** What is blocked is due now. */
export function tryBlocked(d: Draft): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if (isBlocked(stage)) d.move(token, { ...stage, until: d.now });
  }
}

/** A worker took the execution over: makes the calls again that had gone out, under the same keys. */
export function resume(d: Draft): void {
  for (const { id } of d.tokens.slice()) {
    const token = d.token(id);
    if (token === undefined || !('callId' in token.stage) || token.stage.callId === undefined) continue;
    const run = attemptingOf(token.stage);
    const owner = owners[token.stage.kind];
    if (run !== undefined && owner !== undefined) interrupted(d, owner, token, run, token.stage.callId);
  }
}

/** Gives up the forward calls in flight: settles their visits as unknown and drops their tokens. */
export function abandonCalls(d: Draft, description: string): void {
  for (const token of d.tokens.slice()) {
    const { stage } = token;
    if (stage.kind !== 'calling') continue;
    d.commands.push({ type: 'abort', callId: stage.callId });
    const failure = recordUnseen(d, visits, token, stage.task, stage.callId, description);
    recordFailure(d, token, { ...stage.task, unknown: true }, failure);
    d.remove(token);
  }
}

/** Gives up compensations and hooks in flight too; what they undid stays unknown. */
export function abandonOtherCalls(d: Draft, description: string): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if ((stage.kind !== 'unwinding' && stage.kind !== 'hook') || stage.callId === undefined) continue;
    const run = attemptingOf(stage);
    const owner = owners[stage.kind];
    if (run === undefined || owner === undefined) continue;
    d.commands.push({ type: 'abort', callId: stage.callId });
    recordUnseen(d, owner, token, run, stage.callId, description);
  }
}
