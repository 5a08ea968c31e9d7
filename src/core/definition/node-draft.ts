import type { NodeKindName } from '../plan.ts';
import { isJsonObject, ownProperty, type Json, type JsonObject } from '../value/json.ts';
import { at, type Path } from './problems.ts';
import { present } from './shape/shape-check.ts';

/** A value and its place in the document. */
export interface Place {
  readonly json: Json;
  readonly path: Path;
}

/**
 * A reference from one node to another; `path` is where the document names the target. The analysis of the graph reads
 * from `via` when the reference is followed: `next`, `default` and `join` after success, `case` after some successes,
 * `onFailure` after a failure, `branch` in parallel with the node's other branches, `body` for each item of a loop.
 */
export interface Edge {
  readonly path: Path;
  readonly target: string;
  readonly via: 'next' | 'onFailure' | 'case' | 'default' | 'branch' | 'body' | 'join';
}

/** What a kind reads from the document of a node, as far as possible; the checks of the whole graph rely on it. */
export interface NodeReading {
  readonly edges: readonly Edge[];
  /** Whether a visit can fail the execution or its branch. */
  readonly canFail?: boolean;
  /** Whether no visit succeeds, so that neither the execution nor a branch ends successfully at the node. */
  readonly neverSucceeds?: boolean;
  /** The fields of `nodes.<id>` besides `visit`, or `'call'` for all that a call can have; absent if there are none. */
  readonly fields?: 'call' | readonly string[];
  /** Fields that are missing although a call can have them, and the reason for it. */
  readonly missing?: { readonly fields: readonly string[]; readonly why: string };
  /** The object that holds a task's mode, status codes and callback. */
  readonly action?: { readonly json: JsonObject; readonly path: Path };
  /** The forward call. */
  readonly request?: Place | undefined;
  readonly compensation?: Place | undefined;
}

/** A node or a step, as far as it can be read from the document. */
export interface NodeDraft extends NodeReading {
  readonly index: number;
  readonly path: Path;
  readonly id: string | undefined;
  readonly idPath: Path;
  /** Undefined if the document names no known kind. */
  readonly kind: NodeKindName | undefined;
  readonly json: JsonObject;
}

/** All nodes of a document. */
export interface Draft {
  readonly linear: boolean;
  readonly entry: string | undefined;
  readonly nodes: readonly NodeDraft[];
  /** The first node with each id. */
  readonly byId: ReadonlyMap<string, NodeDraft>;
}

/** A field of an object and its place; undefined if it is absent. */
export function placeIn(object: JsonObject, key: string, path: Path): Place | undefined {
  const json = present(object, key);
  return json === undefined ? undefined : { json, path: at(path, key) };
}

/** The edge that a value names; none if it names no node, which the shape check reports. */
export function edgeTo(via: Edge['via'], target: Json | undefined, path: Path): readonly Edge[] {
  return typeof target === 'string' && target.trim() !== '' ? [{ path, target, via }] : [];
}

/** The edge that the field `key` of a node names, if it does. */
export function edgeAt(via: Edge['via'], json: JsonObject, path: Path, key: string = via): readonly Edge[] {
  return edgeTo(via, ownProperty(json, key), at(path, key));
}

/** The elements of a list that are objects, with their positions. */
export function objectsIn(list: Json | undefined): readonly (readonly [number, JsonObject])[] {
  return Array.isArray(list)
    ? (list as readonly Json[]).flatMap((item, index) => (isJsonObject(item) ? [[index, item] as const] : []))
    : [];
}
