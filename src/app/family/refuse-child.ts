import type { ExecutionDetail } from '../../ports/records.ts';
import { refused, type Refusal } from '../answer.ts';
import type { AppContext } from '../context.ts';
import { planOf } from '../queries/run-view.ts';

/**
 * Refuses what is for roots only: an execution that another one started is retried with it, unless it is CORRUPTED. Undefined if
 * nothing speaks against a retry.
 */
export async function refuseChild(
  app: AppContext,
  { id, status, parent }: Pick<ExecutionDetail, 'id' | 'status' | 'parent'>,
): Promise<Refusal | undefined> {
  if (parent === undefined || status === 'CORRUPTED') return undefined;
  const isSeen = (await app.store.getProgress(parent.id)) !== undefined;
  const by = isSeen ? `the execution ${parent.id}` : 'another execution';
  return refused(
    'state_conflict',
    `The execution ${id} was started by ${by} and is retried with it; by itself it can be retried only if it is CORRUPTED.`,
  );
}

/** Why a limited caller may not run a definition that starts others. It names none of them. */
export const foreignText = 'The definition starts others, which these credentials do not include.';

/** Refuses a limited caller whose definitions do not include all that a new round would start. */
export async function refuseForeign(
  app: AppContext,
  detail: Pick<ExecutionDetail, 'id' | 'definitionHash'>,
): Promise<Refusal | undefined> {
  if (app.mayRun === undefined || (await app.mayRun(await planOf(app, detail)))) return undefined;
  return refused('forbidden', foreignText);
}
