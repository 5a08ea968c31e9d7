import { branchScope } from '../context/scope.ts';
import { edgeAt, edgeTo, type NodeReading } from '../definition/node-draft.ts';
import { at, type Path } from '../definition/problems.ts';
import { nodeShape, reference, required } from '../definition/shape/fields.ts';
import type { Draft } from '../draft.ts';
import type { JoinPlan, NodePlan, SplitPlan } from '../plan.ts';
import type { BranchEnd, BranchFailure, Stage, Token } from '../state.ts';
import { failScope } from '../transition/failure.ts';
import { goTo, noteCompleted } from '../transition/route.ts';
import { ownProperty, type Json, type JsonObject } from '../value/json.ts';
import { type NodeKind, targetOf } from './kind.ts';
import { quietRow } from '../transition/quiet-row.ts';
import { countVisit } from './visit.ts';

/** The start of parallel branches. Its token waits for them, completes their join and continues from there. */
export const splitKind: NodeKind<SplitPlan> = {
  shape: nodeShape({
    branches: required(
      { type: 'list', of: reference, minItems: 2, distinct: true },
      'Ids of the nodes at which the parallel branches begin.',
    ),
    join: required(reference, 'Id of the join node at which they all end.'),
  }),
  read: readSplit,
  compile(node, base) {
    const branches = node.edges.filter((edge) => edge.via === 'branch').map((edge) => edge.target);
    const join = targetOf(node, 'join');
    return join === undefined ? undefined : { ...base, kind: 'split', branches, join };
  },
  enter: fork,
  settle: completeJoin,
};

function readSplit(json: JsonObject, path: Path): NodeReading {
  const list = ownProperty(json, 'branches');
  const branches = Array.isArray(list) ? (list as readonly Json[]) : [];
  // The shape check reports repeated branches; the graph contains each of them once.
  const seen = new Set<Json>();
  const edges = branches.flatMap((target, index) => {
    if (seen.has(target)) return [];
    seen.add(target);
    return edgeTo('branch', target, at(at(path, 'branches'), index));
  });
  return { edges: [...edges, ...edgeAt('join', json, path)] };
}

function fork(d: Draft, token: Token, node: SplitPlan, visit: number): void {
  const row = d.step({ ...quietRow(d, token, node, visit), phase: 'SPLIT', outcome: 'succeeded', final: false });
  const branches = Object.fromEntries(
    node.branches.map((entry): [string, BranchEnd] => [entry, { status: 'RUNNING' }]),
  );
  d.move(token, { kind: 'forked', since: d.now, visit, ord: row.ord, branches });
  for (const entry of node.branches) {
    d.put({
      id: d.newTokenId(),
      scope: branchScope(token.scope, node.id, visit, entry),
      nodeId: entry,
      ...(token.prev === undefined ? undefined : { prev: token.prev }),
      stage: { kind: 'ready' },
    });
  }
}

function completeJoin(d: Draft, token: Token, split: SplitPlan): void {
  const { stage } = token;
  const node = d.node(split.join);
  if (stage.kind !== 'forked') return;
  if (node.kind !== 'join') throw new Error(`Split ${JSON.stringify(token.nodeId)} has no join.`);
  const losers = node.mode === 'first' ? losersOf(stage) : [];
  if (node.mode === 'first' && losers.length === split.branches.length && node.onBranchFailure === 'fail') {
    const { nodeId, ...failure } = stage.failure ?? noBranch(node.id);
    // The run fails as the last branch did; nothing of the branches is left to compensate.
    failScope(d, { ...token, nodeId }, failure);
    return;
  }
  const visit = countVisit(d, token, node.id);
  if (visit === undefined) return;
  hide(d, token, split, losers);
  const row = d.step({
    ...quietRow(d, token, node, visit, stage.since),
    phase: 'JOIN',
    outcome: 'succeeded',
    final: true,
    output: { response: { status: 200, headers: {}, body: joinBody(d, stage, node.mode) } },
  });
  noteCompleted(d, node.id);
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'join',
    outcome: 'succeeded',
    durationMillis: d.now - stage.since,
  });
  const joined: Token = {
    ...token,
    nodeId: node.id,
    prev: { nodeId: node.id, ord: row.ord },
    stage: { kind: 'ready' },
  };
  goTo(d, d.put(joined), node.next);
}

type Forked = Extract<Stage, { kind: 'forked' }>;

/** The entries of the branches that did not come first. */
function losersOf({ branches }: Forked): readonly string[] {
  return Object.entries(branches).flatMap(([entry, { status }]) => (status === 'SUCCEEDED' ? [] : [entry]));
}

function noBranch(nodeId: string): BranchFailure {
  return { nodeId, outcome: 'rejected', reason: 'fail_node', description: 'No branch succeeded.' };
}

/**
 * Hides the nodes of these branches from all that comes after: they are missing, although the history has them. A row
 * of its own for each that something reads by its id, so that a load finds it.
 */
function hide(d: Draft, token: Token, split: SplitPlan, entries: readonly string[]): void {
  for (const node of d.plan.nodes.values()) {
    if (!d.plan.sought.has(node.id) || !entries.some((entry) => isInBranch(d, node, split.id, entry))) continue;
    const visit = Object.hasOwn(d.state.visits, node.id) ? d.state.visits[node.id] : undefined;
    if (visit === undefined) continue;
    d.step({
      ...quietRow(d, token, node, visit),
      phase: 'JOIN',
      outcome: 'succeeded',
      output: { isHidden: true },
      final: false,
      repeat: true,
    });
  }
}

/** Whether a node belongs to a branch, at whatever depth. */
function isInBranch(d: Draft, node: NodePlan, split: string, entry: string): boolean {
  for (let { branch } = node; branch !== undefined; { branch } = d.node(branch.split)) {
    if (branch.split === split && branch.entry === entry) return true;
  }
  return false;
}

function joinBody(d: Draft, stage: Forked, mode: JoinPlan['mode']): Json {
  const isFirst = mode === 'first';
  const resultOf = ({ status, result }: BranchEnd): Json =>
    (isFirst && status !== 'SUCCEEDED' ? undefined : result && d.outputs.at(result)?.response?.body) ?? null;
  const branches: [string, Json][] = Object.entries(stage.branches).map(([entry, end]) => [
    entry,
    { status: end.status, result: resultOf(end) },
  ]);
  if (isFirst) {
    const winner = branches.find(([entry]) => stage.branches[entry]?.status === 'SUCCEEDED')?.[0] ?? null;
    return { allSucceeded: winner !== null, winner, branches: Object.fromEntries(branches) };
  }
  const allSucceeded = Object.values(stage.branches).every((end) => end.status === 'SUCCEEDED');
  return { allSucceeded, branches: Object.fromEntries(branches) };
}
