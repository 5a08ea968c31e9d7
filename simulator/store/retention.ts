/** Which executions of the store in memory the retention removes. */
import { byId } from './page.ts';
import { isKept, type StoredExecution } from './stored-execution.ts';

const dayMillis = 86_400_000;

/** An idempotent start. */
export interface StartKey {
  readonly fingerprint: string;
  readonly executionId: string;
  readonly createdAt: number;
}

/** Removes the keys of removed executions once they are a day old. */
export function forgetKeys(
  keys: Map<string, StartKey>,
  executions: ReadonlyMap<string, StoredExecution>,
  before: number,
): void {
  for (const [key, { executionId, createdAt }] of keys) {
    if (!executions.has(executionId) && createdAt < before - dayMillis) keys.delete(key);
  }
}

/**
 * Returns at most `limit` executions that may go, oldest end first. A family goes with its root, once the root completed before the
 * instant, if no member must be kept; its members follow in further rounds if the limit is reached before.
 */
export function removable(
  executions: ReadonlyMap<string, StoredExecution>,
  before: number,
  limit: number,
): readonly StoredExecution[] {
  const all = [...executions.values()];
  const keptFamilies = new Set(all.flatMap((x) => (isKept(x) && x.family.root !== undefined ? [x.family.root] : [])));
  const roots = all
    .filter((x) => x.family.root === undefined && !isKept(x) && !keptFamilies.has(x.id))
    .filter(({ summary }) => (summary.completedAt ?? before) < before)
    .sort((a, b) => (a.summary.completedAt ?? 0) - (b.summary.completedAt ?? 0) || byId(a, b));
  const orphans = (gone: ReadonlySet<string>): readonly StoredExecution[] =>
    all.filter((x) => {
      const { root } = x.family;
      return root !== undefined && !isKept(x) && (gone.has(root) || !executions.has(root));
    });
  const first = [...orphans(new Set()), ...roots].slice(0, limit);
  return [...new Set([...first, ...orphans(new Set(first.map(({ id }) => id)))])].slice(0, limit);
}
