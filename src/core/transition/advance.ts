import { branchScope, isWithin, itemsOf } from '../context/scope.ts';
import { lackOfMove } from '../context/wanted.ts';
import type { Draft } from '../draft.ts';
import { valuesPerStep } from '../meter.ts';
import { canBegin } from '../due.ts';
import { enterNode, settleNode } from '../node/kinds.ts';
import type { AttemptFailure, BranchEnd, Token } from '../state.ts';
import { drainScope, failLoop, failScope } from './failure.ts';
import { beginItem, endItem, loopNode, loopOf, type Looping, resultOf } from './loop.ts';
import { finish } from './ending/finish.ts';

/**
 * Moves every token that can move without waiting for anything outside. Runs after every event.
 *
 * - A `ready` token enters its node, if calls may start and the outputs that its conditions read are in memory.
 * - A `forked` token completes its join once all its branches have ended.
 * - A `draining` token begins to compensate once it is alone in its scope.
 * - If a verdict is reached and no token is left, the execution ends, after its hook.
 *
 * One turn is bounded by `limits.maxAdvances` nodes, and by its total work including conditions and templates
 * (`Draft.isSpent`). Tokens beyond the bound stay `ready`, even between two cases of a switch, and the event
 * `continued` resumes them after a checkpoint. Each turn makes progress by at least one node or case. The bounds never
 * change an outcome, since each condition is limited on its own.
 */
export function advance(d: Draft): void {
  let budget = d.env.limits.maxAdvances;
  let hasEntered = false;
  while (d.state.end === undefined) {
    if (d.tokens.length > 1) stopLate(d);
    if (d.tokens.length === 0) {
      if (d.state.verdict !== undefined) finish(d, d.state.verdict);
      break;
    }
    const token = d.tokens.find((candidate) => canMove(d, candidate));
    if (token === undefined || budget-- <= 0) break;
    const enters = token.stage.kind === 'ready';
    if (enters && hasEntered && d.isSpent) break;
    hasEntered ||= enters;
    moveOn(d, token);
    // The search for a token, the count of visits and the list of completed nodes each take time proportional to their
    // size.
    d.charge(1 + (d.tokens.length + d.plan.nodes.size) / valuesPerStep, 0);
  }
  if (d.state.end === undefined && d.env.advance) askForUndo(d);
}

/** Where the first branch to succeed decides: takes the others back. What is in flight in them is awaited. */
function stopLate(d: Draft): void {
  for (const { id } of d.tokens.slice()) {
    const token = d.token(id);
    if (token?.stage.kind !== 'forked' || !isDecided(d, token)) continue;
    const { visit, branches } = token.stage;
    for (const [entry, { status }] of Object.entries(branches)) {
      const scope = branchScope(token.scope, token.nodeId, visit, entry);
      if (status !== 'RUNNING' || d.tokens.some((other) => isStopping(other, scope))) continue;
      drainScope(d, scope, { kind: 'branch', isLate: true }, undefined);
    }
  }
}

/** Whether a branch has succeeded of a split that takes the first. */
function isDecided(d: Draft, { nodeId, stage }: Token): boolean {
  if (stage.kind !== 'forked') return false;
  const join = d.node(d.node(nodeId).join ?? '');
  return join.kind === 'join' && join.mode === 'first' && Object.values(stage.branches).some(isFirst);
}

const isFirst = ({ status }: BranchEnd): boolean => status === 'SUCCEEDED';

/** Whether a token drains or compensates a whole branch. */
function isStopping({ scope, stage }: Token, branch: string): boolean {
  return (
    scope === branch && (stage.kind === 'draining' || (stage.kind === 'unwinding' && stage.goal.kind === 'branch'))
  );
}

function canMove(d: Draft, token: Token): boolean {
  const { stage } = token;
  switch (stage.kind) {
    case 'ready':
      return d.env.advance && d.state.startAt === undefined && isAtHand(d, token);
    case 'forked':
      return Object.values(stage.branches).every((branch) => branch.status !== 'RUNNING') && isAtHand(d, token);
    case 'looping':
      return (stage.loop.ended === stage.loop.count || (d.env.advance && canBegin(stage.loop))) && isAtHand(d, token);
    case 'draining':
      return !d.tokens.some((other) => other.id !== token.id && isWithin(other.scope, token.scope));
    case 'calling':
    case 'backoff':
    case 'waiting':
    case 'sleeping':
    case 'child':
    case 'unwinding':
    case 'hook':
      return false;
  }
}

/**
 * Whether the outputs that the token needs are in memory. If not, the engine loads them and then lets the token
 * continue.
 */
function isAtHand(d: Draft, token: Token): boolean {
  return lackOfMove(d.run, token).length === 0;
}

function moveOn(d: Draft, token: Token): void {
  const { stage } = token;
  if (stage.kind === 'draining') {
    d.move(token, { kind: 'unwinding', since: d.now, goal: stage.goal, troubles: 0 });
  } else if (stage.kind === 'forked') settleNode(d, token);
  else if (stage.kind === 'looping') {
    if (stage.loop.ended === stage.loop.count) settleNode(d, token);
    else beginItem(d, token as Looping);
  } else if (stage.kind === 'ready' && stage.isItemEnd === true) completeItem(d, token);
  else enterNode(d, token);
}

/** Ends an item whose last node is done; fails it if its result cannot be made or kept. */
function completeItem(d: Draft, token: Token): void {
  const parent = loopOf(d, token.scope);
  const node = parent && loopNode(d, parent.nodeId);
  const result = node && resultOf(d, token, node);
  if (parent === undefined || node === undefined || result === undefined) {
    d.remove(token);
    return;
  }
  if (!result.ok) {
    failScope(d, token, collectFailure(node.id, `could not be evaluated: ${result.error}`));
    return;
  }
  const { value } = result;
  const after = endItem(d, token, { status: 'SUCCEEDED', ...(value === undefined ? undefined : { result: value }) });
  if (after === undefined || after.stage.loop.isCut !== true || node.collect === undefined || node.collect === false)
    return;
  failLoop(d, after, collectFailure(node.id, 'passes 1 MiB with the results of the items before it.'));
}

function collectFailure(nodeId: string, why: string): AttemptFailure {
  return {
    outcome: 'unsent',
    reason: 'unsent',
    description: `The result of an item of ${nodeId} (collect) ${why}`,
    logged: `The result of an item of ${nodeId} (collect) could not be used.`,
  };
}

/** Requests the next compensation for unwinding tokens that have none; only the step rows know it. */
function askForUndo(d: Draft): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if (stage.kind !== 'unwinding' || stage.undo !== undefined) continue;
    d.command({
      type: 'findUndo',
      tokenId: token.id,
      round: d.state.round,
      scope: token.scope,
      undo: stage.goal.kind === 'end' && stage.goal.reopened === true ? 'reopened' : 'pending',
      ...(stage.goal.kind === 'route' ? { only: { nodeId: token.nodeId, visit: stage.goal.visit } } : undefined),
      ...(stage.goal.kind === 'item' ? { after: itemsOf(token.scope).at(-1)?.start ?? 0 } : undefined),
    });
  }
}
