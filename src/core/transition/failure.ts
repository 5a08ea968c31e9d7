import { isCalling } from '../call/attempting.ts';
import type { Draft } from '../draft.ts';
import { dropChild, type Parenting } from '../family/ending.ts';
import { isItemScope, isWithin, parentScope, placesOf } from '../context/scope.ts';
import { quietRow } from './quiet-row.ts';
import type { AttemptFailure, Token, UnwindGoal, Verdict } from '../state.ts';
import { itemFailure, loopNode, loopOf, type Looping, scopeOfLoop } from './loop.ts';
import { goTo } from './route.ts';
import { settleDropped } from './settle.ts';

/** The items that a token belongs to, as a verdict names them. */
export function placesIn({ scope }: Token): Pick<Verdict, 'item'> {
  const item = placesOf(scope);
  return item === undefined ? {} : { item };
}

/** The verdict of an execution that fails with this failure. */
function verdictOf(failure: AttemptFailure, token: Token): Verdict {
  const { nodeId } = token;
  return {
    status: 'FAILED',
    reason: failure.reason,
    description: failure.description,
    nodeId,
    ...(failure.statusCode === undefined ? undefined : { statusCode: failure.statusCode }),
    ...(failure.host === undefined ? undefined : { host: failure.host }),
    ...placesIn(token),
  };
}

/**
 * Handles the final failure of a token's node, whose visit is already settled: follows the `onFailure` route if there
 * is one, otherwise fails the branch or the execution. Set `undoFirst` if the visit has a compensation that must run
 * before the route is taken.
 */
export function failToken(
  d: Draft,
  token: Token,
  failure: AttemptFailure,
  options: { readonly visit: number; readonly undoFirst: boolean },
): void {
  const route = d.node(token.nodeId).onFailure;
  if (route !== undefined && drainOf(d, token) === undefined) {
    if (!options.undoFirst) {
      goTo(d, token, route);
      return;
    }
    const goal: UnwindGoal = { kind: 'route', target: route, visit: options.visit };
    d.move(token, { kind: 'unwinding', since: d.now, goal, troubles: 0 });
    return;
  }
  failScope(d, token, failure);
}

/** Fails the innermost branch whose join continues after failures, otherwise the execution. */
export function failScope(d: Draft, token: Token, failure: AttemptFailure): void {
  const drain = drainOf(d, token);
  if (drain !== undefined) {
    d.remove(token);
    return;
  }
  for (let scope = token.scope; scope !== ''; scope = parentScope(scope)) {
    if (isItemScope(scope)) {
      if (failItem(d, scope, token, failure)) return;
      continue;
    }
    const fork = d.tokens.find((other) => other.scope === parentScope(scope) && other.stage.kind === 'forked');
    const joinId = fork === undefined ? undefined : d.node(fork.nodeId).join;
    const join = joinId === undefined ? undefined : d.node(joinId);
    if (join?.kind !== 'join' || (join.onBranchFailure !== 'continue' && join.mode !== 'first')) continue;
    const why = join.mode === 'first' ? { failure: { ...failure, nodeId: token.nodeId } } : undefined;
    drainScope(d, scope, { kind: 'branch', ...why }, token);
    return;
  }
  failExecution(d, verdictOf(failure, token), token, failure.logged);
}

/**
 * Fails an item of a loop: alone if its loop continues, together with the loop if that has a route. Returns false if the
 * failure goes further up.
 */
function failItem(d: Draft, scope: string, token: Token, failure: AttemptFailure): boolean {
  const parent = loopOf(d, scope);
  if (parent === undefined) return false;
  const node = loopNode(d, parent.nodeId);
  if (node.onItemFailure === 'continue') {
    drainScope(d, scope, { kind: 'item', failure: itemFailure(token.nodeId, failure) }, token);
    return true;
  }
  return routeLoop(d, parent, failure, token);
}

/** Fails a loop as a whole, for a reason of its own. */
export function failLoop(d: Draft, parent: Looping, failure: AttemptFailure): void {
  if (!routeLoop(d, parent, failure, undefined)) failScope(d, parent, failure);
}

/**
 * Records that a loop failed, and follows its `onFailure` route once its items are undone. Returns false if it has
 * none. `at` is the failed token within it.
 */
function routeLoop(d: Draft, parent: Looping, failure: AttemptFailure, at: Token | undefined): boolean {
  const node = loopNode(d, parent.nodeId);
  const { loop, since } = parent.stage;
  const { outcome, reason, statusCode } = failure;
  d.step({
    ...quietRow(d, parent, node, loop.visit, since),
    phase: 'FOREACH',
    outcome,
    final: true,
    output: { failure: { outcome, reason, ...(statusCode === undefined ? undefined : { statusCode }) } },
    note: failure.description,
  });
  if (node.onFailure === undefined || drainOf(d, parent) !== undefined) return false;
  d.remove(parent);
  drainScope(d, scopeOfLoop(parent), { kind: 'loop', nodeId: node.id, target: node.onFailure }, at);
  // What is read as the node before is that before the loop.
  const drain = d.tokens.find(({ stage, scope }) => stage.kind === 'draining' && scope === scopeOfLoop(parent));
  if (drain !== undefined) {
    const { prev: _prev, ...rest } = drain;
    d.put({ ...rest, ...(parent.prev === undefined ? undefined : { prev: parent.prev }) });
  }
  return true;
}

/**
 * Sets the verdict and starts to drain the execution; does nothing but remove the token if there is a verdict already.
 * `logged` is the sentence for logs if the verdict's description contains data.
 */
export function failExecution(d: Draft, verdict: Verdict, token?: Token, logged?: string): void {
  if (d.state.verdict !== undefined) {
    if (token !== undefined) d.remove(token);
    return;
  }
  d.state.verdict = verdict;
  if (verdict.reason !== undefined) {
    d.signal({
      kind: 'failing',
      reason: verdict.reason,
      description: logged ?? verdict.description ?? verdict.reason,
      ...(verdict.nodeId === undefined ? undefined : { nodeId: verdict.nodeId }),
    });
  }
  drainScope(d, '', { kind: 'end' }, token);
}

/** The draining token in whose scope this token still has a call in flight, if any. */
export function drainOf(d: Draft, token: Token): Token | undefined {
  return d.tokens.find(
    (other) => other.id !== token.id && other.stage.kind === 'draining' && isWithin(token.scope, other.scope),
  );
}

/**
 * Replaces all tokens of a scope by one draining token. Tokens without a call in flight are settled and removed; those
 * with one, or with a child, stay until it is answered or has ended. Calls that would be sent with this transition are withdrawn. Once the scope is
 * empty, the draining token begins to compensate (see `advance.ts`). `at` is the failed token, already settled and
 * without a call.
 */
export function drainScope(d: Draft, scope: string, goal: UnwindGoal, at: Token | undefined): void {
  const nodeId = at?.nodeId ?? d.tokens[0]?.nodeId ?? d.plan.entry;
  for (const other of d.tokens.slice()) {
    if (other.id === at?.id || !isWithin(other.scope, scope)) continue;
    if (other.stage.kind === 'child') {
      if (dropChild(d, other as Parenting)) d.remove(other);
      continue;
    }
    const idle = isCalling(other) ? d.takeBack(other) : other;
    if (idle === undefined) continue;
    settleDropped(d, idle);
    d.remove(other);
  }
  const stage = { kind: 'draining', since: d.now, goal } as const;
  const prev = at?.prev === undefined ? undefined : { prev: at.prev };
  if (at !== undefined) d.remove(at);
  d.put({ id: d.newTokenId(), nodeId, scope, ...prev, stage });
}
