import type { Env, Run } from '../../core/run.ts';
import { placeOf } from '../../core/context/family.ts';
import { type JsonObject, parseJson } from '../../core/value/json.ts';
import { Outputs } from '../../core/context/outputs.ts';
import type { Plan } from '../../core/plan.ts';
import type { Meter } from '../../core/meter.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { LogFields, LongTurnKind } from '../../ports/telemetry.ts';
import { readBack } from '../../engine/execution/restored-outputs.ts';
import type { AppContext } from '../context.ts';

/** The plan that an execution is pinned to. Throws if its definition is missing, which the store prevents. */
export async function planOf(
  app: AppContext,
  execution: { readonly id: string; readonly definitionHash: string },
): Promise<Plan> {
  const plan = await app.plans.load(execution.definitionHash);
  if (plan === undefined)
    throw new Error(`The definition ${execution.definitionHash} of execution ${execution.id} is gone.`);
  return plan;
}

/**
 * Rebuilds an execution from the store, for decisions of use cases, with the outputs that `lackOf` names; with none
 * without `lackOf`.
 */
export async function runOf(
  app: AppContext,
  detail: ExecutionDetail,
  lackOf: (run: Run) => readonly string[] = () => [],
): Promise<Run> {
  const run = await bareRunOf(app, detail);
  const lack = lackOf(run);
  if (lack.length === 0) return run;
  const { store: reads, maxOutputBytes } = app;
  const restore = await readBack({ reads, maxOutputBytes }, run, lack);
  return { ...run, outputs: restore(run.outputs) };
}

async function bareRunOf(app: AppContext, detail: ExecutionDetail): Promise<Run> {
  const plan = await planOf(app, detail);
  return {
    plan,
    header: {
      id: detail.id,
      name: detail.name,
      version: detail.version,
      payload: parseJson(detail.payload) as JsonObject,
      labels: detail.labels,
      ...placeOf(detail),
    },
    state: detail.state,
    outputs: Outputs.leaving(Object.keys(detail.state.visits)),
  };
}

/** The environment of a transition that decides but starts nothing. */
export function decidingEnv(app: AppContext): Env {
  return {
    now: app.clock.now(),
    advance: false,
    random: () => app.entropy.random(),
    nonce: () => app.entropy.nonce(),
    executionId: () => app.engine.mintId(app.clock.now()),
    // This transition makes no call.
    callbackKey: (used) => used,
    variable: app.variable,
    maskJson: (value) => app.masker.json(value),
    limits: app.limits,
  };
}

/** Runs possibly long work of conditions or templates, measured, in a turn of the event loop that has room for it. */
export function inTurn<T>(
  app: AppContext,
  work: (meter: Meter | undefined) => T,
  kind: LongTurnKind,
  fields: () => LogFields,
): T | Promise<T> {
  const { share } = app.engine;
  return share === undefined ? work(undefined) : share.run(() => work(share), kind, fields);
}

/** Whether an execution is over. */
export function isOver(detail: ExecutionDetail): boolean {
  return detail.state.end !== undefined;
}
