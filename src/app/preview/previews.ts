import { apply } from '../../core/apply.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { Revision } from '../../ports/store/revision.ts';
import { type Answer, granted, refused, unknownExecution } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { refuseChild } from '../family/refuse-child.ts';
import { effectsOf, inUndoOrder, unfinishedOf } from '../queries/effects.ts';
import { decidingEnv, isOver, runOf } from '../queries/run-view.ts';
import type { Revised } from '../queries/status.ts';
import { undoConflict } from '../settle.ts';
import { cancelled } from './cancelled.ts';
import { maxPreviews, type PreviewPage, type PreviewRange, renderAll } from './rendering.ts';
import { standingRequests } from './standing-requests.ts';

/** A change that is previewed. */
export type PreviewKind = 'cancel' | 'retry' | 'undo';

/** How a preview is asked for. */
export interface PreviewRequest extends PreviewRange {
  /** Whether the caller has the preview of a revision. */
  readonly isKnown?: ((revision: Revision) => boolean) | undefined;
}

/** A page of the requests of a change. */
type Foresee = (app: AppContext, detail: ExecutionDetail, range: PreviewRange) => Promise<Answer<PreviewPage>>;

/** A page of the preview of a change, and the revision to which it applies. Refused where the change is not possible. */
export async function preview(
  app: AppContext,
  kind: PreviewKind,
  id: string,
  { isKnown, ...range }: PreviewRequest,
): Promise<Answer<Revised<PreviewPage>>> {
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  const { seq, inboxSeq } = detail;
  const revision = { seq, inboxSeq };
  if (isKnown?.(revision) === true) return granted({ revision });
  const answer = await foresights[kind](app, detail, range);
  return answer.ok ? granted({ revision, value: answer.value }) : answer;
}

const foresights: Readonly<Record<PreviewKind, Foresee>> = { cancel, retry, undo };

/**
 * The compensations that a cancel would run now, in the engine's order and with the outputs that each would see.
 * Excludes calls in flight, whose effect is still unknown.
 */
async function cancel(app: AppContext, detail: ExecutionDetail, range: PreviewRange): Promise<Answer<PreviewPage>> {
  if (isOver(detail) || detail.state.verdict !== undefined) {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be cancelled.`);
  }
  const { run, due } = await cancelled(app, detail);
  return granted(await renderAll(app, run, due, range));
}

/** The compensations that an undo would run, in the engine's order. */
async function undo(app: AppContext, detail: ExecutionDetail, range: PreviewRange): Promise<Answer<PreviewPage>> {
  if (detail.status !== 'SUCCEEDED') return refused('state_conflict', undoConflict(detail));
  const run = await runOf(app, detail);
  const { state } = apply(run, { type: 'undone', reason: '' }, decidingEnv(app));
  const pending = await app.store.listEffects(detail.id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending'],
  });
  return granted(await renderAll(app, { ...run, state }, inUndoOrder(pending), range));
}

/**
 * The preview of a retry. A retry of a CORRUPTED execution runs its unfinished compensations. Any other retry starts a
 * new round, so the preview shows the standing effects, in the order in which they were made, as the requests that made
 * them.
 */
async function retry(app: AppContext, detail: ExecutionDetail, range: PreviewRange): Promise<Answer<PreviewPage>> {
  if (!isOver(detail) || detail.status === 'SUCCEEDED') {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be retried.`);
  }
  const refusal = await refuseChild(app, detail);
  if (refusal !== undefined) return refusal;
  if (detail.status !== 'CORRUPTED') {
    return granted(await standingRequests(app, detail, await effectsOf(app, detail), range));
  }
  const unfinished = inUndoOrder(await unfinishedOf(app, detail));
  return granted(await renderAll(app, await runOf(app, detail), unfinished, range));
}
