import { innermostItem } from '../context/scope.ts';
import { contextFrom, occasionOfTask } from '../context/context-of.ts';
import type { Resolver } from '../context/context-of.ts';
import type { ExecutionFailureView, RenderContext } from '../context/context.ts';
import type { Run } from '../run.ts';
import type { CallCommand } from '../event.ts';
import { callerOf } from './attempting.ts';
import { compensationCall } from './compensation-call.ts';
import { idempotencyKey, visitKey, visitKeyOf } from './keys.ts';
import type { Outputs } from '../context/outputs.ts';
import type { CallPlan } from '../plan.ts';
import type { State, Token, UndoRun } from '../state.ts';
import { finalStatus } from '../transition/ending/finish.ts';

/** A call before it is rendered: which request to send, what its templates see, and which headers Trama adds. */
export interface PreparedCall {
  readonly call: CallPlan;
  readonly context: RenderContext;
  readonly idempotencyKey: string;
  /**
   * Headers that Trama adds unless the definition sets one of the same name. Values are percent-encoded where
   * necessary. The caller may add to them.
   */
  readonly headers: Record<string, string>;
}

/** Inputs of a call that neither the plan nor the state contains. */
export interface CallResources {
  readonly resolver: Resolver;
  /** For requests of async nodes. */
  readonly callback?: RenderContext['callback'];
  /** For compensations: the outputs they see, from `undoQueries`. */
  readonly undoOutputs?: Outputs | undefined;
}

/** Prepares the call of a command; undefined if the state no longer needs the call. */
export function prepareCall(run: Run, command: CallCommand, resources: CallResources): PreparedCall | undefined {
  const token = callerOf(run.state.tokens, command.callId);
  if (token === undefined) return undefined;
  switch (token.stage.kind) {
    case 'calling':
      return prepareForward(run, token, token.stage.task, resources);
    case 'unwinding':
      return token.stage.undo === undefined ? undefined : prepareUndo(run, token.stage.undo, resources);
    case 'hook':
      return prepareHook(run, token.stage.run, resources);
    default:
      return undefined;
  }
}

type Calling = Extract<Token['stage'], { kind: 'calling' }>;
type Hook = Extract<Token['stage'], { kind: 'hook' }>;

function prepareForward(
  run: Run,
  token: Token,
  task: Calling['task'],
  resources: CallResources,
): PreparedCall | undefined {
  const node = run.plan.nodes.get(token.nodeId);
  if (node?.kind !== 'task') return undefined;
  const key = task.key ?? idempotencyKey(run.header.id, run.state.round, node.id, task.visit, 'UP', task.operation);
  const { prev } = token;
  const context = contextFrom(
    run,
    {
      scope: token.scope,
      stepName: node.id,
      phase: 'UP',
      attempt: task.attempt,
      self: { visit: task.visit, idempotencyKey: key },
      occasion: () => occasionOfTask(run, node.id, task),
      prev: prev && (() => run.outputs.at(prev)),
      callback: resources.callback,
    },
    resources.resolver,
  );
  return { call: node.call, context, idempotencyKey: key, headers: headersOf(run, key, node.id, task.attempt) };
}

function prepareUndo(
  run: Run,
  { target, attempt, startedAt }: UndoRun,
  resources: CallResources,
): PreparedCall | undefined {
  const node = run.plan.nodes.get(target.nodeId);
  const call = compensationCall(node);
  if (node === undefined || call === undefined) return undefined;
  const key = idempotencyKey(run.header.id, target.round, target.nodeId, target.visit, 'DOWN');
  const outputs = resources.undoOutputs ?? run.outputs;
  const { prev } = target;
  // It sees all branches, but of the items of a loop only its own.
  const scope = innermostItem(target.scope) ?? '';
  const context = contextFrom(
    run,
    {
      scope,
      outputs,
      round: target.round,
      stepName: node.id,
      phase: 'DOWN',
      attempt,
      occasion: () => ({ at: run.state.undoBegun?.[target.ord] ?? startedAt, key: visitKeyOf(target.key) }),
      prev: prev && (() => outputs.find(prev.nodeId, scope)),
    },
    resources.resolver,
  );
  const headers = { ...headersOf(run, key, node.id, attempt), 'trama-compensates': headerValue(target.key) };
  return { call, context, idempotencyKey: key, headers };
}

function prepareHook(run: Run, hook: Hook['run'], resources: CallResources): PreparedCall | undefined {
  const call = hook.hook === 'onSuccessCallback' ? run.plan.onSuccess : run.plan.onFailure;
  if (call === undefined) return undefined;
  const key = idempotencyKey(run.header.id, run.state.round, hook.hook, hook.visit, 'HOOK');
  const { result } = run.state;
  const context = contextFrom(
    run,
    {
      scope: '',
      stepName: hook.hook,
      phase: 'UP',
      attempt: hook.attempt,
      occasion: () => ({
        at: hook.startedAt,
        key: visitKey(run.header.id, run.state.round, hook.hook, hook.visit),
      }),
      prev: result && (() => run.outputs.at(result)),
      failure: failureView(run.state),
    },
    resources.resolver,
  );
  return { call, context, idempotencyKey: key, headers: headersOf(run, key, hook.hook, hook.attempt) };
}

function failureView(state: State): ExecutionFailureView | undefined {
  const { verdict } = state;
  if (verdict === undefined) return undefined;
  const status = finalStatus(verdict, state.troubles);
  if (status === 'SUCCEEDED') return undefined;
  // The rendered text of a `fail` node is more informative than its code.
  const reason =
    verdict.reason === 'fail_node' ? (verdict.description ?? 'fail_node') : (verdict.reason ?? 'compensation');
  return {
    status,
    reason,
    ...(verdict.nodeId === undefined ? undefined : { nodeId: verdict.nodeId }),
    ...(verdict.statusCode === undefined ? undefined : { statusCode: verdict.statusCode }),
  };
}

function headersOf(run: Run, key: string, nodeId: string, attempt: number): Record<string, string> {
  return {
    'idempotency-key': headerValue(key),
    'trama-execution-id': run.header.id,
    'trama-node-id': headerValue(nodeId),
    'trama-attempt': String(attempt),
  };
}

const unsafeInHeader = /[^\x21-\x24\x26-\x7e]/;

/** Percent-encodes, as UTF-8, characters that a header cannot carry, and `%` itself if anything had to be encoded. */
function headerValue(text: string): string {
  if (!unsafeInHeader.test(text)) return text;
  return text.replace(/[^\x21-\x24\x26-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()));
}
