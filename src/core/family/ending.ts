import type { Draft } from '../draft.ts';
import type { WorkflowPlan } from '../plan.ts';
import type { ChildRun, ChildStage } from './child-run.ts';
import type { Token } from '../state.ts';

/** A token at a child; `child.ts` has the course of its visit. */
export type Parenting = Token & { readonly stage: ChildStage };

/** The workflow node with this id. Throws if it is none. */
export function workflowNode(d: Draft, id: string): WorkflowPlan {
  const node = d.node(id);
  if (node.kind !== 'workflow') throw new Error(`Node ${JSON.stringify(id)} is no workflow.`);
  return node;
}

/** The token whose visit has this child; undefined if there is none. */
export function childToken(tokens: readonly Token[], childId: string): Parenting | undefined {
  return tokens.find((token): token is Parenting => token.stage.kind === 'child' && token.stage.child.id === childId);
}

/** Whether a visit takes over the child of an earlier round that the row with this ord names. */
export function isTakenOver(tokens: readonly Token[], ord: number): boolean {
  return tokens.some(({ stage }) => stage.kind === 'child' && stage.child.supersedes === ord);
}

/** Tells a running child to end, since its scope fails or its time is over; its end is awaited. */
export function endChild(d: Draft, token: Parenting, isLate = false): void {
  const { stage } = token;
  const { until: _until, ...rest } = stage;
  const child: ChildRun = isLate ? { ...stage.child, isLate } : stage.child;
  d.move(token, { ...rest, part: 'ending', child });
  if (stage.part !== 'ending') tellCancel(d, child.id, `${token.nodeId}:${String(child.visit)}`);
}

/** Cancels a child with the checkpoint of this transition; `place` tells the cancels of this round apart. */
export function tellCancel(d: Draft, childId: string, place: string): void {
  const inboxId = `cancel:${d.header.id}:${String(d.state.round)}:${place}`;
  const reason = `The execution ${d.header.id}, which started it, ended it.`;
  d.tell({ executionId: childId, event: { type: 'cancelled', inboxId, reason, parentId: d.header.id } });
}

/**
 * Drops the visit of a token whose scope fails, if no child can exist yet. Otherwise tells the child to end and returns false; the token
 * stays until it has.
 */
export function dropChild(d: Draft, token: Parenting): boolean {
  const { stage } = token;
  if (stage.part === 'starting') return d.withdrawStart(token.id);
  endChild(d, token);
  return false;
}
