import { nodeKinds } from '../node/kinds.ts';
import type { NodeKindName } from '../plan.ts';
import { ownProperty, type Json, type JsonObject } from '../value/json.ts';
import { objectsIn, placeIn, type Draft, type NodeDraft } from './node-draft.ts';
import { at } from './problems.ts';
import { present } from './shape/shape-check.ts';

/**
 * Reads the nodes of a document as far as possible: steps and graph nodes in one form, with their places in the
 * document. Tolerates every defect, so that the checks of ids, references and the graph can run on broken documents.
 */
export function readDraft(document: JsonObject): Draft {
  const steps = present(document, 'steps');
  const linear = steps !== undefined;
  const nodes = linear ? readSteps(steps) : readNodes(present(document, 'nodes'));
  const entrypoint = linear ? nodes[0]?.id : present(document, 'entrypoint');
  const byId = new Map<string, NodeDraft>();
  for (const node of nodes) if (node.id !== undefined && !byId.has(node.id)) byId.set(node.id, node);
  return { linear, entry: typeof entrypoint === 'string' ? entrypoint : undefined, nodes, byId };
}

const usableId = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

/** A step is a task without a mode, whose edges are the order of the steps. */
function readSteps(list: Json): NodeDraft[] {
  const steps = objectsIn(list);
  return steps.map(([index, json], position) => {
    const path = at('steps', index);
    const following = usableId(steps[position + 1]?.[1]['name']);
    return {
      ...nodeKinds.task.read({}, path),
      index,
      path,
      id: usableId(ownProperty(json, 'name')),
      idPath: at(path, 'name'),
      kind: 'task',
      json,
      edges: following === undefined ? [] : [{ path, target: following, via: 'next' }],
      request: placeIn(json, 'up', path),
      compensation: placeIn(json, 'down', path),
    };
  });
}

function readNodes(list: Json | undefined): NodeDraft[] {
  return objectsIn(list).map(([index, json]) => {
    const path = at('nodes', index);
    const named = json['kind'];
    const kind = typeof named === 'string' && Object.hasOwn(nodeKinds, named) ? (named as NodeKindName) : undefined;
    const reading = kind === undefined ? { edges: [] } : nodeKinds[kind].read(json, path);
    return { ...reading, index, path, id: usableId(ownProperty(json, 'id')), idPath: at(path, 'id'), kind, json };
  });
}
