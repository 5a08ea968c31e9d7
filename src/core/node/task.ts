import { compileCall, compileCondition, type Compiling } from '../definition/call-plan.ts';
import type { NodeDraft } from '../definition/draft.ts';
import { compilePolicy } from '../definition/policy.ts';
import { at } from '../definition/problems.ts';
import { present, toNumber } from '../definition/shape/shape-check.ts';
import { checkUncompensated } from '../definition/warnings/call-warnings.ts';
import type { CallbackPlan, CallPlan, CompensateWhen, RetryPolicy, TaskPlan } from '../plan.ts';
import { startTask } from '../transition/task.ts';
import { isJsonObject, type JsonObject } from '../value/json.ts';
import { nextOf, type NodeBase, type NodeKind, placeOf, targetOf } from './kind.ts';

/** A call, sync or async. `transition/task.ts` implements the course of its visits. */
export const taskKind: NodeKind<TaskPlan> = {
  compile: compileTask,
  enter: (d, token, _node, visit) => startTask(d, token, visit),
};

function compileTask(
  node: NodeDraft,
  base: NodeBase,
  compiling: Compiling,
  failureHandling: RetryPolicy,
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
  json: JsonObject,
  path: string,
  nodeId: string,
  compiling: Compiling,
): CallbackPlan | undefined {
  if (present(json, 'failureWhen') !== undefined && present(json, 'successWhen') === undefined) {
    const sentence =
      'Without successWhen, every callback for which this does not hold counts as success, an unexpected one included.';
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
