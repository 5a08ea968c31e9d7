import { apply } from './apply.ts';
import type { Env, ExecutionHeader, Transition } from './run.ts';
import { Outputs } from './context/outputs.ts';
import type { Plan } from './plan.ts';
import type { State } from './state.ts';

/**
 * Creates an execution and applies its first transition: a token at the entrypoint, which moves on as far as `env`
 * allows. If `startAt` (ms since 1970) is in the future, nothing starts before that time or a `wake`. `scope` is that of the state.
 */
export function begin(
  plan: Plan,
  header: ExecutionHeader,
  env: Env,
  startAt?: number,
  scope?: readonly string[],
): Transition {
  const later = startAt !== undefined && startAt > env.now;
  const state: State = {
    format: plan.format,
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
    ...(scope === undefined ? undefined : { scope }),
  };
  return apply({ plan, header, state, outputs: Outputs.empty }, { type: 'started' }, env);
}
