import type { ExecutionStatus, FailedCompensation, FailureReason } from '../state.ts';
import type { Place } from './place.ts';

/** Why an execution stands as it does or ended as it did, for people. */
export interface Why {
  /** One sentence: the node and its effect. */
  readonly headline: string;
  /** What comes next, and who or what can end it; empty if there is nothing to say. */
  readonly detail: string;
}

/** The facts that the sentences are made of. The caller has masked the texts in it. */
export interface WhyFacts {
  readonly status: ExecutionStatus;
  readonly reason?: FailureReason;
  /** The failure or the reason of an operator, as in the status document. */
  readonly description?: string;
  /** The node at which it failed. */
  readonly nodeId?: string;
  /** The status code and the host of the call that decided. */
  readonly statusCode?: number;
  readonly host?: string;
  /** Where it stands; absent once it is over. */
  readonly place?: Place;
  /** Retries that the policy of the call at the place still allows, where the plan was read. */
  readonly retriesLeft?: number;
  /** Compensations that could not be completed: the first ones, and the number of all. */
  readonly stuck: readonly Pick<FailedCompensation, 'nodeId' | 'outcome'>[];
  readonly troubles: number;
  /** Number of effects that stand; absent where they were not counted. */
  readonly standing?: number;
  /** Whether the hook of the end was not delivered. */
  readonly isHookOpen: boolean;
}

/** Maximum number of characters of each of the two texts. */
export const maxWhyLength = 300;

/** The reason in words, from facts that a row of a list or a status document has. Pure and total. */
export function whyOf(facts: WhyFacts): Why {
  return {
    headline: cut(headlineOf(facts)),
    detail: cut(
      detailOf(facts)
        .filter((text) => text !== '')
        .join(' '),
    ),
  };
}

function cut(text: string): string {
  if (text.length <= maxWhyLength) return text;
  // The cut never separates a pair of surrogates.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(maxWhyLength - 2)) ? maxWhyLength - 2 : maxWhyLength - 1;
  return `${text.slice(0, end)}…`;
}

function headlineOf(facts: WhyFacts): string {
  const { status, place, reason } = facts;
  switch (status) {
    case 'SUCCEEDED':
      return facts.isHookOpen ? 'It succeeded, but its hook was not delivered.' : 'It succeeded.';
    case 'CORRUPTED':
      return reason === 'engine' ? failureText(facts) : stuckText(facts);
    case 'TERMINATED':
      return 'It was terminated as it stood.';
    case 'FAILED':
    case 'CANCELLED':
      return failureText(facts);
    case 'COMPENSATING':
      // What went wrong says more than the compensation under way, unless that is in trouble itself.
      if (place !== undefined && (reason === undefined || isInTrouble(place))) return placeText(place);
      return failureText(facts);
    case 'IN_PROGRESS':
    case 'WAITING_CALLBACK':
    case 'SLEEPING':
      return place === undefined ? 'It is about to go on.' : placeText(place);
    default:
      // As for reasons: see `failureText`.
      return `It is ${String(status)}.`;
  }
}

function isInTrouble({ state, failure }: Place): boolean {
  return state === 'BLOCKED' || (state === 'COMPENSATING' && failure !== undefined);
}

/** The sentence of a CORRUPTED execution: the effect that could not be undone. */
function stuckText({ stuck, troubles }: WhyFacts): string {
  const [first] = stuck;
  if (first === undefined) {
    return troubles > 1 ? `${String(troubles)} effects could not be undone.` : 'An effect could not be undone.';
  }
  const others = troubles > 1 ? ` The same holds for ${String(troubles - 1)} more.` : '';
  switch (first.outcome) {
    case 'unknown':
      return `${first.nodeId} may have taken effect, and could not be undone.${others}`;
    case 'succeeded':
      return `${first.nodeId} took effect, and could not be undone.${others}`;
    case 'rejected':
      return `${first.nodeId} was refused, and what it may have left could not be undone.${others}`;
  }
}

/** The sentence of a failure, a cancel or an undo. */
function failureText({ reason, nodeId = 'A node', statusCode, host, description }: WhyFacts): string {
  const from = host === undefined ? '' : ` from ${host}`;
  switch (reason) {
    case 'status_4xx':
    case 'status_5xx':
      return statusCode === undefined ? `${nodeId} was refused${from}.` : `${nodeId} got ${String(statusCode)}${from}.`;
    case 'timeout':
      return `${nodeId} got no answer${from} in time, so its effect is unknown.`;
    case 'connect':
      return host === undefined ? `${nodeId} lost its connection.` : `${nodeId} could not talk to ${host}.`;
    case 'body':
      return `The answer to ${nodeId}${from} could not be read.`;
    case 'unsent':
      return `${nodeId} could not be sent${description === undefined ? '.' : `: ${description}`}`;
    case 'callback_timeout':
      return `${nodeId} got no callback in time, so its effect is unknown.`;
    case 'callback_failure':
      return `The callback of ${nodeId} reported a failure.`;
    case 'execution_timeout':
      return 'It took longer than its time limit.';
    case 'visits':
      return `It made too many visits, the last one at ${nodeId}.`;
    case 'child':
      return `The execution that ${nodeId} started did not succeed.`;
    case 'fail_node':
      return description === undefined ? `${nodeId} ended it.` : `${nodeId} ended it: ${description}`;
    case 'cancelled':
      return description ?? 'It was cancelled.';
    case 'undone':
      return description === undefined ? 'It was undone.' : `It was undone: ${description}`;
    case 'terminated':
      return 'It was terminated as it stood.';
    case 'compensation':
      return 'An effect could not be undone.';
    case 'engine':
      return description === undefined ? 'The engine failed on this execution.' : `The engine failed: ${description}`;
    default:
      // A later release may have stored a reason that this one does not know.
      return description ?? (reason === undefined ? 'It did not succeed.' : `${nodeId}: ${String(reason)}.`);
  }
}

