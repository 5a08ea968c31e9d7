import { type JsonObject, parseJson } from '../../core/value/json.ts';
import type { AuditEntry } from '../../ports/audit.ts';
import type { ExecutionDetail, Page, PageRequest } from '../../ports/records.ts';
import { type Answer, granted, unknownExecution } from '../answer.ts';
import { instant } from '../instants.ts';
import type { AppContext } from '../context.ts';

/** Latest changes shown in a status document; the audit log has all of them. */
const maxShown = 20;
/** Audit entries read to find them, including those of refused requests. */
const maxRead = 50;

const prefix = 'execution.';

/**
 * Changes of an execution by callers, from the audit log, oldest first: `{ at, actor, action, details? }`. Reads
 * nothing for an execution without changes.
 */
export async function changesOf(app: AppContext, detail: ExecutionDetail): Promise<readonly JsonObject[]> {
  const { id } = detail;
  if (!isTouched(detail)) return [];
  const { items } = await app.store.listAudit({ target: id }, { limit: maxRead });
  return items
    .filter(({ action, outcome }) => outcome === 'done' && action.startsWith(prefix))
    .slice(0, maxShown)
    .reverse()
    .map(({ at, actor, action, details }) => ({
      at: instant(at),
      actor,
      action: action.slice(prefix.length),
      ...(details !== undefined && details !== '{}' && { details: parseJson(details) }),
    }));
}

/** Whether callers have changed an execution. */
export function isTouched({ state, round }: ExecutionDetail): boolean {
  return (state.changes ?? 0) > 0 || round > 1 || state.end?.status === 'TERMINATED';
}

/** A page of the audit entries of one execution, which may already have been removed. */
export async function executionAudit(
  app: AppContext,
  id: string,
  page: PageRequest,
): Promise<Answer<Page<AuditEntry>>> {
  const found = await app.store.listAudit({ target: id }, page);
  if (found.items.length > 0 || page.cursor !== undefined) return granted(found);
  return (await app.store.getProgress(id)) === undefined ? unknownExecution(id) : granted(found);
}
