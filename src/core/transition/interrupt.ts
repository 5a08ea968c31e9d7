/**
 * Calls whose answer nobody will see: those a former owner left behind, and those given up. Each is an attempt of unknown
 * outcome.
 */
import type { Draft } from '../draft.ts';
import type { AttemptFailure, Token } from '../state.ts';
import { drainOf } from './failure.ts';
import { recordHookAttempt } from './hook-record.ts';
import { recordFailure } from './settle.ts';
import { recordAttempt } from './task.ts';
import { recordUndoAttempt } from './unwind.ts';

function unseen(description: string): AttemptFailure {
  return { outcome: 'unknown', reason: 'connect', description };
}

/**
 * A worker took the execution over and found calls that had gone out. They are sent again under the same keys: the
 * interruption was ours, so that it spends no retry.
 */
export function resume(d: Draft): void {
  const failure = unseen('The worker stopped before the answer was recorded.');
  for (const { id } of d.tokens.slice()) {
    const token = d.token(id);
    if (token === undefined) continue;
    const { stage } = token;
    if (stage.kind === 'calling') {
      recordAttempt(d, token, stage.task, { callId: stage.callId }, undefined, failure);
      const { blocked: _blocked, ...run } = stage.task;
      const task = { ...run, unknown: true, failure };
      if (drainOf(d, token) === undefined) {
        d.move(token, { kind: 'backoff', since: d.now, until: d.now, task, redelivery: true });
      } else {
        recordFailure(d, token, task, failure);
        d.remove(token);
      }
    } else if (stage.kind === 'unwinding' && stage.undo !== undefined && stage.callId !== undefined) {
      recordUndoAttempt(d, stage.undo, { callId: stage.callId }, undefined, failure);
      if (drainOf(d, token) === undefined) {
        const { callId: _callId, ...rest } = stage;
        const { blocked: _blocked, ...undo } = stage.undo;
        d.move(token, { ...rest, undo, until: d.now });
      } else d.remove(token);
    } else if (stage.kind === 'hook' && stage.callId !== undefined) {
      recordHookAttempt(d, stage.run, { callId: stage.callId }, undefined, failure);
      const { blocked: _blocked, ...run } = stage.run;
      d.move(token, { kind: 'hook', run, until: d.now });
    }
  }
}

/** Gives up the forward calls in flight: settles their visits as unknown and drops their tokens. */
export function abandonCalls(d: Draft, description: string): void {
  const failure = unseen(description);
  for (const token of d.tokens.slice()) {
    if (token.stage.kind !== 'calling') continue;
    abandonCall(d, token, token.stage.callId);
    recordAttempt(d, token, token.stage.task, { callId: token.stage.callId }, undefined, failure);
    recordFailure(d, token, { ...token.stage.task, unknown: true }, failure);
    d.remove(token);
  }
}

/** Gives up compensations and hooks in flight too; what they undid stays unknown. */
export function abandonOtherCalls(d: Draft, description: string): void {
  const failure = unseen(description);
  for (const token of d.tokens) {
    const { stage } = token;
    if (stage.kind === 'unwinding' && stage.undo !== undefined && stage.callId !== undefined) {
      abandonCall(d, token, stage.callId);
      recordUndoAttempt(d, stage.undo, { callId: stage.callId }, undefined, failure);
    } else if (stage.kind === 'hook' && stage.callId !== undefined) {
      abandonCall(d, token, stage.callId);
      recordHookAttempt(d, stage.run, { callId: stage.callId }, undefined, failure);
    }
  }
}

function abandonCall(d: Draft, _token: Token, callId: number): void {
  d.commands.push({ type: 'abort', callId });
}
