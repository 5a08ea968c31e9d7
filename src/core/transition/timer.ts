import { isCalling } from '../call/attempting.ts';
import type { Draft } from '../draft.ts';
import { openDeadline } from '../due.ts';
import { wakeNode } from '../node/kinds.ts';
import { timeOutCallback } from './callback.ts';
import { failExecution } from './failure.ts';
import { abandonCalls, callAgain } from './owner.ts';

/** Handles everything that is due at `now`, in the order of the tokens. */
export function passTime(d: Draft): void {
  if (d.state.startAt !== undefined) {
    if (d.state.startAt > d.now) return;
    startRound(d);
  }
  const deadline = openDeadline({ ...d.state, tokens: d.tokens });
  if (deadline !== undefined && deadline <= d.now) {
    timeOutExecution(d);
    return;
  }
  for (const { id } of d.tokens.slice()) {
    const token = d.token(id);
    if (token === undefined || isCalling(token)) continue;
    const { stage } = token;
    if (!('until' in stage) || stage.until === undefined || stage.until > d.now) continue;
    switch (stage.kind) {
      case 'sleeping':
      case 'child':
        wakeNode(d, token);
        break;
      case 'waiting':
        timeOutCallback(d, token, stage.task);
        break;
      case 'backoff':
      case 'unwinding':
      case 'hook':
        if (d.env.advance) callAgain(d, token);
    }
  }
}

/** Starts the round: immediately, at its `startAt`, or when woken earlier. */
export function startRound(d: Draft): void {
  delete d.state.startAt;
  d.state.startedAt = d.now;
  if (d.plan.timeoutMillis !== undefined) d.state.deadline = d.now + d.plan.timeoutMillis;
}

/**
 * Handles the execution timeout: gives up calls in flight and fails the execution. An execution that is already failing
 * continues to do so.
 */
function timeOutExecution(d: Draft): void {
  abandonCalls(d, 'Given up, since the execution had run out of time.');
  failExecution(d, {
    status: 'FAILED',
    reason: 'execution_timeout',
    description: `The execution did not finish within ${String(d.plan.timeoutMillis ?? 0)} ms.`,
  });
}
