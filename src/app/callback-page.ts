import { addressee } from '../core/transition/callback.ts';
import { type Answer, granted, refused, unknownExecution } from './answer.ts';
import type { JudgedToken } from './callbacks.ts';
import type { AppContext } from './context.ts';
import { planOf } from './queries/run-view.ts';

/** The node that a callback page is about. */
export interface CallbackPlace {
  /** Name of the definition. */
  readonly name: string;
  readonly nodeId: string;
  /** Whether the definition allows a person to call back from a page. */
  readonly hasPage: boolean;
}

/**
 * Looks up what a signed URL shows to a person who opens it. Checks in the same order as for a callback. Changes
 * nothing, because mail scanners open links, too.
 */
export async function findCallbackPlace(
  app: AppContext,
  request: {
    readonly executionId: string;
    readonly nodeId: string;
    readonly token: JudgedToken;
    readonly mayGetOne: (executionId: string) => boolean;
  },
): Promise<Answer<CallbackPlace>> {
  const { token, executionId, nodeId } = request;
  if (!token.ok) return token.refusal;
  const { claims } = token;
  if (claims.executionId !== executionId || claims.nodeId !== nodeId) {
    return refused('callback_signature', 'The callback token is not for this execution and node.');
  }
  if (!request.mayGetOne(executionId)) return refused('rate_limited', 'Too many requests came for this execution.');
  const detail = await app.store.getExecution(executionId);
  if (detail === undefined) return unknownExecution(executionId);
  const node = (await planOf(app, detail)).nodes.get(nodeId);
  const hasPage = node?.kind === 'task' && node.callback?.confirmPage === true;
  if (hasPage && addressee(detail.state, claims).kind === 'none') {
    return refused('callback_not_waiting', 'The node is no longer waiting for this callback.');
  }
  return granted({ name: detail.name, nodeId, hasPage });
}
