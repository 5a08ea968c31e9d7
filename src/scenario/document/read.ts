import { at, createProblems, quote, show } from '../../core/definition/problems.ts';
import type { Problems } from '../../core/definition/problems.ts';
import { checkShape, toNumber } from '../../core/definition/shape/shape-check.ts';
import { instantFault, parseInstant } from '../../core/value/instant.ts';
import { isJsonObject, ownProperty } from '../../core/value/json.ts';
import type { Json, JsonObject } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { missingPayload } from '../../core/context/required-payload.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { Definitions } from '../definitions.ts';
import { defaultStart } from '../scenario.ts';
import type {
  Expectation,
  ExpectedEffect,
  Scenario,
  ScenarioAction,
  ScenarioAnswer,
  ScenarioCallback,
  ScenarioError,
} from '../scenario.ts';
import { findCall, findExecution, findNode } from './call-reader.ts';
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
  /** The definitions of the executions that workflow nodes start; the last one of a name is its latest version. */
  readonly with?: readonly Plan[];
}

/**
 * Reads a scenario document for a plan: checks its shape, and whether the plan has the nodes and hooks that it names.
 * Collects all problems, each a sentence that begins with its path.
 *
 * Never throws; the same document and plan give the same result.
 */
export function readScenario(
  document: Json,
  plan: Plan,
  { isRun = true, with: others }: ReadOptions = {},
): ReadScenario {
  const problems = createProblems();
  if (!isJsonObject(document)) {
    problems.error('scenario', `Must be an object, not ${show(document)}.`);
    return { ok: false, errors: problems.errors };
  }
  const fromSteps = hasStepsForm(document) ? fromStepsForm(document, plan, problems) : undefined;
  const listed = wrapSingles(fromSteps?.document ?? document);
  checkShape(scenarioShape, listed, '', scenarioShapes, problems);
  if (isRun && problems.errors.length === 0) checkPayload(objectOf(listed, 'payload'), plan, problems);
  const reading = { definitions: new Definitions(plan, others), isRun, problems };
  const scenario = problems.errors.length === 0 ? build(listed, reading) : undefined;
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

/** What the parts of a scenario are checked against, and where their problems go. */
interface Reading {
  readonly definitions: Definitions;
  readonly isRun: boolean;
  readonly problems: Problems;
}

function build(document: JsonObject, reading: Reading): Scenario {
  const { problems } = reading;
  const payload = objectOf(document, 'payload');
  const description = textOf(document, 'description') ?? textOf(document, 'name');
  const expect = ownProperty(document, 'expect');
  return {
    ...(description === undefined ? undefined : { description }),
    startedAt: startOf(document, problems),
    payload,
    labels: textsOf(document, 'labels'),
    vars: textsOf(document, 'vars'),
    answers: readAnswers(objectOf(document, 'nodes'), reading),
    actions: readActions(listOf(document, 'actions'), reading),
    ...(isJsonObject(expect) ? { expect: readExpectation(expect, reading) } : undefined),
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

function readAnswers(nodes: JsonObject, reading: Reading): Map<string, readonly ScenarioAnswer[]> {
  const { definitions, isRun, problems } = reading;
  const answers = new Map<string, readonly ScenarioAnswer[]>();
  for (const [key, list] of Object.entries(nodes)) {
    if (!Array.isArray(list)) continue;
    const path = at('nodes', key);
    const named = findCall(key, definitions);
    if ('problem' in named) problems.error(path, named.problem);
    else if (answers.has(named.name)) problems.error(path, `The answers of ${named.name} are listed twice.`);
    else if (named.isOfItem && !isRun) problems.error(path, itemsOfMock);
    else {
      const { node, phase } = named;
      const isAsync = node?.kind === 'task' && node.mode === 'async' && phase === 'UP';
      const items = list as readonly Json[];
      answers.set(
        named.name,
        items.map((item, i) => readAnswer(isJsonObject(item) ? item : {}, at(path, i), isAsync, problems)),
      );
    }
  }
  return answers;
}

const itemsOfMock =
  'A mock cannot tell the items of a forEach apart by their requests: leave the places out, and it answers in the order of the calls.';

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

function readActions(list: readonly Json[], reading: Reading): ScenarioAction[] {
  const actions = list.map((item, i) => readAction(isJsonObject(item) ? item : {}, at('actions', i), reading));
  return actions.toSorted((a, b) => a.atMillis - b.atMillis);
}

function readAction(item: JsonObject, path: string, { definitions, problems }: Reading): ScenarioAction {
  const target = textOf(item, 'at');
  if (target === undefined) return readPlainAction(item, path, definitions.root, problems);
  const execution = findExecution(target, definitions);
  if ('problem' in execution) problems.error(at(path, 'at'), execution.problem);
  const { plan, name } = 'problem' in execution ? { plan: definitions.root, name: target } : execution;
  return { ...readPlainAction(item, path, plan, problems), at: name };
}

function readPlainAction(item: JsonObject, path: string, plan: Plan, problems: Problems): ScenarioAction {
  const atMillis = numberOf(item, 'atMillis') ?? 0;
  const reason = textOf(item, 'reason');
  const isOfRoot = textOf(item, 'at') === undefined;
  const what = textOf(item, 'do') as ScenarioAction['do'];
  switch (what) {
    case 'cancel':
      return { do: what, atMillis, ...(reason === undefined ? undefined : { reason }) };
    case 'wake': {
      const places = placesIn(ownProperty(item, 'item'));
      return { do: what, atMillis, ...(places === undefined ? undefined : { item: places }) };
    }
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
      const named = nodeAt(textOf(item, 'nodeId') ?? '', at(path, 'nodeId'), plan, problems, isOfRoot);
      const visit = numberOf(item, 'visit');
      const body = ownProperty(item, 'body');
      return {
        do: what,
        atMillis,
        ...named,
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

/** One place, or a list of places. */
function placesIn(value: Json | undefined): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  return (Array.isArray(value) ? (value as readonly Json[]) : [value]).map((place) => toNumber(place) ?? 0);
}

function readExpectation(item: JsonObject, { definitions, problems }: Reading): Expectation {
  const { root: plan } = definitions;
  const status = textOf(item, 'status') as ExecutionStatus | undefined;
  const calls = ownProperty(item, 'calls') ?? undefined;
  const standing = ownProperty(item, 'standing') ?? undefined;
  const result = ownProperty(item, 'result');
  const failedNodeId = textOf(item, 'failedNodeId');
  const reason = textOf(item, 'reason');
  if (failedNodeId !== undefined) nodeAt(failedNodeId, 'expect.failedNodeId', plan, problems);
  return {
    ...(status === undefined ? undefined : { status }),
    ...(Array.isArray(calls) ? { calls: readCalls(calls as readonly Json[], definitions, problems) } : undefined),
    ...(Array.isArray(standing) ? { standing: readStanding(standing as readonly Json[], plan, problems) } : undefined),
    ...(result === undefined ? undefined : { result: { body: result } }),
    ...(failedNodeId === undefined ? undefined : { failedNodeId }),
    ...(reason === undefined ? undefined : { reason }),
  };
}

function readCalls(list: readonly Json[], definitions: Definitions, problems: Problems): string[] {
  return list.flatMap((item, i) => {
    const named = findCall(typeof item === 'string' ? item : '', definitions);
    if (!('problem' in named)) return [named.name];
    problems.error(at('expect.calls', i), named.problem);
    return [];
  });
}

function readStanding(list: readonly Json[], plan: Plan, problems: Problems): ExpectedEffect[] {
  return list.map((item, i) => {
    const path = at('expect.standing', i);
    const text = isJsonObject(item) ? (textOf(item, 'nodeId') ?? '') : typeof item === 'string' ? item : '';
    const named = nodeAt(text, path, plan, problems);
    if (!isJsonObject(item)) return named;
    const visit = numberOf(item, 'visit');
    const round = numberOf(item, 'round');
    const outcome = textOf(item, 'outcome') as ExpectedEffect['outcome'];
    return {
      ...named,
      ...(visit === undefined ? undefined : { visit }),
      ...(round === undefined ? undefined : { round }),
      ...(outcome === undefined ? undefined : { outcome }),
    };
  });
}

/** The node that a text names, with the places of an item if it has them. */
function nodeAt(
  text: string,
  path: string,
  plan: Plan,
  problems: Problems,
  isOfRoot = true,
): { readonly nodeId: string; readonly item?: readonly number[] } {
  const found = findNode(text, plan, isOfRoot);
  if ('problem' in found) {
    problems.error(path, found.problem);
    return { nodeId: text };
  }
  const { nodeId, item } = found.part;
  return { nodeId, ...(item === undefined ? undefined : { item }) };
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
