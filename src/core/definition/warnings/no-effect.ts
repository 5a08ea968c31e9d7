import { isJsonObject, type Json, type JsonObject } from '../../value/json.ts';
import type { Place, Draft, NodeDraft } from '../draft.ts';
import { at, quote, type Path, type Problems } from '../problems.ts';
import { present } from '../shape/shape-check.ts';

/** Whether a text contains what would be a tag in a template. */
const hasTag = (text: string): boolean => /\{\{[^{}]*\}\}/.test(text);

/** Lists of status codes of an action and its request, highest precedence first. */
const codeLists: Readonly<Record<'sync' | 'async', readonly (readonly (readonly ['action' | 'request', string])[])[]>> =
  {
    sync: [
      [
        ['action', 'successStatusCodes'],
        ['request', 'successStatusCodes'],
      ],
      [
        ['action', 'unknownStatusCodes'],
        ['request', 'unknownStatusCodes'],
      ],
    ],
    async: [
      [
        ['action', 'acceptedStatusCodes'],
        ['action', 'successStatusCodes'],
        ['request', 'successStatusCodes'],
      ],
      [
        ['action', 'unknownStatusCodes'],
        ['request', 'unknownStatusCodes'],
      ],
    ],
  };

/** Warns about parts of a definition that have no effect: those of the document, then those of each task. */
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
  for (const node of draft.nodes) if (node.kind === 'task') warnOfTask(node, problems);
}

function warnOfTask(node: NodeDraft, problems: Problems): void {
  if (node.compensation === undefined && present(node.json, 'compensateWhen') !== undefined) {
    problems.warn(at(node.path, 'compensateWhen'), 'This field has no effect: there is no compensation.');
  }
  const mode = present(node.action.json, 'mode') === 'async' ? 'async' : 'sync';
  for (const list of codeLists[mode]) warnOfOverruled(node, list, problems);
  const retryOn = objectAt(objectAt(node.json, 'failureHandling'), 'retryOn');
  const errors = retryOn === undefined ? undefined : present(retryOn, 'errors');
  if (mode === 'async' || !Array.isArray(errors)) return;
  for (const [i, error] of (errors as readonly Json[]).entries()) {
    if (error !== 'callback_timeout' && error !== 'callback_failure') continue;
    const path = at(at(at(at(node.path, 'failureHandling'), 'retryOn'), 'errors'), i);
    problems.warn(path, `${quote(error)} has no effect: the node waits for no callback.`);
  }
}

function objectAt(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object === undefined ? undefined : present(object, key);
  return value !== undefined && isJsonObject(value) ? value : undefined;
}

function warnOfOverruled(node: NodeDraft, list: (typeof codeLists)['sync'][number], problems: Problems): void {
  let winner: string | undefined;
  for (const [where, key] of list) {
    const holder = where === 'action' ? node.action : node.request;
    if (holder === undefined || !isJsonObject(holder.json) || present(holder.json, key) === undefined) continue;
    if (winner === undefined) winner = `${where}.${key}`;
    else problems.warn(at(holder.path, key), `This field has no effect: ${winner} wins.`);
  }
}

/** Warns about keys of a JSON body that look like templates; only values are templates. */
export function warnOfTagsInKeys(body: Json, path: Path, problems: Problems): void {
  for (const { json, path: place } of within({ json: body, path })) {
    if (!isJsonObject(json)) continue;
    for (const key of Object.keys(json)) {
      if (hasTag(key)) problems.warn(at(place, key), 'Keys are no templates: this one is sent as it is.');
    }
  }
}

/** Warns about strings in a condition that look like templates. */
export function warnOfTagsInCondition(condition: Json, path: Path, problems: Problems): void {
  for (const { json } of within({ json: condition, path })) {
    if (typeof json !== 'string' || !hasTag(json)) continue;
    const name = /\{\{[{&]?\s*([^{}]*?)\s*\}\}/.exec(json)?.[1] ?? '';
    problems.warn(
      path,
      `${quote(json)} is taken as it is: conditions hold no templates; write {"var": ${quote(name)}}.`,
    );
  }
}

/** Yields a value and all nested values. Recursion is safe because the depth of definitions is bounded. */
function* within(place: Place): Generator<Place> {
  yield place;
  const { json, path } = place;
  if (Array.isArray(json)) {
    for (const [i, item] of (json as readonly Json[]).entries()) yield* within({ json: item, path: at(path, i) });
  } else if (isJsonObject(json)) {
    for (const [key, item] of Object.entries(json)) yield* within({ json: item, path: at(path, key) });
  }
}
