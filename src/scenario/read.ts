import { at, closest, createProblems, quote, show } from '../core/definition/problems.ts';
import type { Problems } from '../core/definition/problems.ts';
import { checkShape, toNumber } from '../core/definition/shape/shape-check.ts';
import { instantFault, parseInstant } from '../core/value/instant.ts';
import { isJsonObject, ownProperty } from '../core/value/json.ts';
import type { Json, JsonObject } from '../core/value/json.ts';
import type { NodePlan, Plan } from '../core/plan.ts';
import { missingPayload } from '../core/context/required-payload.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { callName, defaultStart } from './scenario.ts';
import type {
  Expectation,
  ExpectedEffect,
  Scenario,
  ScenarioAction,
  ScenarioAnswer,
  ScenarioCallback,
  ScenarioError,
} from './scenario.ts';
import { scenarioShape, scenarioShapes } from './shape.ts';
import { fromStepsForm, hasStepsForm } from './steps-form.ts';

/** A scenario, or all problems of its document. */
export type ReadScenario =
  { readonly ok: true; readonly scenario: Scenario } | { readonly ok: false; readonly errors: readonly string[] };

/** The purpose of a scenario. */
export interface ReadOptions {
  /**
   * Whether an execution starts with its payload, which must then meet the definition's requirements. Default true; a
   * mock starts nothing.
   */
  readonly isRun?: boolean;
}

/**
 * Reads a scenario document for a plan: checks its shape, and whether the plan has the nodes and hooks that it names.
 * Collects all problems, each a sentence that begins with its path.
 *
 * Never throws; the same document and plan give the same result.
 */
export function readScenario(document: Json, plan: Plan, { isRun = true }: ReadOptions = {}): ReadScenario {
  const problems = createProblems();
  if (!isJsonObject(document)) {
    problems.error('scenario', `Must be an object, not ${show(document)}.`);
    return { ok: false, errors: problems.errors };
  }
  const fromSteps = hasStepsForm(document) ? fromStepsForm(document, plan, problems) : undefined;
  const listed = wrapSingles(fromSteps?.document ?? document);
  checkShape(scenarioShape, listed, '', scenarioShapes, problems);
  if (isRun && problems.errors.length === 0) checkPayload(objectOf(listed, 'payload'), plan, problems);
  const scenario = problems.errors.length === 0 ? build(listed, plan, problems) : undefined;
  return scenario !== undefined && problems.errors.length === 0
    ? { ok: true, scenario }
    : { ok: false, errors: problems.errors.map((line) => fromSteps?.place(line) ?? scenarioLine(line)) };
}

function scenarioLine(line: string): string {
  return line.replace(/^definition: /, 'scenario: ');
}

/** A node with one answer may omit the list. */
function wrapSingles(document: JsonObject): JsonObject {
  const nodes = ownProperty(document, 'nodes');
  if (!isJsonObject(nodes)) return document;
  const entries = Object.entries(nodes).map(([key, value]): [string, Json] => [
    key,
    isJsonObject(value) ? [value] : value,
  ]);
  return { ...document, nodes: Object.fromEntries(entries) };
}

function build(document: JsonObject, plan: Plan, problems: Problems): Scenario {
  const payload = objectOf(document, 'payload');
  const description = textOf(document, 'description') ?? textOf(document, 'name');
  const expect = ownProperty(document, 'expect');
  return {
    ...(description === undefined ? undefined : { description }),
    startedAt: startOf(document, problems),
    payload,
    labels: textsOf(document, 'labels'),
    vars: textsOf(document, 'vars'),
    answers: readAnswers(objectOf(document, 'nodes'), plan, problems),
    actions: readActions(listOf(document, 'actions'), plan, problems),
    ...(isJsonObject(expect) ? { expect: readExpectation(expect, plan, problems) } : undefined),
  };
}

/** The server, too, refuses a run whose payload lacks what the definition requires. */
function checkPayload(payload: JsonObject, plan: Plan, problems: Problems): void {
  for (const path of missingPayload(plan, payload)) {
    problems.error(path, 'The definition requires this (requiredPayload), but it is missing or null.');
  }
}

function startOf(document: JsonObject, problems: Problems): number {
  const text = textOf(document, 'startedAt');
  if (text === undefined) return defaultStart;
  const instant = parseInstant(text);
  if (instant === undefined) problems.error('startedAt', `${quote(text)} ${instantFault(text)}.`);
  return instant ?? defaultStart;
}

