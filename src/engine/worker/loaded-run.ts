import { placeOf } from '../../core/context/family.ts';
import { Outputs } from '../../core/context/outputs.ts';
import type { Plan } from '../../core/plan.ts';
import type { Run } from '../../core/run.ts';
import { type JsonObject, parseJson } from '../../core/value/json.ts';
import type { LoadedExecution } from '../../ports/store.ts';

/** The execution without payload and outputs, which an immediate end does not need. */
export function bareRun(loaded: LoadedExecution, plan: Plan): Run {
  const { id, name, version, labels, state } = loaded;
  return {
    plan,
    header: { id, name, version, payload: {}, labels, ...placeOf(loaded) },
    state,
    outputs: Outputs.empty,
  };
}

/** The execution with its payload and the outputs that were read. */
export function wholeRun(loaded: LoadedExecution, plan: Plan, payload: string, outputs: Outputs): Run {
  const bare = bareRun(loaded, plan);
  return { ...bare, header: { ...bare.header, payload: parseJson(payload) as JsonObject }, outputs };
}
