/** Compiles single nodes. */
import { isJsonObject, ownProperty, type Json, type JsonObject } from '../value/json.ts';
import { instantFault, parseInstant } from '../value/instant.ts';
import type { CallbackPlan, CallPlan, CompensateWhen, NodePlan, RetryPolicy, SleepPlan, TaskPlan } from '../plan.ts';
import { compileCall, compileCondition, compileText, type Compiling } from './call-plan.ts';
import { checkUncompensated } from './warnings/call-warnings.ts';
import { maxMillis } from './shape/document-shape.ts';
import type { Edge, NodeDraft } from './draft.ts';
import { hasMonthsOrYears, parseDuration } from './duration.ts';
import type { Branch } from './graph.ts';
import { compilePolicy } from './policy.ts';
import { at, quote, type Problems } from './problems.ts';
import { present, toNumber } from './shape/shape-check.ts';

interface Base {
  readonly id: string;
  readonly index: number;
  readonly branch?: { readonly split: string; readonly entry: string; readonly join: string };
}

/** Compiles a node; undefined when something in it is broken, which has been reported then. */
export function compileNode(
  node: NodeDraft,
  branch: Branch | undefined,
  failureHandling: RetryPolicy,
  compiling: Compiling,
): NodePlan | undefined {
  warnOfOddId(node, compiling.problems);
  const id = node.id ?? '';
  const place = branch === undefined ? {} : { branch: { split: branch.split, entry: branch.entry, join: branch.join } };
  const base: Base = { id, index: node.index, ...place };
  const nextId = targetOf(node, 'next');
  const next = nextId === undefined ? {} : { next: nextId };
  switch (node.kind) {
    case 'task':
      return compileTask(node, { ...base, ...next }, failureHandling, compiling);
    case 'switch':
      return compileSwitch(node, base, compiling);
    case 'sleep': {
      const wait = compileWait(node, id, compiling);
      return wait === undefined ? undefined : { ...base, kind: 'sleep', wait, ...next };
    }
    case 'split': {
      const branches = node.edges.filter((edge) => edge.via === 'branch').map((edge) => edge.target);
      const join = targetOf(node, 'join');
      return join === undefined ? undefined : { ...base, kind: 'split', branches, join };
    }
    case 'join': {
      const onBranchFailure = present(node.json, 'onBranchFailure') === 'continue' ? 'continue' : 'fail';
      return { ...base, kind: 'join', onBranchFailure, ...next };
    }
    case 'fail': {
      const reason = compileText(placeOf(node, 'reason'), { kind: 'during', nodeId: id }, compiling);
      return reason === undefined ? undefined : { ...base, kind: 'fail', reason };
    }
    case undefined:
      return undefined;
    default:
      return node.kind satisfies never;
  }
}

const placeOf = (node: NodeDraft, key: string): { json: Json | undefined; path: string } => ({
  json: present(node.json, key),
  path: at(node.path, key),
});

const targetOf = (node: NodeDraft, via: Edge['via']): string | undefined =>
  node.edges.find((edge) => edge.via === via)?.target;

function warnOfOddId(node: NodeDraft, problems: Problems): void {
  if (node.id === undefined || /^[\w-]+$/.test(node.id)) return;
  problems.warn(
    node.idPath,
    `${quote(node.id)} holds characters other than A-Z, a-z, 0-9, _ and -; they are awkward in URLs and templates.`,
  );
}

