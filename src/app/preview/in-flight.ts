import { attemptingOf } from '../../core/call/attempting.ts';
import { placesOf } from '../../core/context/scope.ts';
import { compensationCall } from '../../core/call/compensation-call.ts';
import type { Run } from '../../core/run.ts';
import type { Token, UndoTarget } from '../../core/state.ts';
import type { Json, JsonObject } from '../../core/value/json.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';
import { instant } from '../instants.ts';
import { itemField } from '../queries/history.ts';
import { PreviewBudget } from './preview-budget.ts';
import { renderForward, renderUndo } from './rendering.ts';

/** Largest number of calls in flight in a preview. */
const maxInFlight = 200;

/**
 * The calls of an execution that were sent and are not answered, each with the request that would compensate it should it succeed or stay
 * unknown. Masked. Hooks have no effect that is compensated, and are left out.
 */
export async function callsInFlight(app: AppContext, run: Run): Promise<readonly JsonObject[]> {
  const budget = new PreviewBudget();
  const documents: JsonObject[] = [];
  for (const token of run.state.tokens) {
    if (documents.length === maxInFlight) break;
    await turns.next();
    const document = await inFlight(app, run, token, budget);
    if (document !== undefined) documents.push(app.masker.json(document) as JsonObject);
  }
  return documents;
}

async function inFlight(
  app: AppContext,
  run: Run,
  token: Token,
  budget: PreviewBudget,
): Promise<Record<string, Json> | undefined> {
  const { stage } = token;
  const attempting = attemptingOf(stage);
  if (attempting === undefined || !('callId' in stage) || stage.callId === undefined || stage.kind === 'hook') {
    return undefined;
  }
  const isUndo = stage.kind === 'unwinding';
  const target = isUndo ? stage.undo?.target : targetOf(run, token);
  if (target === undefined) return undefined;
  const fields = {
    nodeId: target.nodeId,
    visit: target.visit,
    ...itemField(placesOf(target.scope)),
    attempt: attempting.attempt,
  };
  const since = instant(attempting.attemptAt);
  if (budget.isSpent) return { ...fields, verb: '', url: '', since };
  const sent = isUndo
    ? await renderUndo(app, run, target, budget)
    : await renderForward(app, run, { target, begunAt: attempting.startedAt, mutating: true }, budget);
  const canUndo = !isUndo && compensationCall(run.plan.nodes.get(target.nodeId)) !== undefined;
  const undo = canUndo ? await renderUndo(app, run, target, budget) : undefined;
  return {
    ...fields,
    verb: sent?.['verb'] ?? '',
    url: sent?.['url'] ?? '',
    since,
    ...(undo !== undefined && { undo }),
  };
}

/** The visit of a call in flight, as it would be compensated with what is known now. */
function targetOf(run: Run, { nodeId, scope, prev, stage }: Token): UndoTarget | undefined {
  if (!('task' in stage)) return undefined;
  const { visit, key } = stage.task;
  const { round, ord } = run.state;
  return {
    nodeId,
    visit,
    round,
    ord: ord + 1,
    scope,
    outcome: 'unknown',
    key: key ?? '',
    ...(prev !== undefined && { prev }),
  };
}
