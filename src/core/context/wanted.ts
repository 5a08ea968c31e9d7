import { isSettled } from '../delivery.ts';
import type { CallCommand } from '../event.ts';
import type { Run } from '../run.ts';
import type { OutputQuery, Outputs } from './outputs.ts';
import type { Ask, Plan } from '../plan.ts';
import { itemRow, itemRowsOf, loopRowsOf } from './loop-rows.ts';
import { itemsOf } from './scope.ts';
import type { Loop, OutputRef, State, Token, UndoTarget } from '../state.ts';

/**
 * The outputs that templates, conditions, joins and results can still read, as queries that load them for a running
 * execution.
 */
export function wantedOutputs(plan: Plan, state: State): readonly OutputQuery[] {
  if (isSettled(state) || state.ord === 0) return [];
  const queries = new Map<string, OutputQuery>();
  const want = (query: OutputQuery): void => {
    const { nodeId, before = '', at = '', within } = query;
    queries.set([nodeId, before, at, within?.scope ?? ''].join('\n'), query);
  };
  const asked = askedBy(plan, state);
  const read = Object.keys(state.visits).filter((nodeId) => isAsked(plan, asked, nodeId));
  for (const nodeId of read) if (!isInLoop(plan, nodeId)) want({ nodeId });
  for (const [ref, scope] of referred(state)) for (const query of queryOf(plan, ref, scope)) want(query);
  for (const { nodeId, ord } of loopRowsOf(state)) want({ nodeId, at: ord });
  for (const { nodeId, stage, scope } of state.tokens) {
    // An async node that waits for its callback, or may repeat its call, needs its own accepted response.
    if ('task' in stage && isAsync(plan, nodeId)) for (const query of seenFrom(plan, scope, { nodeId })) want(query);
    // Branches see the outputs from before their split, regardless of what siblings have written since.
    const bounds = stage.kind === 'forked' ? [{}, { before: stage.ord }] : [{}];
    for (const other of read) {
      if (scope === '' && stage.kind !== 'forked') break;
      for (const bound of bounds) {
        if (!('before' in bound) && !isInLoop(plan, other)) continue;
        for (const query of seenFrom(plan, scope, { nodeId: other, ...bound })) want(query);
      }
    }
  }
  return [...queries.values()];
}

function isInLoop(plan: Plan, nodeId: string): boolean {
  return plan.nodes.get(nodeId)?.loops !== undefined;
}

/** The query as seen from a scope: a node within a loop is that of the same item. None if the scope is outside of the loop. */
function seenFrom(plan: Plan, scope: string, query: OutputQuery): readonly OutputQuery[] {
  const loops = plan.nodes.get(query.nodeId)?.loops;
  if (loops === undefined) return [query];
  const item = itemsOf(scope)[loops.length - 1];
  if (item === undefined || item.nodeId !== loops.at(-1)) return [];
  return [{ ...query, within: { scope: item.scope, after: item.start } }];
}

/** The query for what a reference names: one row, and also the accepted response in the case of an async task. */
function queryOf(plan: Plan, { nodeId, ord }: OutputRef, scope: string): readonly OutputQuery[] {
  return isAsync(plan, nodeId) ? seenFrom(plan, scope, { nodeId, before: ord + 1 }) : [{ nodeId, at: ord }];
}

function isAsync(plan: Plan, nodeId: string): boolean {
  const node = plan.nodes.get(nodeId);
  return node?.kind === 'task' && node.mode === 'async';
}

/** The nodes whose outputs can still be read, as a bit set by node index. */
function askedBy(plan: Plan, state: State): bigint {
  let asked = plan.askedAtEnd;
  for (const token of state.tokens) {
    const from = standsAt(plan, token);
    if (from !== undefined) asked |= plan.askedFrom.get(from) ?? 0n;
  }
  return asked;
}

/** The node from which a token continues; undefined if only hooks follow, or if its parent continues in its place. */
function standsAt(plan: Plan, { nodeId, stage }: Token): string | undefined {
  switch (stage.kind) {
    case 'draining':
    case 'unwinding':
      return 'target' in stage.goal ? stage.goal.target : undefined;
    case 'forked':
      return plan.nodes.get(nodeId)?.join ?? nodeId;
    case 'hook':
      return undefined;
    case 'looping':
    case 'ready':
    case 'calling':
    case 'backoff':
    case 'waiting':
    case 'sleeping':
    case 'child':
      return nodeId;
  }
}

function isAsked(plan: Plan, asked: bigint, nodeId: string): boolean {
  const node = plan.nodes.get(nodeId);
  return node !== undefined && (asked & (1n << BigInt(node.index))) !== 0n;
}

/** The outputs that the state refers to, each with the scope of the reference. */
function referred({ tokens, result }: State): readonly (readonly [OutputRef, string])[] {
  const refs: [OutputRef, string][] = result === undefined ? [] : [[result, '']];
  for (const { prev, stage, scope } of tokens) {
    if (prev !== undefined) refs.push([prev, scope]);
    if (stage.kind !== 'forked') continue;
    for (const end of Object.values(stage.branches)) if (end.result !== undefined) refs.push([end.result, scope]);
  }
  return refs;
}

/**
 * Trims the outputs of an execution whose state is durable: drops those that nothing can read any more, then the
 * largest of the others until they take about `maxBytes`. Dropped outputs stay in the store and are loaded on demand.
 */
export function trimmedOutputs({ plan, state, outputs }: Run, maxBytes: number): Outputs {
  const asked = askedBy(plan, state);
  const kept = new Set(referred(state).map(([{ nodeId }]) => nodeId));
  for (const { nodeId, stage } of state.tokens) if ('task' in stage) kept.add(nodeId);
  const rows = new Set(loopRowsOf(state).map(({ ord }) => ord));
  return outputs.trimmed(
    (nodeId) => kept.has(nodeId) || isAsked(plan, asked, nodeId),
    maxBytes,
    (ord) => rows.has(ord),
  );
}

