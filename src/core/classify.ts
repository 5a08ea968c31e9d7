/**
 * What an answer means: the outcome of one attempt.
 */
import type { ResponseView } from './context.ts';
import type { CallResult } from './event.ts';
import type { CallPlan } from './plan.ts';
import type { AttemptFailure } from './state.ts';

/** A judged attempt. */
export type Judged =
  | { readonly ok: true; readonly response: ResponseView }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly response?: ResponseView };

/**
 * Judges an answer. `undoingUnknown`: a compensation of an unknown outcome, where 404 and 410 say that there was nothing
 * to undo.
 */
export function judge(call: CallPlan, result: CallResult, undoingUnknown: boolean = false): Judged {
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
        },
      };
    case 'response': {
      const { response, bodyProblem } = result;
      const { status } = response;
      const is2xx = status >= 200 && status <= 299;
      if (undoingUnknown && (status === 404 || status === 410)) return { ok: true, response };
      if (call.success === undefined ? is2xx : call.success.has(status)) {
        return bodyProblem === undefined ? { ok: true, response } : unreadable(response, bodyProblem);
      }
      // A 2xx that nobody expected: something happened, but not what the definition knows. A status above 599 means nothing in HTTP.
      const unknown = call.unknown.has(status) || is2xx || status > 599;
      return {
        ok: false,
        response,
        failure: {
          outcome: unknown ? 'unknown' : 'rejected',
          reason: status >= 500 ? 'status_5xx' : 'status_4xx',
          description: `The downstream answered ${String(status)}.${bodyProblem === undefined ? '' : ` ${bodyProblem}`}`,
          statusCode: status,
        },
      };
    }
  }
}

/** It took effect, but what it said is lost: what follows would work with nothing in its place. */
function unreadable(response: ResponseView, description: string): Judged {
  const failure = { outcome: 'unknown', reason: 'body', description, error: 'body' } as const;
  return { ok: false, response, failure: { ...failure, statusCode: response.status } };
}

function loggedOf({ logged }: { readonly logged?: string }): { readonly logged?: string } | undefined {
  return logged === undefined ? undefined : { logged };
}
