import type { Draft } from '../draft.ts';
import type { UndoRun, UndoTarget } from '../state.ts';
import { send } from '../transition/attempt.ts';
import { compensations, noteBegin, reachGoal } from '../transition/unwind.ts';
import { beginTakeBack, needsTakeBack } from './take-back.ts';

/** Handles the answer to `findUndo`: starts the next compensation, or proceeds to the goal if none is left. */
export function foundUndo(d: Draft, tokenId: number, target: UndoTarget | undefined): void {
  const token = d.token(tokenId);
  if (token?.stage.kind !== 'unwinding' || token.stage.undo !== undefined) return;
  const { stage } = token;
  if (target === undefined) {
    reachGoal(d, token, stage);
    return;
  }
  if (!d.env.advance) return;
  if (needsTakeBack(d, target)) {
    beginTakeBack(d, token, stage, target);
    return;
  }
  noteBegin(d, target);
  const undo: UndoRun = { target, startedAt: d.now, attemptAt: d.now, attempt: 1, retries: 0, waits: 0 };
  send(d, compensations, token, undo, d.newCallId());
}
