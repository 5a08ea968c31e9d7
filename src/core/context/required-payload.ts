/** What a run must bring. */
import type { JsonObject } from '../value/json.ts';
import type { Plan } from '../plan.ts';
import { walk } from '../template/path.ts';

/** The paths of `requiredPayload`, from `payload` on, whose value is missing or null. */
export function missingPayload(plan: Plan, payload: JsonObject): readonly string[] {
  return plan.requiredPayload
    .filter(({ keys }) => (walk(payload, keys, 0) ?? null) === null)
    .map(({ text }) => (text.startsWith('[') ? `payload${text}` : `payload.${text}`));
}