function readAnswers(nodes: JsonObject, plan: Plan, problems: Problems): Map<string, readonly ScenarioAnswer[]> {
  const answers = new Map<string, readonly ScenarioAnswer[]>();
  for (const [key, list] of Object.entries(nodes)) {
    if (!Array.isArray(list)) continue;
    const path = at('nodes', key);
    const name = resolveCall(key, plan);
    if (typeof name !== 'string') problems.error(path, name.problem);
    else if (answers.has(name)) problems.error(path, `The answers of ${name} are listed twice.`);
    else {
      const items = list as readonly Json[];
      answers.set(
        name,
        items.map((item, i) => readAnswer(isJsonObject(item) ? item : {}, at(path, i), isAsync(name, plan), problems)),
      );
    }
  }
  return answers;
}

/** The call that a key of `nodes`, or an element of `expect.calls`, names. */
function resolveCall(key: string, plan: Plan): string | { readonly problem: string } {
  const hooks = [
    ['onSuccessCallback', plan.onSuccess],
    ['onFailureCallback', plan.onFailure],
  ] as const;
  const node = plan.nodes.get(key);
  if (node !== undefined) return callOf(node, 'UP');
  for (const [hook, call] of hooks) {
    if (key !== hook && key !== callName(hook, 'HOOK')) continue;
    return call === undefined ? { problem: `The definition has no ${hook}.` } : callName(hook, 'HOOK');
  }
  const colon = key.lastIndexOf(':');
  const phase = key.slice(colon + 1);
  const owner = colon < 0 ? undefined : plan.nodes.get(key.slice(0, colon));
  if (owner !== undefined && (phase === 'UP' || phase === 'DOWN')) return callOf(owner, phase);
  const hint = closest(colon < 0 ? key : key.slice(0, colon), [...plan.nodes.keys()]);
  return {
    problem: `The definition has no node ${quote(key)}${hint === undefined ? '.' : `; did you mean ${quote(hint)}?`}`,
  };
}

function callOf(node: NodePlan, phase: 'UP' | 'DOWN'): string | { readonly problem: string } {
  if (node.kind !== 'task') return { problem: `The ${node.kind} node ${quote(node.id)} makes no call.` };
  if (phase === 'DOWN' && node.compensation === undefined) {
    return { problem: `The node ${quote(node.id)} has no compensation.` };
  }
  return callName(node.id, phase);
}

function isAsync(name: string, plan: Plan): boolean {
  const node = plan.nodes.get(name.slice(0, name.lastIndexOf(':')));
  return node?.kind === 'task' && node.mode === 'async' && name.endsWith(':UP');
}

function readAnswer(item: JsonObject, path: string, async: boolean, problems: Problems): ScenarioAnswer {
  const callback = ownProperty(item, 'callback') ?? undefined;
  const callbacks = callback === undefined ? [] : Array.isArray(callback) ? (callback as readonly Json[]) : [callback];
  if (callbacks.length > 0 && !async) {
    problems.error(at(path, 'callback'), 'Only the request of an async node is called back.');
  }
  const status = numberOf(item, 'status');
  const body = ownProperty(item, 'body');
  const afterMillis = numberOf(item, 'afterMillis');
  const error = textOf(item, 'error') as ScenarioError | undefined;
  return {
    ...(status === undefined ? undefined : { status }),
    ...(body === undefined ? undefined : { body }),
    headers: textsOf(item, 'headers'),
    ...(afterMillis === undefined ? undefined : { afterMillis }),
    ...(error === undefined ? undefined : { error }),
    callbacks: callbacks.map((one) => readCallback(isJsonObject(one) ? one : {})),
  };
}

function readCallback(item: JsonObject): ScenarioCallback {
  const afterMillis = numberOf(item, 'afterMillis');
  const body = ownProperty(item, 'body');
  return { ...(afterMillis === undefined ? undefined : { afterMillis }), body: body === undefined ? {} : body };
}

function readActions(list: readonly Json[], plan: Plan, problems: Problems): ScenarioAction[] {
  const actions = list.map((item, i) => readAction(isJsonObject(item) ? item : {}, at('actions', i), plan, problems));
  return actions.toSorted((a, b) => a.atMillis - b.atMillis);
}

