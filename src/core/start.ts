/**
 * A new execution.
 */
import { apply } from './apply.ts';
import type { Env, ExecutionHeader, Transition } from './run.ts';
import { Outputs } from './context/outputs.ts';
import type { Plan } from './plan.ts';
import { stateFormat } from './state.ts';
import type { State } from './state.ts';

/**
 * The first transition: stands at the entrypoint and, unless `startAt` (ms since 1970) lies in the future, goes on from
 * there as far as `env` lets it. With a later `startAt` nothing starts before that instant, or `wake`.
 */
export function begin(plan: Plan, header: ExecutionHeader, env: Env, startAt?: number): Transition {
  const later = startAt !== undefined && startAt > env.now;
  const state: State = {
    format: stateFormat,
    round: 1,
    ord: 0,
    calls: 0,
    lastToken: 1,
    now: env.now,
    startedAt: env.now,
    ...(later ? { startAt } : undefined),
    tokens: [{ id: 1, scope: '', nodeId: plan.entry, stage: { kind: 'ready' } }],
    visits: {},
    totalVisits: 0,
    troubles: 0,
    hookVisits: {},
  };
  return apply({ plan, header, state, outputs: Outputs.empty }, { type: 'started' }, env);
}
