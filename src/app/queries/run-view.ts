/** An execution as the core sees it, rebuilt from the store, for decisions that the desk makes itself. */
import type { Env, Run } from '../../core/run.ts';
import { type JsonObject, parseJson } from '../../core/value/json.ts';
import { Outputs } from '../../core/context/outputs.ts';
import type { Plan } from '../../core/plan.ts';
import type { Meter } from '../../core/meter.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { LogFields, LongTurnKind } from '../../ports/telemetry.ts';
import { readBack } from '../../engine/execution/restored-outputs.ts';
import type { DeskParts } from '../parts.ts';

/** The plan that an execution is pinned to. Throws when its definition is gone, which the store never lets happen. */
export async function planOf(
  parts: DeskParts,
  execution: { readonly id: string; readonly definitionHash: string },
): Promise<Plan> {
  const plan = await parts.plans.load(execution.definitionHash);
  if (plan === undefined)
    throw new Error(`The definition ${execution.definitionHash} of execution ${execution.id} is gone.`);
  return plan;
}

/** The execution with the outputs that `lackOf` names, read from the store; without it none is at hand. */
export async function runOf(
  parts: DeskParts,
  detail: ExecutionDetail,
  lackOf: (run: Run) => readonly string[] = () => [],
): Promise<Run> {
  const run = await bareRunOf(parts, detail);
  const lack = lackOf(run);
  if (lack.length === 0) return run;
  const { store: reads, maxOutputBytes } = parts;
  const restore = await readBack({ reads, maxOutputBytes }, run, lack);
  return { ...run, outputs: restore(run.outputs) };
}

async function bareRunOf(parts: DeskParts, detail: ExecutionDetail): Promise<Run> {
  const plan = await planOf(parts, detail);
  return {
    plan,
    header: {
      id: detail.id,
      name: detail.name,
      version: detail.version,
      payload: parseJson(detail.payload) as JsonObject,
      labels: detail.labels,
    },
    state: detail.state,
    outputs: Outputs.leaving(Object.keys(detail.state.visits)),
  };
}

/** The surroundings of a transition that only decides: nothing may go on in it. */
export function decidingEnv(parts: DeskParts): Env {
  return {
    now: parts.clock.now(),
    advance: false,
    random: () => parts.entropy.random(),
    nonce: () => parts.entropy.nonce(),
    // No call goes out of it.
    callbackKey: (used) => used,
    variable: parts.variable,
    limits: parts.limits,
  };
}

/** Does work that conditions or templates may make long: in a turn of the event loop that has room for it, and measured. */
export function inTurn<T>(
  parts: DeskParts,
  work: (meter: Meter | undefined) => T,
  kind: LongTurnKind,
  fields: () => LogFields,
): T | Promise<T> {
  const { share } = parts.engine;
  return share === undefined ? work(undefined) : share.run(() => work(share), kind, fields);
}

/** Whether an execution is over. */
export function isOver(detail: ExecutionDetail): boolean {
  return detail.state.end !== undefined;
}
