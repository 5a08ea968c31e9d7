import { hookStatus } from '../../core/delivery.ts';
import type { Plan, RetryPolicy } from '../../core/plan.ts';
import type { Place } from '../../core/view/place.ts';
import type { WhyFacts } from '../../core/view/why.ts';
import type { ListedExecution } from '../../ports/listing.ts';
import type { AppContext } from '../context.ts';

/** What a caller knows of an execution besides its record. */
interface Known {
  readonly place: Place | undefined;
  /** Where the plan was read. */
  readonly plan?: Plan;
  /** Where effects were counted. */
  readonly standing?: number;
}

/** The facts that explain an execution, with masked texts: a text that is cut later could end within a secret. */
export function whyFacts(app: Pick<AppContext, 'masker'>, record: ListedExecution, known: Known): WhyFacts {
  const { masker } = app;
  const { state, status, reason, failureDescription, failedNodeId } = record;
  const { place, plan, standing } = known;
  const hook = state === undefined ? undefined : hookStatus(state);
  const statusCode = state?.verdict?.statusCode;
  const host = state?.verdict?.host;
  const left = plan === undefined || place?.retries === undefined ? undefined : retriesLeft(plan, place, place.retries);
  return {
    status,
    ...(reason !== undefined && { reason }),
    ...(failureDescription !== undefined && { description: masker.text(failureDescription) }),
    ...(failedNodeId !== undefined && { nodeId: failedNodeId }),
    ...(statusCode !== undefined && { statusCode }),
    ...(host !== undefined && { host: masker.text(host) }),
    ...(place !== undefined && { place: withMaskedHost(app, place) }),
    ...(left !== undefined && { retriesLeft: left }),
    stuck: state?.failedCompensations ?? [],
    troubles: state?.troubles ?? 0,
    ...(standing !== undefined && { standing }),
    isHookOpen: hook === undefined ? record.callbackWarning !== undefined : hook.state !== 'DELIVERED',
  };
}

function withMaskedHost(app: Pick<AppContext, 'masker'>, place: Place): Place {
  return place.host === undefined ? place : { ...place, host: app.masker.text(place.host) };
}

/** The retries that the policy of the call at a place allows besides those used; undefined if nothing is called there. */
function retriesLeft(plan: Plan, { nodeId, state }: Pick<Place, 'nodeId' | 'state'>, used: number): number | undefined {
  const policy = policyAt(plan, nodeId, state);
  return policy === undefined ? undefined : Math.max(0, policy.maxAttempts - used);
}

function policyAt(plan: Plan, nodeId: string, state: Place['state']): RetryPolicy | undefined {
  if (state === 'COMPENSATING') return plan.compensationHandling;
  if (state === 'HOOK') return plan.failureHandling;
  const node = plan.nodes.get(nodeId);
  return node?.kind === 'task' ? node.retry : undefined;
}