function compileTask(
  node: NodeDraft,
  base: Base & { readonly next?: string },
  failureHandling: RetryPolicy,
  compiling: Compiling,
): TaskPlan | undefined {
  const { action } = node;
  const mode = present(action.json, 'mode') === 'async' ? 'async' : 'sync';
  if (mode === 'sync' && present(action.json, 'acceptedStatusCodes') !== undefined) {
    compiling.problems.warn(at(action.path, 'acceptedStatusCodes'), 'This field has no effect in mode "sync".');
  }
  const when = present(node.json, 'compensateWhen');
  const compensateWhen: CompensateWhen = when === 'completed' || when === 'attempted' ? when : 'unknown';
  const during = { kind: 'during', nodeId: base.id } as const;
  const call =
    node.request === undefined ? undefined : compileCall(node.request, during, { json: action.json, mode }, compiling);
  checkUncompensated(node, call?.request.verb, compiling.problems);
  const undo = { kind: 'compensation', nodeId: base.id, compensateWhen } as const;
  const compensation =
    node.compensation === undefined ? undefined : compileCall(node.compensation, undo, {}, compiling);
  const policy = placeOf(node, 'failureHandling');
  const retry = compilePolicy(policy.json, policy.path, failureHandling, compiling.problems);
  const callbackJson = mode === 'async' ? present(action.json, 'callback') : undefined;
  const callback = isJsonObject(callbackJson)
    ? compileCallback(callbackJson, at(action.path, 'callback'), base.id, compiling)
    : undefined;
  if (callback?.confirmPage === true && call !== undefined && !namesSignedUrl(call)) {
    compiling.problems.warn(
      at(at(action.path, 'callback'), 'confirmPage'),
      'No message carries the address of the page: no template of the request reads runtime.callback.signedUrl.',
    );
  }
  if (call === undefined || retry === undefined) return undefined;
  if (mode === 'async' && callback === undefined) return undefined;
  if (node.compensation !== undefined && compensation === undefined) return undefined;
  const onFailure = targetOf(node, 'onFailure');
  return {
    ...base,
    kind: 'task',
    mode,
    call,
    ...(callback === undefined ? {} : { callback }),
    ...(compensation === undefined ? {} : { compensation }),
    compensateWhen,
    retry,
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}

const namesSignedUrl = ({ request }: CallPlan): boolean =>
  request.parts.some(({ template }) =>
    template.paths.some(({ root, field }) => root === 'runtime' && field === 'signedUrl'),
  );

function compileCallback(
  json: JsonObject,
  path: string,
  nodeId: string,
  compiling: Compiling,
): CallbackPlan | undefined {
  if (present(json, 'failureWhen') !== undefined && present(json, 'successWhen') === undefined) {
    const sentence =
      'Without successWhen, every callback for which this does not hold counts as success, also one that nobody expected.';
    compiling.problems.warn(at(path, 'failureWhen'), sentence);
  }
  const timeoutMillis = toNumber(present(json, 'timeoutMillis'));
  const conditions: Partial<Record<'successWhen' | 'failureWhen' | 'pendingWhen', CallbackPlan['successWhen'] & {}>> =
    {};
  let broken = timeoutMillis === undefined;
  for (const key of ['successWhen', 'failureWhen', 'pendingWhen'] as const) {
    const condition = present(json, key);
    if (condition === undefined) continue;
    const expression = compileCondition({ json: condition, path: at(path, key) }, nodeId, true, compiling);
    if (expression === undefined) broken = true;
    else conditions[key] = expression;
  }
  const confirmPage = present(json, 'confirmPage') === true ? { confirmPage: true as const } : {};
  return broken || timeoutMillis === undefined ? undefined : { timeoutMillis, ...conditions, ...confirmPage };
}

function compileSwitch(node: NodeDraft, base: Base, compiling: Compiling): NodePlan | undefined {
  const list = present(node.json, 'cases');
  const casesPath = at(node.path, 'cases');
  const items = Array.isArray(list) ? (list as readonly Json[]) : [];
  const cases = items.flatMap((item, index) => {
    const path = at(casesPath, index);
    const condition = isJsonObject(item) ? present(item, 'when') : undefined;
    if (!isJsonObject(item) || condition === undefined) return [];
    const when = compileCondition({ json: condition, path: at(path, 'when') }, base.id, false, compiling);
    const target = ownProperty(item, 'target');
    const name = present(item, 'name');
    if (when === undefined || typeof target !== 'string') return [];
    return [{ when, target, ...(typeof name === 'string' ? { name } : {}) }];
  });
  const otherwise = targetOf(node, 'default');
  if (otherwise === undefined || cases.length !== items.length) return undefined;
  return { ...base, kind: 'switch', cases, default: otherwise };
}

function compileWait(node: NodeDraft, nodeId: string, compiling: Compiling): SleepPlan['wait'] | undefined {
  const { problems } = compiling;
  const until = placeOf(node, 'until');
  const template = until.json === undefined ? undefined : compileText(until, { kind: 'during', nodeId }, compiling);
  const duration = placeOf(node, 'duration');
  const parsed =
    typeof duration.json === 'string' ? compileDuration(duration.json, duration.path, problems) : undefined;
  if (template !== undefined) {
    const text = template.source.trim();
    if (template.constant && parseInstant(text) === undefined) {
      problems.error(until.path, `${quote(text)} ${instantFault(text)}.`);
    }
    return { until: template };
  }
  const durationMillis = parsed ?? toNumber(present(node.json, 'durationMillis'));
  return durationMillis === undefined ? undefined : { durationMillis };
}

function compileDuration(text: string, path: string, problems: Problems): number | undefined {
  const millis = parseDuration(text);
  if (millis === undefined) {
    const sentence = hasMonthsOrYears(text)
      ? `${quote(text)} has years or months, whose length varies; write days or weeks.`
      : `${quote(text)} is not an ISO 8601 duration such as PT5M, PT1H30M or P2D.`;
    problems.error(path, sentence);
    return undefined;
  }
  if (millis < 1) problems.error(path, `${quote(text)} is not longer than nothing.`);
  else if (millis > maxMillis) problems.error(path, `${quote(text)} is longer than a thousand years.`);
  return millis;
}
