import type { CurrentNode } from '../../core/summary.ts';
import type { AppContext } from '../context.ts';

/** Awaited children whose statuses a status document shows. */
const maxAwaited = 20;

/** What a status document says of the children that an execution waits for, by their ids; nothing of those that the caller may not see. */
export async function awaitedDetails(
  app: AppContext,
  nodes: readonly CurrentNode[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(nodes.flatMap(({ child }) => child ?? []))].slice(0, maxAwaited);
  const found = await Promise.all(ids.map((id) => app.store.getProgress(id)));
  return new Map(
    found.flatMap((child) => (child === undefined ? [] : [[child.id, `${child.id} is ${child.status}.`]])),
  );
}
