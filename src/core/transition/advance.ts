import { isWithin } from '../context/scope.ts';
import { lackOfMove } from '../context/wanted.ts';
import type { Draft } from '../draft.ts';
import { valuesPerStep } from '../meter.ts';
import { enterNode, settleNode } from '../node/kinds.ts';
import type { Token } from '../state.ts';
import { finish } from './finish.ts';

/**
 * Called after every event: moves whatever can move without waiting for anything outside.
 *
 * - a `ready` token enters its node (when calls may start, and the outputs that its conditions read are in memory);
 * - a `forked` token whose branches have all ended completes its join;
 * - a `draining` token alone in its scope begins to compensate;
 * - a verdict with no token left ends the execution, by its hook.
 *
 * Bounded by `limits.maxAdvances` nodes, and by the work of the whole turn (`Draft.isSpent`), which conditions and templates add to:
 * what is left stays `ready`, between two cases of a switch, too, for the event `continued`, after a checkpoint. Each turn goes on by one
 * node or case at least. Where turns end changes no outcome: a condition is judged by its own bound alone.
 */
export function advance(d: Draft): void {
  let budget = d.env.limits.maxAdvances;
  let hasEntered = false;
  while (d.state.end === undefined) {
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
    // Looking for a token, counting the visit and keeping what was completed go over all of them.
    d.charge(1 + (d.tokens.length + d.plan.nodes.size) / valuesPerStep, 0);
  }
  if (d.state.end === undefined && d.env.advance) askForUndo(d);
}

function canMove(d: Draft, token: Token): boolean {
  const { stage } = token;
  switch (stage.kind) {
    case 'ready':
      return d.env.advance && d.state.startAt === undefined && isAtHand(d, token);
    case 'forked':
      return Object.values(stage.branches).every((branch) => branch.status !== 'RUNNING') && isAtHand(d, token);
    case 'draining':
      return !d.tokens.some((other) => other.id !== token.id && isWithin(other.scope, token.scope));
    case 'calling':
    case 'backoff':
    case 'waiting':
    case 'sleeping':
    case 'unwinding':
    case 'hook':
      return false;
  }
}

/** Whether the outputs that it needs are in memory; the engine reads those that are not, and lets it go on then. */
function isAtHand(d: Draft, token: Token): boolean {
  return d.outputs.isWhole || lackOfMove(d.run, token).length === 0;
}

function moveOn(d: Draft, token: Token): void {
  const { stage } = token;
  if (stage.kind === 'draining') {
    d.move(token, { kind: 'unwinding', since: d.now, goal: stage.goal, troubles: 0 });
  } else if (stage.kind === 'forked') settleNode(d, token);
  else enterNode(d, token);
}

/** Unwinding tokens without a target need the step rows to name one. */
function askForUndo(d: Draft): void {
  for (const token of d.tokens) {
    const { stage } = token;
    if (stage.kind !== 'unwinding' || stage.undo !== undefined) continue;
    d.commands.push({
      type: 'findUndo',
      tokenId: token.id,
      round: d.state.round,
      scope: token.scope,
      undo: stage.goal.kind === 'end' && stage.goal.reopened === true ? 'reopened' : 'pending',
      ...(stage.goal.kind === 'route' ? { only: { nodeId: token.nodeId, visit: stage.goal.visit } } : undefined),
    });
  }
}
