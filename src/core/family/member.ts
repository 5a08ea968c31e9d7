import type { Draft } from '../draft.ts';
import type { Verdict } from '../state.ts';
import { cancel, newRound, settleAll } from '../transition/control.ts';
import { dropHook } from '../transition/ending/deliver.ts';
import { undo } from '../transition/ending/undo.ts';

/** Adds a row that names the parent as the author of a change. */
export function noteParent(d: Draft, note: string): void {
  d.step({
    nodeId: d.header.parent?.nodeId ?? '',
    index: -1,
    phase: 'WORKFLOW',
    visit: d.header.parent?.visit ?? 1,
    attempt: 1,
    outcome: 'succeeded',
    startedAt: d.now,
    attemptAt: d.now,
    scope: '',
    final: false,
    note,
  });
}

const droppedText = 'Not delivered any more, since the execution that started this one goes on with it.';

/** Takes an ended execution back for its parent. Does nothing if there is nothing to undo, or it is not over. */
export function takeBack(d: Draft, parentId: string): void {
  const { end, verdict } = d.state;
  if (end === undefined || end.status === 'FAILED' || end.status === 'CANCELLED') return;
  noteParent(d, `Taken back by the execution ${parentId}.`);
  const reason = `The execution ${parentId}, which started it, took it back.`;
  if (end.status !== 'CORRUPTED') {
    undo(d, reason, end.status);
    return;
  }
  dropHook(d, droppedText);
  delete d.state.end;
  if (end.reason === 'engine') {
    // The tokens are as they were when the engine gave up.
    if (verdict === undefined) cancel(d, reason);
    else if (verdict.status === 'SUCCEEDED') unwind(d, undone(reason), {});
    return;
  }
  d.mark({ kind: 'reopen', round: d.state.round });
  // It was to succeed but for the compensations of a branch, so all the others are due now, too.
  if (verdict?.status === 'SUCCEEDED') unwind(d, undone(reason), { reopened: true, thenPending: true });
  else unwind(d, verdict, { reopened: true });
}

function undone(description: string): Verdict {
  return { status: 'CANCELLED', reason: 'undone', description };
}

function unwind(
  d: Draft,
  verdict: Verdict | undefined,
  of: { readonly reopened?: true; readonly thenPending?: true },
): void {
  if (verdict !== undefined) d.state.verdict = verdict;
  d.state.troubles = 0;
  delete d.state.failedCompensations;
  d.tokens = [];
  d.put({
    id: d.newTokenId(),
    scope: '',
    nodeId: verdict?.nodeId ?? d.plan.entry,
    stage: { kind: 'unwinding', since: d.now, goal: { kind: 'end', ...of }, troubles: 0 },
  });
}

/** Begins a new round of an ended execution for its parent. Does nothing if it succeeded, or is not over. */
export function renew(d: Draft, parentId: string): void {
  const { end } = d.state;
  if (end === undefined || end.status === 'SUCCEEDED') return;
  dropHook(d, droppedText);
  // Tokens of an execution that the engine gave up are settled as of one that is terminated.
  if (end.reason === 'engine') settleAll(d, 'Given up, since the execution begins anew.');
  newRound(d);
  noteParent(d, `Begun anew by the execution ${parentId}.`);
}
