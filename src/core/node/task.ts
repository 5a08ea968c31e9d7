import { compileCall, compileCondition } from '../definition/call-plan.ts';
import type { Compiling } from '../definition/compiling.ts';
import { edgeAt, placeIn, type NodeDraft, type NodeReading } from '../definition/node-draft.ts';
import { compilePolicy } from '../definition/policy.ts';
import { at, type Path } from '../definition/problems.ts';
import { callOptions, successCodes, unknownCodes } from '../definition/shape/call-shape.ts';
import { json, millis, next, nodeShape, optional, ref, reference, required } from '../definition/shape/fields.ts';
import type { Shape, ShapeBook } from '../definition/shape/shape.ts';
import { present, toNumber } from '../definition/shape/shape-check.ts';
import { checkUncompensated, warnOfTask } from '../definition/warnings/call-warnings.ts';
import type { CallbackPlan, CallPlan, CompensateWhen, NodeBase, RetryPolicy, TaskPlan } from '../plan.ts';
import { startTask } from '../transition/task.ts';
import { isJsonObject, ownProperty, type JsonObject } from '../value/json.ts';
import { nextOf, type NodeKind, placeOf, targetOf } from './kind.ts';

const callback: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    timeoutMillis: required(millis, 'How long the node waits for its callback, in milliseconds.'),
    successWhen: optional(json, 'JSON Logic over the callback; if given, it must hold for success.'),
    failureWhen: optional(json, 'JSON Logic over the callback; when it holds, the node has failed.'),
    pendingWhen: optional(json, 'JSON Logic over the callback; when it holds, the node keeps waiting.'),
    confirmPage: optional(
      { type: 'boolean' },
      'Whether the signed URL, opened in a browser, shows a page with a button that calls back; default false.',
    ),
  },
};

const actionFields = {
  request: required(ref('HttpCall'), 'The call.'),
  successStatusCodes: optional(successCodes, "Status codes that mean success; win over the request's."),
  unknownStatusCodes: optional(unknownCodes, "Status codes that leave the outcome open; win over the request's."),
  acceptedStatusCodes: optional(successCodes, 'Status codes that mean accepted, in mode async; any 2xx when left out.'),
};

const action: Shape = {
  type: 'tagged',
  tag: 'mode',
  description: 'sync: the answer decides; async: a callback decides.',
  variants: {
    sync: { type: 'object', extensible: true, fields: actionFields },
    async: {
      type: 'object',
      extensible: true,
      fields: { ...actionFields, callback: required(ref('Callback'), 'How the callback is judged.') },
    },
  },
};

const shapes: ShapeBook = {
  Action: { shape: action, description: 'What a task does.' },
  Callback: { shape: callback, description: 'How the callback of an async task is judged.' },
};

/** A call, sync or async. `transition/task.ts` implements the course of its visits. */
export const taskKind: NodeKind<TaskPlan> = {
  shape: nodeShape({
    action: required(ref('Action'), 'What the node calls.'),
    compensation: optional(ref('HttpCall'), 'The call that undoes the action.'),
    ...callOptions,
    onFailure: optional(reference, 'Id of the node to go to when the retries are exhausted.'),
    next,
  }),
  shapes,
  read: readTask,
  compile: compileTask,
  warn: warnOfTask,
  conditions: ({ callback }) => (callback === undefined ? 0 : 3),
  enter: (d, token, _node, visit) => startTask(d, token, visit),
};

function readTask(document: JsonObject, path: Path): NodeReading {
  const given = ownProperty(document, 'action');
  const action = { json: isJsonObject(given) ? given : {}, path: at(path, 'action') };
  const onFailure = edgeAt('onFailure', document, path);
  const isSync = present(action.json, 'mode') !== 'async';
  return {
    edges: [...edgeAt('next', document, path), ...onFailure],
    canFail: onFailure.length === 0,
    fields: 'call',
    ...(isSync ? { missing: { fields: ['accepted', 'callback'], why: 'is not asynchronous' } } : undefined),
    action,
    request: placeIn(action.json, 'request', action.path),
    compensation: placeIn(document, 'compensation', path),
  };
}

function compileTask(
  node: NodeDraft,
  base: NodeBase,
  compiling: Compiling,
  failureHandling: RetryPolicy,
): TaskPlan | undefined {
  const action = node.action ?? { json: {}, path: node.path };
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
    ...nextOf(node),
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
  callback: JsonObject,
  path: string,
  nodeId: string,
  compiling: Compiling,
): CallbackPlan | undefined {
  if (present(callback, 'failureWhen') !== undefined && present(callback, 'successWhen') === undefined) {
    const sentence =
      'Without successWhen, every callback for which this does not hold counts as success, an unexpected one included.';
    compiling.problems.warn(at(path, 'failureWhen'), sentence);
  }
  const timeoutMillis = toNumber(present(callback, 'timeoutMillis'));
  const conditions: Partial<Record<'successWhen' | 'failureWhen' | 'pendingWhen', CallbackPlan['successWhen'] & {}>> =
    {};
  let broken = timeoutMillis === undefined;
  for (const key of ['successWhen', 'failureWhen', 'pendingWhen'] as const) {
    const condition = present(callback, key);
    if (condition === undefined) continue;
    const expression = compileCondition({ json: condition, path: at(path, key) }, nodeId, true, compiling);
    if (expression === undefined) broken = true;
    else conditions[key] = expression;
  }
  const confirmPage = present(callback, 'confirmPage') === true ? { confirmPage: true as const } : {};
  return broken || timeoutMillis === undefined ? undefined : { timeoutMillis, ...conditions, ...confirmPage };
}