/** The sentence of a place at which an execution stands. */
function placeText(place: Place): string {
  const { nodeId, host, failure } = place;
  switch (place.state) {
    case 'BLOCKED':
      return blockedText(place);
    case 'BACKOFF':
      return `${nodeId} ${failedText(place)} and will be tried again.`;
    case 'COMPENSATING':
      if (place.isDraining === true) return 'It waits for calls in flight before it compensates.';
      return failure === undefined ? `${nodeId} is being undone.` : `The undo of ${nodeId} ${failedText(place)}.`;
    case 'HOOK':
      return failure === undefined ? `The hook ${nodeId} is being called.` : `The hook ${nodeId} ${failedText(place)}.`;
    case 'CALLING':
      return host === undefined ? `${nodeId} is being called.` : `${nodeId} is being called at ${host}.`;
    case 'WAITING_CALLBACK':
      return `${nodeId} waits for its callback.`;
    case 'WAITING_CHILD':
      return `${nodeId} waits for the execution that it started.`;
    case 'JOINING':
      return `${nodeId} waits for its branches or items.`;
    case 'SLEEPING':
      return `${nodeId} sleeps.`;
    case 'SCHEDULED':
      return place.until === undefined ? `${nodeId} is next.` : 'It has not begun yet.';
  }
}

function failedText({ failure, host }: Place): string {
  const at = host === undefined ? '' : ` at ${host}`;
  if (failure?.statusCode !== undefined)
    return `got ${String(failure.statusCode)}${host === undefined ? '' : ` from ${host}`}`;
  return failure?.reason === 'timeout' ? `got no answer in time${at}` : `failed${at}`;
}

function blockedText({ nodeId, host, cause }: Place): string {
  switch (cause) {
    case 'hold':
      return `${nodeId} is held back by an operator.`;
    case 'circuit':
      return `${nodeId} waits for ${host ?? 'its host'}, whose circuit is open.`;
    case 'slots':
      return `${nodeId} waits for a free place at ${host ?? 'its host'}.`;
    default:
      return `${nodeId} is blocked.`;
  }
}

function detailOf(facts: WhyFacts): readonly string[] {
  const { status, place } = facts;
  switch (status) {
    case 'SUCCEEDED':
      return facts.isHookOpen ? ['An operator can have the hook called again.'] : [];
    case 'CORRUPTED':
      return facts.reason === 'engine'
        ? ['A retry goes on from where it stood.']
        : ['Only an operator can end it: retry the compensations once the service works, or resolve them.'];
    case 'TERMINATED':
      return [standingText(facts), 'A forced retry begins a new round.'];
    case 'FAILED':
    case 'CANCELLED':
      return [
        standingText(facts),
        facts.isHookOpen ? 'Its hook was not delivered.' : '',
        'A retry begins a new round.',
      ];
    case 'COMPENSATING':
      if (place === undefined) return ['It is about to go on.'];
      if (facts.reason === undefined || isInTrouble(place)) return placeDetail(place, facts);
      return [placeText(place), ...placeDetail(place, facts)];
    case 'IN_PROGRESS':
    case 'WAITING_CALLBACK':
    case 'SLEEPING':
      return place === undefined ? [] : placeDetail(place, facts);
    default:
      return [];
  }
}

function standingText({ standing }: WhyFacts): string {
  if (standing === undefined) return '';
  if (standing === 0) return 'No effect stands.';
  return standing === 1 ? 'One effect stands.' : `${String(standing)} effects stand.`;
}

/** How the stay at a place ends, and who can end it. */
function placeDetail(place: Place, { retriesLeft }: WhyFacts): readonly string[] {
  const attempt = place.attempt > 1 ? `Attempt ${String(place.attempt)}.` : '';
  switch (place.state) {
    case 'BLOCKED':
      return blockedDetail(place);
    case 'BACKOFF':
      return [attempt, retriesText(retriesLeft), 'An operator can resolve it, or have it tried at once.'];
    case 'COMPENSATING':
      return place.isDraining === true
        ? ['It goes on once they are answered or have timed out.']
        : place.failure === undefined
          ? [attempt]
          : [attempt, retriesText(retriesLeft), 'An operator can resolve it, or have it tried at once.'];
    case 'CALLING':
    case 'HOOK':
      return [attempt, retriesText(place.failure === undefined ? undefined : retriesLeft)];
    case 'WAITING_CALLBACK':
      return ['The callback ends the wait, or its timeout, or an operator who resolves it.'];
    case 'WAITING_CHILD':
      return ['It goes on once that execution is over.'];
    case 'SLEEPING':
      return ['It goes on at its time, or when an operator wakes it.'];
    case 'SCHEDULED':
      return place.until === undefined ? [] : ['It begins at its time, or when an operator wakes it.'];
    case 'JOINING':
      return [];
  }
}

function blockedDetail({ cause }: Place): readonly string[] {
  switch (cause) {
    case 'hold':
      return ['No attempt is spent.', 'It goes on once an operator lifts the hold.'];
    case 'circuit':
      return ['No attempt is spent.', 'It goes on once a probe of the host is answered.'];
    default:
      return ['No attempt is spent.', 'It goes on by itself.'];
  }
}

function retriesText(left: number | undefined): string {
  if (left === undefined) return '';
  if (left <= 0) return 'No further retry follows.';
  return left === 1 ? 'One retry is left.' : `${String(left)} retries are left.`;
}
