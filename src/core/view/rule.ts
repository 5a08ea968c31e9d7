import { compensationCall } from '../call/compensation-call.ts';
import { hopelessStatuses } from '../call/retry.ts';
import type { CallRow } from '../history.ts';
import type { CallPlan, CodesSource, Plan, RetryPolicy } from '../plan.ts';

/** Why an attempt had its outcome, and why it was repeated or not. */
export interface Rule {
  /** Stable. */
  readonly code: RuleCode;
  /** For people. */
  readonly text: string;
  /** The status codes that decided, ascending. */
  readonly list?: readonly number[];
  /** Which part of the definition decided. */
  readonly source: CodesSource | 'policy';
}

/** The rules that decide the outcome of an attempt. */
export type RuleCode =
  | 'success_2xx'
  | 'success_listed'
  | 'nothing_to_undo'
  | 'body_unreadable'
  | 'unknown_listed'
  | 'unexpected_2xx'
  | 'beyond_http'
  | 'rejected_status'
  | 'not_sent'
  | 'no_answer';

/** What followed an attempt: a further one, a wait for one, or none. */
export type Sequel = 'repeated' | 'waits' | 'none';

/** The part of an attempt that decides. */
type Attempt = Pick<CallRow, 'nodeId' | 'phase' | 'outcome' | 'statusCode' | 'attempt'>;

/** Explains the outcome of an attempt by the definition that its execution is pinned to. Changes nothing about the outcome. */
export function ruleOf(plan: Plan, row: Attempt, sequel: Sequel): Rule {
  const rule = outcomeRule(callAt(plan, row), row);
  const then = row.outcome === 'succeeded' ? '' : ` ${retryText(plan, row, sequel)}`;
  return { ...rule, text: rule.text + then };
}

function callAt(plan: Plan, { nodeId, phase }: Attempt): CallPlan | undefined {
  switch (phase) {
    case 'HOOK':
      return nodeId === 'onFailureCallback' ? plan.onFailure : plan.onSuccess;
    case 'DOWN':
      return compensationCall(plan.nodes.get(nodeId));
    case 'UP': {
      const node = plan.nodes.get(nodeId);
      return node?.kind === 'task' ? node.call : undefined;
    }
  }
}

function outcomeRule(call: CallPlan | undefined, { phase, outcome, statusCode }: Attempt): Rule {
  if (statusCode === undefined) {
    return outcome === 'unsent'
      ? { code: 'not_sent', text: 'Nothing was sent, so it had no effect.', source: 'default' }
      : {
          code: 'no_answer',
          text: 'It was sent, but no whole answer was recorded, so it may have had its effect.',
          source: 'default',
        };
  }
  const status = String(statusCode);
  const is2xx = statusCode >= 200 && statusCode <= 299;
  const success = call?.success;
  const isSuccess = success?.has(statusCode) ?? is2xx;
  const { success: successFrom = 'default', unknown: unknownFrom = 'default' } = call?.codesFrom ?? {};
  if (outcome === 'succeeded') {
    if (success !== undefined && isSuccess) {
      return {
        code: 'success_listed',
        text: `${status} is among the codes of success.`,
        list: listOf(success),
        source: successFrom,
      };
    }
    if (isSuccess) return { code: 'success_2xx', text: `${status} is between 200 and 299.`, source: 'default' };
    return {
      code: 'nothing_to_undo',
      text: `The outcome of the visit was unknown, and ${status} says that there was nothing to undo.`,
      source: 'default',
    };
  }
  if (isSuccess) {
    return {
      code: 'body_unreadable',
      text: `${status} is a success, but the body could not be read: the effect exists, its answer is lost.`,
      source: 'default',
    };
  }
  if (outcome === 'rejected') {
    const but = phase === 'DOWN' ? '' : ', so it had no effect';
    return {
      code: 'rejected_status',
      text: `${status} is neither among the codes of success nor among those of unknown outcome${but}.`,
      source: 'default',
    };
  }
  if (call?.unknown.has(statusCode) === true) {
    return {
      code: 'unknown_listed',
      text: `${status} is among the codes of unknown outcome.`,
      list: listOf(call.unknown),
      source: unknownFrom,
    };
  }
  return is2xx
    ? {
        code: 'unexpected_2xx',
        text: `${status} is a 2xx that is not among the codes of success: it had an effect, but not one that the definition expects.`,
        ...(success === undefined ? undefined : { list: listOf(success) }),
        source: successFrom,
      }
    : { code: 'beyond_http', text: `HTTP does not define ${status}, so its effect is unknown.`, source: 'default' };
}

function listOf(codes: ReadonlySet<number>): readonly number[] {
  return [...codes].sort((a, b) => a - b);
}

function retryText(plan: Plan, row: Attempt, sequel: Sequel): string {
  if (sequel === 'repeated') return 'It was repeated.';
  if (sequel === 'waits') return 'It is about to be repeated.';
  const policy = policyOf(plan, row);
  if (policy.maxAttempts === 0) return 'The policy allows no retry.';
  const { statusCode, attempt, phase } = row;
  if (statusCode !== undefined && policy.retryOn === undefined && phase === 'UP' && hopelessStatuses.has(statusCode)) {
    return `It was not repeated, since the same request would get ${String(statusCode)} again.`;
  }
  if (statusCode !== undefined && policy.retryOn !== undefined && !retriesStatus(policy, statusCode)) {
    return `It was not repeated, since the policy does not retry ${String(statusCode)}.`;
  }
  return attempt > policy.maxAttempts ? 'No retry was left.' : 'It was not repeated.';
}

function retriesStatus({ retryOn }: RetryPolicy, status: number): boolean {
  return retryOn?.statusCodes.has(status) === true || retryOn?.statusClasses.has(Math.floor(status / 100)) === true;
}

function policyOf(plan: Plan, { nodeId, phase }: Attempt): RetryPolicy {
  if (phase === 'DOWN') return plan.compensationHandling;
  const node = phase === 'UP' ? plan.nodes.get(nodeId) : undefined;
  return node?.kind === 'task' ? node.retry : plan.failureHandling;
}
