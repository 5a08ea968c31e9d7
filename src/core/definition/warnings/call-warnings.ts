import { isJsonObject, type Json } from '../../value/json.ts';
import type { Draft, NodeDraft } from '../draft.ts';
import type { Flow } from '../flow.ts';
import { at, quote, type Problems } from '../problems.ts';
import { present } from '../shape/shape-check.ts';

/** HTTP methods that change state downstream. */
export const mutatingVerbs: ReadonlySet<Json> = new Set<Json>(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Warns about mutating calls without a compensation whose effect would remain if the execution fails later. */
export function warnOfUncompensated(draft: Draft, flow: Flow, problems: Problems): void {
  for (const node of draft.nodes) {
    if (node.id === undefined || node.kind !== 'task' || node.compensation !== undefined) continue;
    if (present(node.json, 'uncompensated') === true) continue;
    const { request } = node;
    const verb = request !== undefined && isJsonObject(request.json) ? present(request.json, 'verb') : undefined;
    if (request === undefined || typeof verb !== 'string' || !mutatingVerbs.has(verb)) continue;
    const culprit = flow.possibleAfter(node.id).find((id) => canFail(draft.byId.get(id)));
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

/** Whether a node can fail the execution or its branch. */
function canFail(node: NodeDraft | undefined): boolean {
  if (node === undefined) return false;
  if (node.kind === 'task') return !node.edges.some((edge) => edge.via === 'onFailure');
  return node.kind === 'fail' || (node.kind === 'sleep' && present(node.json, 'until') !== undefined);
}
