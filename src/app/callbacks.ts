import { createHash } from 'node:crypto';
import type { Json } from '../core/value/json.ts';
import type { CallbackEvent } from '../core/event.ts';
import { addressee, isPending } from '../core/transition/callback.ts';
import { lackOfCallback } from '../core/context/wanted.ts';
import type { CallbackVerification } from '../ports/callback-token.ts';
import type { ExecutionDetail } from '../ports/records.ts';
import { type Answer, granted, type Refusal, refused, unknownExecution } from './answer.ts';
import type { AppContext, CallbackRejection } from './context.ts';
import { turnFields } from '../engine/watchdog.ts';
import { inTurn, planOf, runOf } from './queries/run-view.ts';

/** A received callback. */
export interface CallbackRequest {
  readonly executionId: string;
  readonly nodeId: string;
  readonly token: JudgedToken;
  /** The raw body: "the same body" means the same bytes. */
  readonly bytes: Uint8Array;
  /** Decodes the body by its content type, or returns why it cannot be read. */
  readonly body: () => { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly error: string };
  /** Whether the rate limit admits another callback of the execution; called right after the signature check. */
  readonly mayGetOne?: (executionId: string) => boolean;
}

/** `duplicate`: the same token and body were accepted before; `pending`: the node continues to wait. */
export interface CallbackReceipt {
  readonly duplicate: boolean;
  readonly pending: boolean;
}

/** A verified token, or the refusal to answer with. */
export type JudgedToken =
  | Extract<CallbackVerification, { ok: true }>
  | { readonly ok: false; readonly reason: CallbackRejection; readonly refusal: Refusal };

/** Verifies the token of a callback; `token` is undefined if none was sent. */
export function judgeToken({ tokens }: Pick<AppContext, 'tokens'>, token: string | undefined): JudgedToken {
  if (token === undefined || token === '') {
    return { ok: false, reason: 'malformed', refusal: refused('callback_malformed', 'The callback has no token.') };
  }
  const checked = tokens.verify(token);
  if (checked.ok) return checked;
  const refusal =
    checked.problem === 'malformed'
      ? refused('callback_malformed', 'The callback token is malformed.')
      : // Answers an unknown key like a wrong signature, so that a guess reveals nothing about the keys in use.
        refused('callback_signature', 'The signature of the callback token does not hold.');
  return { ok: false, reason: checked.problem, refusal };
}

/**
 * Accepts a callback of an async node into the inbox, or refuses it. An accepted callback is durably in the inbox. The
 * order of checks is fixed, so that each answer is true: form of token and body (malformed), signature, rate,
 * execution, then the result of the inbox.
 *
 * The token is verified first, so that a request without a valid one costs no hash and no read of the store. With a
 * forged token, the body is only checked for being JSON, which the order of answers requires.
 */
export async function receiveCallback(app: AppContext, request: CallbackRequest): Promise<Answer<CallbackReceipt>> {
  const reject = (reason: CallbackRejection, refusal: Refusal, of?: ExecutionDetail): Refusal => {
    app.callbacks?.rejected(reason, of);
    return refusal;
  };
  const { token } = request;
  if (!token.ok && token.reason === 'malformed') return reject(token.reason, token.refusal);
  const body = request.body();
  if (!body.ok) return reject('malformed', refused('callback_malformed', body.error));
  if (!token.ok) return reject(token.reason, token.refusal);
  const { claims } = token;
  // Treats a token of another execution or node like a forged one, so that the answer reveals nothing about this path.
  if (claims.executionId !== request.executionId || claims.nodeId !== request.nodeId) {
    return reject('signature', refused('callback_signature', 'The callback token is not for this execution and node.'));
  }

  if (request.mayGetOne?.(claims.executionId) === false) {
    return reject('rate_limited', refused('rate_limited', 'Too many callbacks came for this execution.'));
  }
  const detail = await app.store.getExecution(request.executionId);
  if (detail === undefined) return reject('unknown_execution', unknownExecution(request.executionId));
  const arrived: Omit<CallbackEvent, 'pending'> = {
    type: 'callback',
    inboxId: app.entropy.nonce(),
    round: claims.round,
    nodeId: claims.nodeId,
    visit: claims.visit,
    operation: claims.operation,
    nonce: claims.nonce,
    body: body.value,
  };
  const pending = await judgePending(app, detail, arrived);
  const now = app.clock.now();
  const result = await app.store.offer(
    {
      executionId: request.executionId,
      row: { id: arrived.inboxId, at: now, event: { ...arrived, pending } },
      bodyHash: createHash('sha256').update(request.bytes).digest('hex'),
    },
    now,
  );
  switch (result.kind) {
    case 'accepted':
      app.callbacks?.received(detail);
      app.engine.ring({
        id: detail.id,
        slot: detail.slot,
        dueAt: now,
        ...(result.heldBy !== undefined && { heldBy: result.heldBy }),
      });
      return granted({ duplicate: false, pending });
    case 'duplicate':
      return granted({ duplicate: true, pending: result.pending });
    case 'other_body':
      return reject(
        'other_body',
        refused('callback_other_body', 'This token was used before with another body.'),
        detail,
      );
    case 'earlier_operation':
      return reject(
        'earlier_operation',
        refused('callback_earlier_operation', 'The token belongs to an earlier operation of the node.'),
        detail,
      );
    // A callback expects no revision.
    case 'changed':
    case 'not_waiting':
      return reject(
        'not_waiting',
        refused('callback_not_waiting', 'The node is no longer waiting for this callback.'),
        detail,
      );
    case 'rate_limited':
      return reject(
        'rate_limited',
        refused('callback_rate_limited', 'Too many callbacks of this operation were judged pending.'),
        detail,
      );
    case 'conflict':
      return reject('not_waiting', refused('callback_not_waiting', result.message), detail);
    case 'unknown':
      return reject('unknown_execution', unknownExecution(request.executionId));
  }
}

/**
 * Whether the node continues to wait after this callback, judged by the current state. False if nothing waits for it.
 */
async function judgePending(
  app: AppContext,
  detail: ExecutionDetail,
  callback: Omit<CallbackEvent, 'pending'>,
): Promise<boolean> {
  const to = addressee(detail.state, callback);
  if (to.kind === 'none') return false;
  const node = (await planOf(app, detail)).nodes.get(callback.nodeId);
  // Most nodes have no such condition; then neither payload nor outputs are parsed.
  if (node?.kind !== 'task' || node.callback?.pendingWhen === undefined) return false;
  const run = await runOf(app, detail, (bare) => lackOfCallback(bare, to.token));
  return inTurn(
    app,
    (meter) => isPending(run, to.token, callback.body, app, meter),
    'apply',
    () => turnFields(run, callback.nodeId),
  );
}
