import { apply } from '../../core/apply.ts';
import type { Run } from '../../core/run.ts';
import { isCalling } from '../../core/call/attempting.ts';
import type { ExecutionStatus, Token } from '../../core/state.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { EffectRow } from '../../ports/store.ts';
import type { Revision } from '../../ports/store/revision.ts';
import { type Answer, granted, refused, unknownExecution } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { refuseChild } from '../family/refuse-child.ts';
import { effectsOf, inUndoOrder, standingOf, unfinishedOf } from '../queries/effects.ts';
import { decidingEnv, isOver, runOf } from '../queries/run-view.ts';
import { type Revised, revisedAt } from '../queries/status.ts';
import { undoConflict } from '../settle.ts';
import { cancelled, effectOf } from './cancelled.ts';
import { maxPreviews, type PreviewPage, type PreviewRange, renderAll } from './rendering.ts';
import { callsInFlight } from './in-flight.ts';
import { standingRequests, standsOf } from './standing-requests.ts';

/** A change that is previewed. */
export type PreviewKind = 'cancel' | 'terminate' | 'retry' | 'undo';

/** How a preview is asked for. */
export interface PreviewRequest extends PreviewRange {
  /** Whether the caller has the preview of a revision. */
  readonly isKnown?: ((revision: Revision) => boolean) | undefined;
  /** Whether to tell more than the calls: what is in flight, what would stand, and how the execution would end. */
  readonly isWhole: boolean;
}

/** A page of a preview. `rest` is present if the preview is to be whole. */
export interface Preview extends PreviewPage {
  readonly rest?: JsonObject;
}

/** What a change would do. */
interface Foresight {
  /** The execution as the change finds it. */
  readonly run: Run;
  /** A page of the calls that it would make, or of those whose effects a new round finds. */
  readonly calls: (range: PreviewRange) => Promise<PreviewPage>;
  /** The effects that would stand after it, without those of calls in flight. */
  readonly stands: (effects: readonly EffectRow[]) => readonly EffectRow[];
  /** The status in which it would end; null if a new round decides. */
  readonly endsAs: ExecutionStatus | null;
}

type Foresee = (app: AppContext, detail: ExecutionDetail) => Promise<Answer<Foresight>>;

/** A page of the preview of a change, and the revision to which it applies. Refused where the change is not possible. */
export async function preview(
  app: AppContext,
  kind: PreviewKind,
  id: string,
  { isKnown, isWhole, ...range }: PreviewRequest,
): Promise<Answer<Revised<Preview>>> {
  const detail = await app.store.getExecution(id);
  if (detail === undefined) return unknownExecution(id);
  const at = revisedAt(detail);
  if (isKnown?.(at.revision) === true) return granted(at);
  const answer = await foresights[kind](app, detail);
  if (!answer.ok) return answer;
  const { run, calls, stands, endsAs } = answer.value;
  const page = await calls(range);
  if (!isWhole) return granted({ ...at, value: page });
  const rest = {
    inFlight: await callsInFlight(app, run),
    stands: await standsOf(app, run, stands(await effectsOf(app, detail))),
    wouldEndAs: endsAs,
  };
  const items = kind === 'retry' ? page.items.map((item) => ({ ...item, sendsEarlierKey: true })) : page.items;
  return granted({ ...at, value: { ...page, items, rest } });
}

const foresights: Readonly<Record<PreviewKind, Foresee>> = { cancel, terminate, retry, undo };

/**
 * The compensations that a cancel would run now, in the engine's order and with the outputs that each would see.
 * Excludes calls in flight, whose effect is still unknown.
 */
async function cancel(app: AppContext, detail: ExecutionDetail): Promise<Answer<Foresight>> {
  if (isOver(detail) || detail.state.verdict !== undefined) {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be cancelled.`);
  }
  const { run, due, settled } = await cancelled(app, detail);
  return granted({
    run: await runOf(app, detail),
    calls: (range) => renderAll(app, run, due, range),
    stands: (effects) => [...effects, ...settled].filter((effect) => leftBy(detail, effect)),
    endsAs: 'CANCELLED',
  });
}

/** What a terminate would leave behind; it calls nothing. */
async function terminate(app: AppContext, detail: ExecutionDetail): Promise<Answer<Foresight>> {
  if (isOver(detail)) return refused('state_conflict', `The execution is over: ${detail.status}.`);
  const run = await runOf(app, detail);
  // A terminate settles what waits for a callback, and gives up the calls in flight, which are told by themselves.
  const flying = new Set(run.state.tokens.flatMap((token) => (isCalling(token) ? [visitOf(token)] : [])));
  const settled = apply(run, { type: 'terminated' }, decidingEnv(app))
    .steps.flatMap(effectOf)
    .filter(({ target }) => !flying.has(`${target.nodeId} ${String(target.visit)}`));
  return granted({
    run,
    calls: () => Promise.resolve({ items: [] }),
    stands: (effects) => [...effects, ...settled].filter(isEffective),
    endsAs: 'TERMINATED',
  });
}

function visitOf({ nodeId, stage }: Token): string {
  return 'task' in stage ? `${nodeId} ${String(stage.task.visit)}` : nodeId;
}

/** The compensations that an undo would run, in the engine's order. */
async function undo(app: AppContext, detail: ExecutionDetail): Promise<Answer<Foresight>> {
  if (detail.status !== 'SUCCEEDED') return refused('state_conflict', undoConflict(detail));
  const run = await runOf(app, detail);
  const { state } = apply(run, { type: 'undone', reason: '' }, decidingEnv(app));
  const pending = await app.store.listEffects(detail.id, maxPreviews, {
    rounds: [detail.round, detail.round],
    undo: ['pending'],
  });
  return granted({
    run,
    calls: (range) => renderAll(app, { ...run, state }, inUndoOrder(pending), range),
    stands: (effects) => effects.filter((effect) => leftBy(detail, effect)),
    endsAs: 'CANCELLED',
  });
}

/**
 * The preview of a retry. A retry of a CORRUPTED execution runs its unfinished compensations. Any other retry starts a
 * new round, so the preview shows the standing effects, in the order in which they were made, as the requests that made
 * them.
 */
async function retry(app: AppContext, detail: ExecutionDetail): Promise<Answer<Foresight>> {
  if (!isOver(detail) || detail.status === 'SUCCEEDED') {
    return refused('state_conflict', `The execution is ${detail.status}; it cannot be retried.`);
  }
  const refusal = await refuseChild(app, detail);
  if (refusal !== undefined) return refusal;
  const run = await runOf(app, detail);
  if (detail.status !== 'CORRUPTED') {
    const standing = standingOf(detail, await effectsOf(app, detail));
    return granted({
      run,
      calls: (range) => standingRequests(app, detail, standing, range),
      stands: () => standing,
      endsAs: null,
    });
  }
  const unfinished = inUndoOrder(await unfinishedOf(app, detail));
  return granted({
    run,
    calls: (range) => renderAll(app, run, unfinished, range),
    stands: (effects) => effects.filter((effect) => leftBy(detail, effect)),
    endsAs: detail.state.verdict?.status ?? null,
  });
}

/** Whether a row stands for an effect that may exist downstream. */
function isEffective({ mutating, effect, undo: state }: EffectRow): boolean {
  return mutating && effect !== undefined && state !== 'done' && state !== 'resolved' && state !== 'moved';
}

/** Whether an effect would stand once everything of this round is compensated that can be. */
function leftBy(detail: ExecutionDetail, row: EffectRow): boolean {
  if (!isEffective(row)) return false;
  return row.target.round !== detail.round || row.undo === undefined || row.undo === 'accepted';
}
