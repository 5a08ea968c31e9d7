/** The downstreams of a simulation: they decide which answer a call gets, and when. */
import type { ResponseView } from '../../core/context/context.ts';
import { retryAfterMillis } from '../../core/call/retry-after.ts';
import type { CallCommand, CallResult } from '../../core/event.ts';
import type { Json } from '../../core/value/json.ts';
import type { CallPlan, Plan } from '../../core/plan.ts';
import type { Scenario, ScenarioAnswer, ScenarioCallback } from '../scenario.ts';

/** The outcome of a call, decided when it goes out. */
export interface PlannedAnswer {
  /** Milliseconds from the call. */
  readonly afterMillis: number;
  readonly result: CallResult;
  readonly retryAfterMillis?: number;
  /** Callbacks, each with its milliseconds from the call. */
  readonly callbacks: readonly Required<ScenarioCallback>[];
}

/** The part of a command that identifies the call. */
type Called = Pick<CallCommand, 'nodeId' | 'phase'>;

/** Whether the call is the request of an async node. */
export function isCalledBack(plan: Plan, command: Called): boolean {
  const node = plan.nodes.get(command.nodeId);
  return command.phase === 'UP' && node?.kind === 'task' && node.mode === 'async';
}

const silent: ScenarioAnswer = { headers: {}, callbacks: [] };

/** A call that wants an answer. */
export interface AskingCall {
  /** All names that mean it, the most exact one first. */
  readonly names: readonly string[];
  readonly call: CallPlan;
  /** Whether it is the request of an async node. */
  readonly isCalledBack: boolean;
  /** Time limit of the call. */
  readonly timeoutMillis: number;
}

/** Hands out the answers of one scenario: one per call of a name; the last one repeats. The most exact name counts. */
export class Downstream {
  readonly #scenario: Scenario;
  readonly #used = new Map<string, number>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  /** The answer to the next call. `now` in ms since 1970. */
  answer({ names, call, isCalledBack: async, timeoutMillis }: AskingCall, now: number): PlannedAnswer {
    const given = this.#next(names);
    // A node without an entry in the scenario succeeds.
    const answer: ScenarioAnswer = given ?? (async ? { ...silent, callbacks: [{ body: {} }] } : silent);
    const afterMillis = answer.afterMillis ?? (answer.error === 'timeout' ? timeoutMillis : 0);
    const callbacks = answer.callbacks.map((one) => ({ afterMillis: one.afterMillis ?? afterMillis, body: one.body }));
    if (answer.error === 'timeout' || afterMillis > timeoutMillis) {
      const reason = `No answer within ${String(timeoutMillis)} ms.`;
      return { afterMillis: timeoutMillis, result: { kind: 'failed', error: 'timeout', reason }, callbacks };
    }
    if (answer.error === 'connect') {
      const reason = 'The connection was refused.';
      return { afterMillis, result: { kind: 'unsent', reason, retryable: true }, callbacks };
    }
    if (answer.error === 'body') {
      const reason = 'The answer broke off before its end.';
      return { afterMillis, result: { kind: 'failed', error: 'body', reason }, callbacks };
    }
    const response = responseOf(answer, call, async ? 202 : 200);
    const after = response.status === 429 || response.status === 503 ? response.headers['retry-after'] : undefined;
    const wait = retryAfterMillis(after, now + afterMillis);
    return {
      afterMillis,
      result: { kind: 'response', response },
      callbacks,
      ...(wait === undefined ? undefined : { retryAfterMillis: wait }),
    };
  }

  #next(names: readonly string[]): ScenarioAnswer | undefined {
    for (const name of names) {
      const answers = this.#scenario.answers.get(name);
      if (answers === undefined) continue;
      const used = this.#used.get(name) ?? 0;
      this.#used.set(name, used + 1);
      return answers[Math.min(used, answers.length - 1)];
    }
    return undefined;
  }
}

function responseOf(answer: ScenarioAnswer, call: CallPlan, usual: number): ResponseView {
  const body: Json = answer.body === undefined ? {} : answer.body;
  const headers: Record<string, string> = {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
  };
  for (const [name, value] of Object.entries(answer.headers)) headers[name.toLowerCase()] = value;
  return { status: answer.status ?? usualStatus(call, usual), headers, body };
}

/** The answer of a downstream that succeeds. */
function usualStatus({ success }: CallPlan, usual: number): number {
  if (success === undefined || success.has(usual)) return usual;
  return success.has(200) ? 200 : Math.min(...success);
}
