/**
 * The driver: after every event, moves whatever can move without waiting for anything outside.
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
import { conditionContext } from '../context/context-of.ts';
import type { Draft } from '../draft.ts';
import type { StepOutput } from '../history.ts';
import { instantFault, parseInstant } from '../value/instant.ts';
import type { Json } from '../value/json.ts';
import { valuesPerStep } from '../meter.ts';
import type { FailPlan, JoinPlan, SleepPlan, SplitPlan, SwitchPlan } from '../plan.ts';
import { branchScope, isWithin } from '../context/scope.ts';
import type { AttemptFailure, BranchEnd, Choosing, Stage, Token } from '../state.ts';
import { lackOfMove } from '../context/wanted.ts';
import { failExecution, failToken } from './failure.ts';
import { finish } from './finish.ts';
import { goTo, noteCompleted } from './route.ts';
import { startTask } from './task.ts';

/** See the file header. */
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
  } else if (stage.kind === 'forked') completeJoin(d, token, stage);
  else enter(d, token);
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

/** Counts a visit; undefined when the round may make no more, and then the execution fails. */
function countVisit(d: Draft, token: Token, nodeId: string): number | undefined {
  const { limits } = d.env;
  const limit = Math.min(d.plan.maxNodeVisits ?? limits.maxNodeVisits, limits.maxNodeVisitsCap);
  if (d.state.totalVisits >= limit) {
    failExecution(
      d,
      {
        status: 'FAILED',
        reason: 'visits',
        description: `The round made ${String(limit)} node visits, which is its limit (maxNodeVisits).`,
        nodeId,
      },
      token,
    );
    return undefined;
  }
  const { visits } = d.state;
  const visit = (Object.hasOwn(visits, nodeId) ? (visits[nodeId] ?? 0) : 0) + 1;
  d.state.visits = { ...visits, [nodeId]: visit };
  d.state.totalVisits++;
  return visit;
}

function enter(d: Draft, token: Token): void {
  const node = d.node(token.nodeId);
  const choosing = token.stage.kind === 'ready' ? token.stage.choosing : undefined;
  if (choosing !== undefined && node.kind === 'switch') {
    choose(d, token, node, choosing);
    return;
  }
  const visit = countVisit(d, token, node.id);
  if (visit === undefined) return;
  switch (node.kind) {
    case 'task':
      startTask(d, token, visit);
      return;
    case 'switch':
      choose(d, token, node, { visit, next: 0, problems: [] });
      return;
    case 'sleep':
      fallAsleep(d, token, node, visit);
      return;
    case 'split':
      fork(d, token, node, visit);
      return;
    case 'fail':
      failHere(d, token, node, visit);
      return;
    case 'join':
      // Joins are completed by their split's token; the compiler lets no other edge lead here.
      goTo(d, token, node.next);
  }
}

/** The fields of a row of a node without a call. */
function quietRow(
  d: Draft,
  token: Token,
  node: { readonly id: string; readonly index: number },
  visit: number,
  since: number = d.now,
): {
  nodeId: string;
  index: number;
  visit: number;
  attempt: number;
  startedAt: number;
  attemptAt: number;
  scope: string;
  output?: StepOutput;
} {
  return {
    nodeId: node.id,
    index: node.index,
    visit,
    attempt: 1,
    startedAt: since,
    attemptAt: since,
    scope: token.scope,
    // Nothing was answered, but the visit is known from then on.
    ...(d.plan.visitsRead.has(node.id) ? { output: {} } : undefined),
  };
}

/** Sentences kept of conditions of one switch that could not be evaluated: they are part of the state and of the history. */
const maxProblems = 20;

/** Goes on choosing where it was left. */
function choose(d: Draft, token: Token, node: SwitchPlan, from: Choosing): void {
  const context = conditionContext(d.run, token, d.env, from.visit);
  const problems = [...from.problems];
  let target = node.default;
  let matchedCase: string | undefined;
  for (let i = from.next; i < node.cases.length; i++) {
    if (i > from.next && d.isSpent) {
      d.move(token, { kind: 'ready', choosing: { visit: from.visit, next: i, problems } });
      return;
    }
    const option = node.cases[i] as SwitchPlan['cases'][number];
    const result = option.when.evaluate(context, { meter: d });
    const name = option.name ?? `case ${String(i + 1)}`;
    if (!result.ok) {
      if (problems.length < maxProblems) {
        problems.push(`The condition of ${name} could not be evaluated and counts as false: ${result.error}`);
      } else if (problems.length === maxProblems) {
        problems.push('Further conditions could not be evaluated and count as false.');
      }
      d.signal({ kind: 'warning', nodeId: node.id, message: result.error });
    } else if (result.truthy) {
      target = option.target;
      matchedCase = name;
      break;
    }
  }
  d.step({
    ...quietRow(d, token, node, from.visit),
    phase: 'SWITCH',
    outcome: 'succeeded',
    final: false,
    choice: { target, ...(matchedCase === undefined ? undefined : { matchedCase }) },
    note: [...problems, `Took ${matchedCase ?? 'default'} to ${target}.`].join(' '),
  });
  d.signal({
    kind: 'switched',
    nodeId: node.id,
    result: problems.length > 0 ? 'error' : matchedCase === undefined ? 'default' : 'case',
  });
  goTo(d, token, target);
}

