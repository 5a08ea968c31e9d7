import type { Draft } from '../draft.ts';
import { branchScope, isItemScope, parentScope } from '../context/scope.ts';
import type { BranchEnd, BranchFailure, OutputRef, Stage, Token } from '../state.ts';

type Forked = Extract<Stage, { kind: 'forked' }>;

/** Moves the token to `target`. Without a target, or at its own join, its path ends. */
export function goTo(d: Draft, token: Token, target: string | undefined): void {
  if (target === undefined || d.node(token.nodeId).branch?.join === target) endPath(d, token);
  else d.put({ ...token, nodeId: target, stage: { kind: 'ready' } });
}

/** Ends a path successfully: the branch of the token, or the run. */
function endPath(d: Draft, token: Token): void {
  if (isItemScope(token.scope)) {
    d.move(token, { kind: 'ready', isItemEnd: true });
    return;
  }
  if (token.scope !== '') {
    endBranch(d, token, 'SUCCEEDED');
    return;
  }
  d.remove(token);
  d.state.verdict = { status: 'SUCCEEDED' };
  if (token.prev !== undefined) d.state.result = token.prev;
}

/** Records the status of an ended branch in its waiting parent, and removes the token. */
export function endBranch(
  d: Draft,
  token: Token,
  status: Exclude<BranchEnd['status'], 'RUNNING'>,
  failure?: BranchFailure,
): void {
  d.remove(token);
  const parent = parentOf(d, token);
  if (parent === undefined) return;
  const { stage } = parent;
  const entry = Object.keys(stage.branches).find(
    (name) => branchScope(parent.scope, parent.nodeId, stage.visit, name) === token.scope,
  );
  if (entry === undefined) return;
  const result = ownResult(token, stage.ord);
  const end: BranchEnd = { status, ...(result === undefined ? undefined : { result }) };
  const branches = { ...stage.branches, [entry]: end };
  d.move(parent, { ...stage, branches, ...(failure === undefined ? undefined : { failure }) });
}

/** The forked token that waits for this branch; undefined if it is gone because its own scope is being compensated. */
function parentOf(d: Draft, token: Token): (Token & { readonly stage: Forked }) | undefined {
  const scope = parentScope(token.scope);
  const parent = d.tokens.find((other) => other.scope === scope && other.stage.kind === 'forked');
  return parent as (Token & { readonly stage: Forked }) | undefined;
}

/** The result of a branch is its own last response, not one from before the split. */
function ownResult(token: Token, splitOrd: number): OutputRef | undefined {
  return token.prev !== undefined && token.prev.ord > splitOrd ? token.prev : undefined;
}

/** Records the order of first completion, for plans that read it. */
export function noteCompleted(d: Draft, nodeId: string): void {
  if (!d.plan.usesOrder) return;
  const completed = d.state.completed ?? [];
  if (!completed.includes(nodeId)) d.state.completed = [...completed, nodeId];
}
