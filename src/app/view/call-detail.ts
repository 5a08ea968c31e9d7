import type { CallRow } from '../../core/history.ts';
import { attemptingOf } from '../../core/call/attempting.ts';
import type { State } from '../../core/state.ts';
import type { JsonObject } from '../../core/value/json.ts';
import { ruleOf, type Sequel } from '../../core/view/rule.ts';
import { type Answer, granted, refused, unknownExecution } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { maskedCall } from '../queries/history.ts';
import { planOf } from '../queries/run-view.ts';

/** Attempts after one that are looked through for the next attempt of its visit. */
const maxLater = 200;

/** One attempt, masked and with its bodies, and why its outcome was judged so. */
export async function callDetail(app: AppContext, id: string, callId: string): Promise<Answer<JsonObject>> {
  const progress = await app.store.getProgress(id);
  if (progress === undefined) return unknownExecution(id);
  const ord = /^\d{1,9}$/.test(callId) ? Number(callId) : 0;
  const { items } = await app.store.listCalls(id, { after: ord - 1, order: 'asc', limit: 1 });
  const [row] = items;
  if (row?.ord !== ord) return refused('unknown_call', `The execution ${id} has no attempt ${callId}.`);
  const [plan, sequel] = await Promise.all([planOf(app, progress), sequelOf(app, id, row, progress.state)]);
  return granted({ ...maskedCall(app, id, row), rule: { ...ruleOf(plan, row, sequel) } });
}

async function sequelOf(app: AppContext, id: string, row: CallRow, state: State): Promise<Sequel> {
  if (row.outcome === 'succeeded') return 'none';
  const { items } = await app.store.listCalls(id, { after: row.ord, order: 'asc', limit: maxLater });
  const isSame = (other: Pick<CallRow, 'nodeId' | 'visit' | 'round' | 'phase'>): boolean =>
    other.nodeId === row.nodeId && other.visit === row.visit && other.round === row.round && other.phase === row.phase;
  if (items.some((later) => isSame(later))) return 'repeated';
  return state.round === row.round && isPending(row, state) ? 'waits' : 'none';
}

/** Whether the visit of an attempt is still to be called, or is called now. */
function isPending({ nodeId, visit, phase }: CallRow, { end, tokens }: State): boolean {
  if (end !== undefined && phase !== 'HOOK') return false;
  return tokens.some(({ nodeId: at, stage }) => {
    const attempting = attemptingOf(stage);
    if (attempting === undefined) return false;
    if (stage.kind === 'unwinding') {
      return phase === 'DOWN' && stage.undo?.target.nodeId === nodeId && stage.undo.target.visit === visit;
    }
    if (stage.kind === 'hook') return phase === 'HOOK' && stage.run.visit === visit;
    return phase === 'UP' && at === nodeId && 'task' in stage && stage.task.visit === visit && stage.kind !== 'waiting';
  });
}