function fallAsleep(d: Draft, token: Token, node: SleepPlan, visit: number): void {
  const until = wakeTime(d, token, node, visit);
  if (typeof until === 'number') {
    const stage: Extract<Stage, { kind: 'sleeping' }> = { kind: 'sleeping', since: d.now, until, visit };
    const asleep = d.move(token, stage);
    if (until <= d.now) wakeUp(d, asleep, stage);
    return;
  }
  const failure: AttemptFailure = {
    outcome: 'rejected',
    reason: 'fail_node',
    description: until.problem,
    logged: until.logged,
  };
  d.step({
    ...quietRow(d, token, node, visit),
    phase: 'SLEEP',
    outcome: 'rejected',
    final: false,
    note: failure.description,
  });
  failToken(d, token, failure, { visit, undoFirst: false });
}

/** Characters that a failure shows of what is no time. */
const maxShownTime = 100;

function wakeTime(
  d: Draft,
  token: Token,
  node: SleepPlan,
  visit: number,
): number | { readonly problem: string; readonly logged: string } {
  const { wait } = node;
  if ('durationMillis' in wait) return d.now + wait.durationMillis;
  const rendered = wait.until.render(conditionContext(d.run, token, d.env, visit), undefined, d);
  const logged = `The time to sleep until, ${wait.until.source}, could not be used.`;
  if (!rendered.ok) return { problem: `The time to sleep until could not be rendered: ${rendered.error}`, logged };
  const text = rendered.text.trim();
  return (
    parseInstant(text) ?? {
      logged,
      problem: `It cannot be slept until ${JSON.stringify(text.slice(0, maxShownTime))}: it ${instantFault(text)}.`,
    }
  );
}

/** A sleep is over, by its time or by `wake`. */
export function wakeUp(d: Draft, token: Token, stage: Extract<Stage, { kind: 'sleeping' }>, note?: string): void {
  const node = d.node(token.nodeId);
  d.step({
    ...quietRow(d, token, node, stage.visit, stage.since),
    phase: 'SLEEP',
    outcome: 'succeeded',
    final: false,
    ...(note === undefined ? undefined : { note }),
  });
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'sleep',
    outcome: 'succeeded',
    durationMillis: d.now - stage.since,
  });
  goTo(d, token, node.kind === 'sleep' ? node.next : undefined);
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

function completeJoin(d: Draft, token: Token, stage: Extract<Stage, { kind: 'forked' }>): void {
  const split = d.node(token.nodeId);
  const node = split.kind === 'split' ? d.node(split.join) : split;
  if (node.kind !== 'join') throw new Error(`Split ${JSON.stringify(token.nodeId)} has no join.`);
  const visit = countVisit(d, token, node.id);
  if (visit === undefined) return;
  const row = d.step({
    ...quietRow(d, token, node, visit, stage.since),
    phase: 'JOIN',
    outcome: 'succeeded',
    final: true,
    output: { response: { status: 200, headers: {}, body: joinBody(d, node, stage) } },
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

function joinBody(d: Draft, _node: JoinPlan, stage: Extract<Stage, { kind: 'forked' }>): Json {
  const branches: [string, Json][] = Object.entries(stage.branches).map(([entry, end]) => [
    entry,
    { status: end.status, result: (end.result && d.outputs.at(end.result)?.response?.body) ?? null },
  ]);
  const allSucceeded = Object.values(stage.branches).every((end) => end.status === 'SUCCEEDED');
  return { allSucceeded, branches: Object.fromEntries(branches) };
}

/** Characters kept of a rendered reason: it is part of the state. */
const maxReasonLength = 2_000;

function failHere(d: Draft, token: Token, node: FailPlan, visit: number): void {
  const rendered = node.reason.render(conditionContext(d.run, token, d.env, visit), undefined, d);
  const description =
    rendered.ok && rendered.text.trim() !== ''
      ? rendered.text.slice(0, maxReasonLength)
      : `The node ${node.id} fails the execution.`;
  d.step({ ...quietRow(d, token, node, visit), phase: 'FAIL', outcome: 'rejected', final: false, note: description });
  const logged = `The node ${node.id} fails the execution.`;
  failToken(d, token, { outcome: 'rejected', reason: 'fail_node', description, logged }, { visit, undoFirst: false });
}
