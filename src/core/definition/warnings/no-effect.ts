import { isJsonObject, type Json, type JsonObject } from '../../value/json.ts';
import type { Draft, Place } from '../node-draft.ts';
import { at, quote, type Path, type Problems } from '../problems.ts';
import { present } from '../shape/shape-check.ts';

/** Whether a text contains what would be a tag in a template. */
const hasTag = (text: string): boolean => /\{\{[^{}]*\}\}/.test(text);

/** Warns about parts of a definition outside of its nodes that have no effect. */
export function warnOfNoEffect(document: JsonObject, draft: Draft, problems: Problems): void {
  const undone = draft.nodes.some(({ compensation }) => compensation !== undefined);
  if (!undone && present(document, 'compensationHandling') !== undefined) {
    problems.warn('compensationHandling', 'This field has no effect: nothing has a compensation.');
  }
  const labels = present(document, 'labels');
  for (const [key, value] of Object.entries(isJsonObject(labels) ? labels : {})) {
    if (typeof value === 'string' && hasTag(value)) {
      problems.warn(at('labels', key), `${quote(value)} is taken as it is: labels are no templates.`);
    }
  }
}

/** Warns about keys of a JSON body that look like templates, and about strings in its expressions that do. */
export function warnOfTagsInBody(body: Json, path: Path, problems: Problems): void {
  for (const { json, path: place } of within({ json: body, path }, '$literal', '$logic')) {
    if (!isJsonObject(json)) continue;
    const logic = json['$logic'];
    if (logic !== undefined) warnOfTagsInCondition(logic, at(place, '$logic'), problems, 'expressions');
    for (const key of Object.keys(json)) {
      if (hasTag(key)) problems.warn(at(place, key), 'Keys are no templates: this one is sent as it is.');
    }
  }
}

/** Warns about strings in a condition that look like templates. */
export function warnOfTagsInCondition(condition: Json, path: Path, problems: Problems, what = 'conditions'): void {
  for (const { json } of within({ json: condition, path })) {
    if (typeof json !== 'string' || !hasTag(json)) continue;
    const name = /\{\{[{&]?\s*([^{}]*?)\s*\}\}/.exec(json)?.[1] ?? '';
    problems.warn(path, `${quote(json)} is taken as it is: ${what} hold no templates; write {"var": ${quote(name)}}.`);
  }
}

/** Yields a value and all nested values but those under `except`. Recursion is safe because the depth of definitions is bounded. */
function* within(place: Place, ...except: readonly string[]): Generator<Place> {
  yield place;
  const { json, path } = place;
  if (Array.isArray(json)) {
    for (const [i, item] of (json as readonly Json[]).entries())
      yield* within({ json: item, path: at(path, i) }, ...except);
  } else if (isJsonObject(json)) {
    for (const [key, item] of Object.entries(json)) {
      if (!except.includes(key)) yield* within({ json: item, path: at(path, key) }, ...except);
    }
  }
}
