import type { ResponseView } from '../context/context.ts';
import type { CallResult } from '../event.ts';
import type { Exchange } from '../history.ts';
import type { CallPlan } from '../plan.ts';
import type { AttemptFailure } from '../state.ts';

/** The outcome of one attempt. */
export type Judged =
  | { readonly ok: true; readonly response: ResponseView }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly response?: ResponseView };

/** The result of a call, and what is known of the exchange. */
export interface AnsweredCall {
  readonly result: CallResult;
  readonly exchange?: Pick<Exchange, 'url'>;
}

/**
 * Determines the outcome of an attempt from its result. Set `undoingUnknown` for the compensation of a visit with
 * unknown outcome, for which 404 and 410 mean that there was nothing to undo.
 */
export function judge(call: CallPlan, { result, exchange }: AnsweredCall, undoingUnknown: boolean = false): Judged {
  switch (result.kind) {
    case 'unsent':
      return {
        ok: false,
        failure: {
          outcome: 'unsent',
          reason: result.retryable ? 'connect' : 'unsent',
          description: result.reason,
          ...loggedOf(result),
          ...(result.retryable ? { error: 'connect' as const } : undefined),
          ...hostOf(exchange),
        },
      };
    case 'failed':
      return {
        ok: false,
        failure: {
          outcome: 'unknown',
          reason: result.error,
          description: result.reason,
          ...loggedOf(result),
          error: result.error,
          ...hostOf(exchange),
        },
      };
    case 'response': {
      const { response, bodyProblem } = result;
      const { status } = response;
      const is2xx = status >= 200 && status <= 299;
      if (undoingUnknown && (status === 404 || status === 410)) return { ok: true, response };
      if (call.success === undefined ? is2xx : call.success.has(status)) {
        if (bodyProblem === undefined) return { ok: true, response };
        // The call took effect, but its response is lost, and later nodes would run without it.
        const failure = { outcome: 'unknown', reason: 'body', description: bodyProblem, error: 'body' } as const;
        return { ok: false, response, failure: { ...failure, statusCode: status, ...hostOf(exchange) } };
      }
      // After an unexpected 2xx, the call had an effect, but not one that the definition expects. HTTP does not define
      // statuses above 599.
      const unknown = call.unknown.has(status) || is2xx || status > 599;
      return {
        ok: false,
        response,
        failure: {
          outcome: unknown ? 'unknown' : 'rejected',
          reason: status >= 500 ? 'status_5xx' : 'status_4xx',
          description: `The downstream answered ${String(status)}.${bodyProblem === undefined ? '' : ` ${bodyProblem}`}`,
          statusCode: status,
          ...hostOf(exchange),
        },
      };
    }
  }
}

function loggedOf({ logged }: { readonly logged?: string }): { readonly logged?: string } | undefined {
  return logged === undefined ? undefined : { logged };
}

/** The host of a call in lower case, always with its port. */
function hostOf(exchange: Pick<Exchange, 'url'> | undefined): { readonly host: string } | undefined {
  const [, scheme, authority] = /^(https?):\/\/([^/?#\\]+)/i.exec(exchange?.url ?? '') ?? [];
  if (scheme === undefined || authority === undefined) return undefined;
  const place = authority.slice(authority.lastIndexOf('@') + 1).toLowerCase();
  if (place === '') return undefined;
  // The colons of an IPv6 address are within brackets.
  const hasPort = /:\d+$/.test(place);
  return { host: hasPort ? place : `${place.replace(/:$/, '')}:${scheme.toLowerCase() === 'http' ? '80' : '443'}` };
}
