import type { Draft } from '../../draft.ts';
import { dropHook } from './deliver.ts';

/**
 * Takes back an execution that is over: compensates every visit of its round as if it had failed at its end, and ends
 * it as CANCELLED, or as CORRUPTED. The result stays. Does nothing unless it ended in the given status: TERMINATED is
 * for the parent of a child alone, and compensates from where the execution stood.
 */
export function undo(d: Draft, reason: string, from: 'SUCCEEDED' | 'TERMINATED'): void {
  const { state } = d;
  if (state.end?.status !== from) return;
  dropHook(d, 'Not delivered any more, since the execution was undone.');
  delete state.end;
  delete state.deadline;
  state.verdict = { status: 'CANCELLED', reason: 'undone', description: reason };
  // A terminate leaves a compensation that was under way as failed; it runs again, too.
  if (from === 'TERMINATED') d.mark({ kind: 'reopen', round: state.round });
  state.troubles = 0;
  delete state.failedCompensations;
  d.tokens = [];
  d.put({
    id: d.newTokenId(),
    scope: '',
    nodeId: d.plan.entry,
    stage: {
      kind: 'unwinding',
      since: d.now,
      goal: from === 'TERMINATED' ? { kind: 'end', reopened: true, thenPending: true } : { kind: 'end' },
      troubles: 0,
    },
  });
}
