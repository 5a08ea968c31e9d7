import type { ExecutionDetail } from '../../ports/records.ts';
import { refused, type Refusal } from '../answer.ts';
import type { AppContext } from '../context.ts';

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
