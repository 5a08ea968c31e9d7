import { isJsonObject, type Json, type JsonObject } from '../../value/json.ts';
import type { Flow } from '../flow.ts';
import type { Draft, NodeDraft } from '../node-draft.ts';
import { at, quote, type Problems } from '../problems.ts';
import { present } from '../shape/shape-check.ts';

/** HTTP methods that change state downstream. */
export const mutatingVerbs: ReadonlySet<Json> = new Set<Json>(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Warns about mutating calls without a compensation whose effect would remain if the execution fails later. */
export function warnOfUncompensated(draft: Draft, flow: Flow, problems: Problems): void {
  for (const node of draft.nodes) {
    if (node.id === undefined || node.compensation !== undefined) continue;
    if (present(node.json, 'uncompensated') === true) continue;
    const { request } = node;
    const verb = request !== undefined && isJsonObject(request.json) ? present(request.json, 'verb') : undefined;
    if (request === undefined || typeof verb !== 'string' || !mutatingVerbs.has(verb)) continue;
    const culprit = flow.possibleAfter(node.id).find((id) => draft.byId.get(id)?.canFail === true);
    if (culprit === undefined) continue;
    const sentence = `${verb} changes something, and nothing undoes it when ${quote(culprit)} fails later; add a ${draft.linear ? 'down call' : 'compensation'}, or "uncompensated": true where that is meant.`;
    problems.warn(at(request.path, 'verb'), sentence);
  }
}

/** Reports `uncompensated` on a call that has a compensation, and warns about it on a call that changes nothing. */
export function checkUncompensated(node: NodeDraft, verb: string | undefined, problems: Problems): void {
  if (present(node.json, 'uncompensated') !== true) return;
  const path = at(node.path, 'uncompensated');
  if (node.compensation !== undefined) problems.error(path, 'The call has a compensation; remove one of them.');
  else if (verb !== undefined && !mutatingVerbs.has(verb)) {
    problems.warn(path, `This field has no effect: ${verb} changes nothing that could be undone.`);
  }
}

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

/** Warns about parts of a task that have no effect. */
export function warnOfTask(node: NodeDraft, problems: Problems): void {
  if (node.compensation === undefined && present(node.json, 'compensateWhen') !== undefined) {
    problems.warn(at(node.path, 'compensateWhen'), 'This field has no effect: there is no compensation.');
  }
  const mode = present(node.action?.json ?? {}, 'mode') === 'async' ? 'async' : 'sync';
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
