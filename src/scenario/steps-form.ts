/**
 * The older form of scenarios, by steps: `{ payload, steps: { "<name>": { up: …, down: … } }, expect }`.
 *
 * `up` and `down` are one answer or a list of them. An answer may also be a bare status code, and `statusCode`,
 * `delayMillis` and `latencyMillis` mean `status` and `afterMillis`. Everything else is as in the form by nodes, into
 * which it is rewritten before it is checked.
 */
import { at, show } from '../core/definition/problems.ts';
import type { Problems } from '../core/definition/problems.ts';
import { isJsonObject, isRawNumber, ownProperty } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';

const otherNames: Readonly<Record<string, string>> = {
  statusCode: 'status',
  delayMillis: 'afterMillis',
  latencyMillis: 'afterMillis',
};

/** Whether a document is in the form by steps. */
export function hasStepsForm(document: JsonObject): boolean {
  return isJsonObject(ownProperty(document, 'steps'));
}

/** The same scenario in the form by nodes. Reports what cannot be read. */
export function fromStepsForm(document: JsonObject, problems: Problems): JsonObject {
  const { steps, nodes, ...rest } = document;
  if (nodes !== undefined && nodes !== null) problems.error('nodes', 'This field cannot stand beside steps.');
  const answers: [string, Json][] = [];
  for (const [name, step] of Object.entries(isJsonObject(steps) ? steps : {})) {
    const path = at('steps', name);
    if (!isJsonObject(step)) {
      problems.error(path, `Must be an object with up, down or both, not ${show(step)}.`);
      continue;
    }
    for (const key of Object.keys(step)) {
      if (key !== 'up' && key !== 'down')
        problems.error(at(path, key), 'This field is unknown here; known are up, down.');
    }
    const up = ownProperty(step, 'up') ?? undefined;
    const down = ownProperty(step, 'down') ?? undefined;
    if (up !== undefined) answers.push([name, asList(up)]);
    if (down !== undefined) answers.push([`${name}:DOWN`, asList(down)]);
  }
  return { ...rest, nodes: Object.fromEntries(answers) };
}

function asList(value: Json): Json {
  return Array.isArray(value) ? (value as readonly Json[]).map((item) => asAnswer(item)) : [asAnswer(value)];
}

function asAnswer(value: Json): Json {
  if (typeof value === 'number' || isRawNumber(value)) return { status: value };
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [otherNames[key] ?? key, item]));
}