/** The nodes a place reads whose outputs were left in the store; `prev` is the node completed before it. */
function lackOf(outputs: Outputs, ask: Ask | undefined, prev: OutputRef | undefined): readonly string[] {
  if (outputs.isWhole || ask === undefined) return [];
  const lack = ask.nodes === 'all' ? outputs.leftOut : ask.nodes.filter((nodeId) => outputs.lacks(nodeId));
  if (!ask.prev || prev === undefined || !outputs.lacks(prev.nodeId) || lack.includes(prev.nodeId)) return lack;
  return [...lack, prev.nodeId];
}

/**
 * The nodes whose outputs must be loaded before a token can move on its own: those read by the conditions and texts of
 * its node, or by its join.
 */
export function lackOfMove({ plan, outputs }: Run, token: Token): readonly string[] {
  const { stage, nodeId, prev } = token;
  if (stage.kind === 'looping') return lackOfLoop(outputs, nodeId, stage.loop);
  if (outputs.isWhole) return [];
  if (stage.kind === 'ready' && stage.isItemEnd === true) {
    const loop = plan.nodes.get(nodeId)?.loops?.at(-1) ?? '';
    return lackOf(outputs, plan.asks.collect.get(loop), prev);
  }
  if (stage.kind === 'forked') {
    const results = Object.values(stage.branches).flatMap(({ result }) =>
      result === undefined ? [] : [result.nodeId],
    );
    return [...new Set(results)].filter((id) => outputs.lacks(id));
  }
  return stage.kind === 'ready' ? lackOf(outputs, plan.asks.entry.get(nodeId), prev) : [];
}

/** The loop itself, if the row of its next item, or at its end a row of results, was left in the store. */
function lackOfLoop(outputs: Outputs, nodeId: string, { ord, count, next, ended, endRows }: Loop): readonly string[] {
  const isThere =
    ended === count
      ? endRows.every((row) => outputs.hasLoopRow(row))
      : next === count || outputs.hasLoopRow(itemRow(ord, next));
  return isThere ? [] : [nodeId];
}

/**
 * The nodes whose outputs must be loaded before a call can be rendered. Empty for compensations, which read all outputs
 * from the store; see {@link undoQueries}.
 */
export function lackOfCall({ plan, state, outputs }: Run, { phase, tokenId, nodeId }: CallCommand): readonly string[] {
  if (outputs.isWhole || phase === 'DOWN') return [];
  if (phase === 'HOOK') {
    return lackOf(outputs, nodeId === 'onSuccessCallback' ? plan.asks.onSuccess : plan.asks.onFailure, state.result);
  }
  const token = state.tokens.find(({ id }) => id === tokenId);
  return lackOf(outputs, plan.asks.during.get(nodeId), token?.prev);
}

/** The nodes whose outputs must be loaded before the payload of a child can be evaluated. */
export function lackOfChild(
  { plan, outputs }: Run,
  { nodeId, prev }: Pick<Token, 'nodeId' | 'prev'>,
): readonly string[] {
  return lackOf(outputs, plan.asks.during.get(nodeId), prev);
}

/** The nodes whose outputs must be loaded before the callback conditions of a token's node can be evaluated. */
export function lackOfCallback(
  { plan, outputs }: Run,
  { nodeId, prev }: Pick<Token, 'nodeId' | 'prev'>,
): readonly string[] {
  return lackOf(outputs, plan.asks.condition.get(nodeId), prev);
}

/** The queries that load the outputs of these nodes. */
export function lackQueries({ plan, state }: Run, nodeIds: readonly string[]): readonly OutputQuery[] {
  const lack = new Set(nodeIds);
  const queries = wantedOutputs(plan, state).filter(({ nodeId }) => lack.has(nodeId));
  for (const { nodeId } of queries) lack.delete(nodeId);
  return [...queries, ...Array.from(lack, (nodeId) => ({ nodeId }))];
}

/** Queries for the outputs that a compensation sees: every node as it was when the visit to undo ended. */
export function undoQueries(plan: Plan, state: State, target: UndoTarget): readonly OutputQuery[] {
  return queriesBefore(plan, state, plan.asks.compensation.get(target.nodeId), target, target.ord + 1);
}

/** Queries for the outputs that the request of a visit saw, used to render that request again for display. */
export function forwardQueries(plan: Plan, state: State, target: UndoTarget): readonly OutputQuery[] {
  return queriesBefore(plan, state, plan.asks.during.get(target.nodeId), target, target.ord);
}

function queriesBefore(
  plan: Plan,
  state: State,
  ask: Ask | undefined,
  target: UndoTarget,
  before: number,
): readonly OutputQuery[] {
  if (ask === undefined) return itemRowsOf(target.scope).map(({ nodeId, ord }) => ({ nodeId, at: ord }));
  const wanted = [...(ask.nodes === 'all' ? plan.nodes.keys() : ask.nodes)];
  const { prev, round } = target;
  const queries: OutputQuery[] = wanted
    .filter((nodeId) => round !== state.round || Object.hasOwn(state.visits, nodeId))
    .flatMap((nodeId) => seenFrom(plan, target.scope, { nodeId, before }));
  for (const { nodeId, ord } of itemRowsOf(target.scope)) queries.push({ nodeId, at: ord });
  if (ask.prev && prev !== undefined && !wanted.includes(prev.nodeId))
    queries.push(...queryOf(plan, prev, target.scope));
  return queries;
}
