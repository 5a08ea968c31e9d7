import { isJsonObject, ownProperty, type Json, type JsonObject } from '../value/json.ts';
import { at, type Path } from './problems.ts';
import { present } from './shape/shape-check.ts';

/** All kinds of nodes. */
export const nodeKinds = ['task', 'switch', 'sleep', 'split', 'join', 'fail'] as const;

/** A kind of node. */
export type NodeKind = (typeof nodeKinds)[number];

/** A value and its place in the document. */
export interface Place {
  readonly json: Json;
  readonly path: Path;
}

/** A reference from one node to another; `path` is where the document names the target. */
export interface Edge {
  readonly path: Path;
  readonly target: string;
  readonly via: 'next' | 'onFailure' | 'case' | 'default' | 'branch' | 'join';
}

/** A node or a step, as far as it can be read from the document. */
export interface NodeDraft {
  readonly index: number;
  readonly path: Path;
  readonly id: string | undefined;
  readonly idPath: Path;
  /** Undefined if the document names no known kind. */
  readonly kind: NodeKind | undefined;
  readonly json: JsonObject;
  readonly edges: readonly Edge[];
  /** The object that holds a task's mode, status codes and callback. Steps have none, so theirs is empty. */
  readonly action: { readonly json: JsonObject; readonly path: Path };
  /** The forward call of a task. */
  readonly request: Place | undefined;
  readonly compensation: Place | undefined;
}

/** All nodes of a document. */
export interface Draft {
  readonly linear: boolean;
  readonly entry: string | undefined;
  readonly nodes: readonly NodeDraft[];
  /** The first node with each id. */
  readonly byId: ReadonlyMap<string, NodeDraft>;
}

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

const objects = (list: Json | undefined): readonly (readonly [number, JsonObject])[] =>
  Array.isArray(list)
    ? (list as readonly Json[]).flatMap((item, index) => (isJsonObject(item) ? [[index, item] as const] : []))
    : [];

const usableId = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

function placeOf(object: JsonObject, key: string, path: Path): Place | undefined {
  const json = present(object, key);
  return json === undefined ? undefined : { json, path: at(path, key) };
}

function readSteps(list: Json): NodeDraft[] {
  const steps = objects(list);
  return steps.map(([index, json], position) => {
    const path = at('steps', index);
    const following = usableId(steps[position + 1]?.[1]['name']);
    return {
      index,
      path,
      id: usableId(ownProperty(json, 'name')),
      idPath: at(path, 'name'),
      kind: 'task',
      json,
      edges: following === undefined ? [] : [{ path, target: following, via: 'next' }],
      action: { json: {}, path },
      request: placeOf(json, 'up', path),
      compensation: placeOf(json, 'down', path),
    };
  });
}

function readNodes(list: Json | undefined): NodeDraft[] {
  return objects(list).map(([index, json]) => {
    const path = at('nodes', index);
    const kind = nodeKinds.find((known) => known === json['kind']);
    const actionJson = ownProperty(json, 'action');
    const action = { json: isJsonObject(actionJson) ? actionJson : {}, path: at(path, 'action') };
    return {
      index,
      path,
      id: usableId(ownProperty(json, 'id')),
      idPath: at(path, 'id'),
      kind,
      json,
      edges: kind === undefined ? [] : readEdges(kind, json, path),
      action,
      request: kind === 'task' ? placeOf(action.json, 'request', action.path) : undefined,
      compensation: kind === 'task' ? placeOf(json, 'compensation', path) : undefined,
    };
  });
}

function readEdges(kind: NodeKind, json: JsonObject, path: Path): Edge[] {
  const edges: Edge[] = [];
  const add = (via: Edge['via'], target: Json | undefined, targetPath: Path): void => {
    if (typeof target === 'string' && target.trim() !== '') edges.push({ path: targetPath, target, via });
  };
  if (kind === 'switch') {
    const casesPath = at(path, 'cases');
    for (const [index, item] of objects(ownProperty(json, 'cases'))) {
      add('case', ownProperty(item, 'target'), at(at(casesPath, index), 'target'));
    }
    add('default', ownProperty(json, 'default'), at(path, 'default'));
  } else if (kind === 'split') {
    const branches = ownProperty(json, 'branches');
    const branchesPath = at(path, 'branches');
    const list = Array.isArray(branches) ? (branches as readonly Json[]) : [];
    const seen = new Set<Json>();
    for (const [index, item] of list.entries()) {
      // The shape check reports repeated branches; the graph contains each of them once.
      if (!seen.has(item)) add('branch', item, at(branchesPath, index));
      seen.add(item);
    }
    add('join', ownProperty(json, 'join'), at(path, 'join'));
  } else if (kind !== 'fail') {
    add('next', ownProperty(json, 'next'), at(path, 'next'));
    if (kind === 'task') add('onFailure', ownProperty(json, 'onFailure'), at(path, 'onFailure'));
  }
  return edges;
}
