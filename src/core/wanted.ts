/**
 * Which outputs must be read back after a load: those that some template, condition, join or result can still ask for.
 */
import type { OutputQuery } from './outputs.ts';
import type { Plan } from './plan.ts';
import type { OutputRef, State, UndoTarget } from './state.ts';

/** What to read back for a running execution. */
export function wantedOutputs(plan: Plan, state: State): readonly OutputQuery[] {
  if (state.end !== undefined || state.ord === 0) return [];
  const queries = new Map<string, OutputQuery>();
  const want = (query: OutputQuery): void => {
    queries.set(`${query.nodeId}\n${String(query.before ?? '')}`, query);
  };
  const wantRef = (ref: OutputRef | undefined): void => {
    if (ref !== undefined) want({ nodeId: ref.nodeId, before: ref.ord + 1 });
  };
  const read = Object.keys(state.visits).filter((nodeId) => plan.reads === 'all' || plan.reads.has(nodeId));
  for (const nodeId of read) want({ nodeId });
  wantRef(state.result);
  for (const { nodeId, prev, stage } of state.tokens) {
    wantRef(prev);
    // A node that waits for its callback, or may repeat its call, needs its own accepted answer.
    if ('task' in stage) want({ nodeId });
    if (stage.kind !== 'forked') continue;
    // Branches see what came before their split, whatever siblings have written since.
    for (const before of read) want({ nodeId: before, before: stage.ord });
    for (const end of Object.values(stage.branches)) wantRef(end.result);
  }
  return [...queries.values()];
}

/** What a compensation sees: every node as it stood when the visit that it undoes ended. */
export function undoQueries(plan: Plan, state: State, target: UndoTarget): readonly OutputQuery[] {
  const before = target.ord + 1;
  const nodes = plan.reads === 'all' ? [...plan.nodes.keys()] : [...plan.reads];
  const wanted = new Set([...nodes, target.nodeId]);
  if (target.prev !== undefined) wanted.add(target.prev.nodeId);
  return [...wanted]
    .filter((nodeId) => target.round !== state.round || Object.hasOwn(state.visits, nodeId))
    .map((nodeId) => ({ nodeId, before }));
}