function readAction(item: JsonObject, path: string, plan: Plan, problems: Problems): ScenarioAction {
  const atMillis = numberOf(item, 'atMillis') ?? 0;
  const reason = textOf(item, 'reason');
  const what = textOf(item, 'do') as ScenarioAction['do'];
  switch (what) {
    case 'cancel':
      return { do: what, atMillis, ...(reason === undefined ? undefined : { reason }) };
    case 'wake':
    case 'terminate':
      return { do: what, atMillis };
    case 'undo':
      return { do: what, atMillis, reason: reason ?? 'Undone in a scenario.' };
    case 'retry': {
      const force = ownProperty(item, 'force') ?? false;
      if (typeof force !== 'boolean') problems.error(at(path, 'force'), `Must be true or false, not ${show(force)}.`);
      return { do: what, atMillis, force: force === true };
    }
    case 'resolve': {
      const nodeId = textOf(item, 'nodeId') ?? '';
      checkNode(nodeId, at(path, 'nodeId'), plan, problems);
      const visit = numberOf(item, 'visit');
      const body = ownProperty(item, 'body');
      return {
        do: what,
        atMillis,
        nodeId,
        ...(visit === undefined ? undefined : { visit }),
        phase: textOf(item, 'phase') === 'DOWN' ? 'DOWN' : 'UP',
        outcome: textOf(item, 'outcome') === 'failed' ? 'failed' : 'succeeded',
        ...(body === undefined ? undefined : { body }),
        reason: reason ?? 'Settled in a scenario.',
      };
    }
    default:
      return what satisfies never;
  }
}

function readExpectation(item: JsonObject, plan: Plan, problems: Problems): Expectation {
  const status = textOf(item, 'status') as ExecutionStatus | undefined;
  const calls = ownProperty(item, 'calls') ?? undefined;
  const standing = ownProperty(item, 'standing') ?? undefined;
  const result = ownProperty(item, 'result');
  const failedNodeId = textOf(item, 'failedNodeId');
  const reason = textOf(item, 'reason');
  if (failedNodeId !== undefined) checkNode(failedNodeId, 'expect.failedNodeId', plan, problems);
  return {
    ...(status === undefined ? undefined : { status }),
    ...(Array.isArray(calls) ? { calls: readCalls(calls as readonly Json[], plan, problems) } : undefined),
    ...(Array.isArray(standing) ? { standing: readStanding(standing as readonly Json[], plan, problems) } : undefined),
    ...(result === undefined ? undefined : { result: { body: result } }),
    ...(failedNodeId === undefined ? undefined : { failedNodeId }),
    ...(reason === undefined ? undefined : { reason }),
  };
}

function readCalls(list: readonly Json[], plan: Plan, problems: Problems): string[] {
  return list.flatMap((item, i) => {
    const name = resolveCall(typeof item === 'string' ? item : '', plan);
    if (typeof name === 'string') return [name];
    problems.error(at('expect.calls', i), name.problem);
    return [];
  });
}

function readStanding(list: readonly Json[], plan: Plan, problems: Problems): ExpectedEffect[] {
  return list.map((item, i) => {
    const path = at('expect.standing', i);
    const nodeId = isJsonObject(item) ? (textOf(item, 'nodeId') ?? '') : typeof item === 'string' ? item : '';
    checkNode(nodeId, path, plan, problems);
    if (!isJsonObject(item)) return { nodeId };
    const visit = numberOf(item, 'visit');
    const round = numberOf(item, 'round');
    const outcome = textOf(item, 'outcome') as ExpectedEffect['outcome'];
    return {
      nodeId,
      ...(visit === undefined ? undefined : { visit }),
      ...(round === undefined ? undefined : { round }),
      ...(outcome === undefined ? undefined : { outcome }),
    };
  });
}

function checkNode(nodeId: string, path: string, plan: Plan, problems: Problems): void {
  if (plan.nodes.has(nodeId)) return;
  const hint = closest(nodeId, [...plan.nodes.keys()]);
  const also = hint === undefined ? '.' : `; did you mean ${quote(hint)}?`;
  problems.error(path, `The definition has no node ${quote(nodeId)}${also}`);
}

function textOf(object: JsonObject, key: string): string | undefined {
  const value = ownProperty(object, key);
  return typeof value === 'string' ? value : undefined;
}

function numberOf(object: JsonObject, key: string): number | undefined {
  return toNumber(ownProperty(object, key));
}

function objectOf(object: JsonObject, key: string): JsonObject {
  const value = ownProperty(object, key);
  return isJsonObject(value) ? value : {};
}

function listOf(object: JsonObject, key: string): readonly Json[] {
  const value = ownProperty(object, key);
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function textsOf(object: JsonObject, key: string): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(objectOf(object, key))) if (typeof value === 'string') texts[name] = value;
  return texts;
}
