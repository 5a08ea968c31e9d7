import type { JsonObject } from '../value/json.ts';
import type { Plan } from '../plan.ts';
import { walk } from '../template/path-source.ts';

const none: readonly string[] = [];

/** The paths of `requiredPayload`, prefixed with `payload`, whose value is missing or null in a payload. */
export function missingPayload(plan: Plan, payload: JsonObject): readonly string[] {
  if (plan.requiredPayload.length === 0) return none;
  return plan.requiredPayload
    .filter(({ keys }) => (walk(payload, keys, 0) ?? null) === null)
    .map(({ text }) => (text.startsWith('[') ? `payload${text}` : `payload.${text}`));
}
