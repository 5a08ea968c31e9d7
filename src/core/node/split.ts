import { branchScope } from '../context/scope.ts';
import { edgeAt, edgeTo, type NodeReading } from '../definition/node-draft.ts';
import { at, type Path } from '../definition/problems.ts';
import { nodeShape, reference, required } from '../definition/shape/fields.ts';
import type { Draft } from '../draft.ts';
import type { SplitPlan } from '../plan.ts';
import type { BranchEnd, Stage, Token } from '../state.ts';
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
  const visit = countVisit(d, token, node.id);
  if (visit === undefined) return;
  const row = d.step({
    ...quietRow(d, token, node, visit, stage.since),
    phase: 'JOIN',
    outcome: 'succeeded',
    final: true,
    output: { response: { status: 200, headers: {}, body: joinBody(d, stage) } },
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

function joinBody(d: Draft, stage: Extract<Stage, { kind: 'forked' }>): Json {
  const branches: [string, Json][] = Object.entries(stage.branches).map(([entry, end]) => [
    entry,
    { status: end.status, result: (end.result && d.outputs.at(end.result)?.response?.body) ?? null },
  ]);
  const allSucceeded = Object.values(stage.branches).every((end) => end.status === 'SUCCEEDED');
  return { allSucceeded, branches: Object.fromEntries(branches) };
}
