import { compileCall } from '../definition/call-plan.ts';
import type { Compiling } from '../definition/compiling.ts';
import { edgeAt, placeIn, type NodeDraft } from '../definition/node-draft.ts';
import { at, quote, type Problems } from '../definition/problems.ts';
import { json, millis, next, nodeShape, optional, ref, reference, required } from '../definition/shape/fields.ts';
import { present, toNumber } from '../definition/shape/shape-check.ts';
import { compileValue } from '../definition/value-plan.ts';
import { startChild } from '../family/child.ts';
import { endChild, type Parenting } from '../family/ending.ts';
import type { NodeBase, WorkflowPlan } from '../plan.ts';
import { isJsonObject, type Json } from '../value/json.ts';
import { nextOf, type NodeKind, placeOf } from './kind.ts';

/** The start of another execution. `family/child.ts` implements the course of its visits. */
export const workflowKind: NodeKind<WorkflowPlan> = {
  shape: nodeShape({
    definition: required(
      {
        type: 'object',
        extensible: true,
        fields: {
          name: required({ type: 'text', maxLength: 255 }, 'Name of a stored definition.'),
          version: required({ type: 'text', maxLength: 255 }, 'Its version; "latest" is found anew on each visit.'),
        },
      },
      'The definition whose run the node starts.',
    ),
    payload: optional(json, 'The payload of the run: a value, which must be an object; default {}.'),
    labels: optional(json, 'Further labels of the run: a value, which must be an object of texts.'),
    wait: optional({ type: 'boolean' }, 'Whether the node waits for the end of the run; default true.'),
    timeoutMillis: optional(millis, 'How long the run may take, in milliseconds; it is cancelled then.'),
    compensation: optional(
      {
        type: 'either',
        options: [{ type: 'choice', values: ['undo', 'none'] }, ref('HttpCall')],
        expected: '"undo", "none" or a call',
        ifObject: ref('HttpCall'),
      },
      'What compensates the node: the run is taken back (default), nothing is done, or a call is made.',
    ),
    onFailure: optional(reference, 'Id of the node to go to when the run has not succeeded.'),
    next,
  }),
  read(document, path) {
    const onFailure = edgeAt('onFailure', document, path);
    const compensation = placeIn(document, 'compensation', path);
    return {
      edges: [...edgeAt('next', document, path), ...onFailure],
      canFail: onFailure.length === 0,
      fields: ['response', 'failure', 'child'],
      ...(compensation !== undefined && isJsonObject(compensation.json) ? { compensation } : undefined),
    };
  },
  compile: compileWorkflow,
  warn: warnOfWorkflow,
  enter: startChild,
  wake(d, token) {
    endChild(d, token as Parenting, true);
  },
};

function compileWorkflow(node: NodeDraft, base: NodeBase, compiling: Compiling): WorkflowPlan | undefined {
  compiling.needs.format = 2;
  const { json: document } = node;
  const reads = compiling.problems.errors.length;
  const during = { kind: 'during', nodeId: base.id } as const;
  const payload = compileValue(placeOf(node, 'payload'), during, compiling);
  const labels = compileValue(placeOf(node, 'labels'), during, compiling);
  const moment = { kind: 'compensation', nodeId: base.id, compensateWhen: 'unknown' } as const;
  const call = node.compensation === undefined ? undefined : compileCall(node.compensation, moment, {}, compiling);
  const definition = present(document, 'definition');
  const name = definition !== undefined && isJsonObject(definition) ? present(definition, 'name') : undefined;
  const version = definition !== undefined && isJsonObject(definition) ? present(definition, 'version') : undefined;
  if (typeof name !== 'string' || typeof version !== 'string') return undefined;
  if (compiling.problems.errors.length > reads || (node.compensation !== undefined && call === undefined))
    return undefined;
  const timeoutMillis = toNumber(present(document, 'timeoutMillis'));
  const compensation = call ?? (present(document, 'compensation') === 'none' ? 'none' : 'undo');
  const onFailure = node.edges.find(({ via }) => via === 'onFailure')?.target;
  return {
    ...base,
    kind: 'workflow',
    definition: { name, version },
    ...(payload === undefined ? {} : { payload }),
    ...(labels === undefined ? {} : { labels }),
    wait: present(document, 'wait') !== false,
    ...(timeoutMillis === undefined ? {} : { timeoutMillis }),
    compensation,
    ...(onFailure === undefined ? {} : { onFailure }),
    ...nextOf(node),
  };
}

function warnOfWorkflow(node: NodeDraft, problems: Problems): void {
  if (present(node.json, 'wait') === false && present(node.json, 'timeoutMillis') !== undefined) {
    problems.warn(at(node.path, 'timeoutMillis'), 'This field has no effect: the node does not wait for the run.');
  }
}

/** Warns about nodes that start the definition that contains them. */
export function warnOfOwnName(nodes: readonly NodeDraft[], name: Json | undefined, problems: Problems): void {
  for (const node of nodes) {
    const definition = present(node.json, 'definition');
    if (node.kind !== 'workflow' || definition === undefined || !isJsonObject(definition)) continue;
    if (typeof name !== 'string' || present(definition, 'name') !== name) continue;
    problems.warn(
      at(at(node.path, 'definition'), 'name'),
      `${quote(name)} is the definition itself, so that each run may start another one; a family is at most 10 deep.`,
    );
  }
}
