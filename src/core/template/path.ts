import type { Json } from '../value/json.ts';
import { type Hints, hinted, type Refuse } from './path-hints.ts';
import { keysOfPath } from './path-keys.ts';
import { type PathReader, type PathSource, walk } from './path-source.ts';
import { allSteps, bodyOf, stepOf, stepsOf, viewOf } from './path-steps.ts';

/** The first part of a path. `input` is an alias of `payload`. */
export type PathRoot =
  | 'payload'
  | 'labels'
  | 'vars'
  | 'secrets'
  | 'sagaId'
  | 'sagaName'
  | 'sagaVersion'
  | 'stepName'
  | 'phase'
  | 'attempt'
  | 'round'
  | 'nodes'
  | 'step'
  | 'steps'
  | 'prev'
  | 'runtime'
  | 'failure'
  | 'callback'
  /** The item of a loop, its index, or those of loops around it. */
  | 'item'
  | 'index'
  | 'parent';

/** A checked path, with its reader. */
export interface Path {
  /** The path as written. */
  readonly text: string;
  readonly root: PathRoot;
  /** The node id, for `nodes.<id>` and `step.<id>`. */
  readonly nodeId?: string;
  /**
   * The field: for `nodes.<id>` response, accepted, callback, failure, child, visit or idempotencyKey; for `step.<id>` index,
   * name, body, up or down; for `runtime.callback` url, token or signedUrl.
   */
  readonly field?: string;
  /** The keys below `payload`. */
  readonly within?: readonly string[];
  /** Whether the path may read any node: `steps`, `step.<index>`, `prev`. */
  readonly anyNode: boolean;
  /** Whether the value depends on the order of first completion. */
  readonly usesOrder: boolean;
  /**
   * Whether the value may differ between two otherwise equal calls: `runtime.*`, `round`, `attempt`, idempotency keys.
   */
  readonly volatile: boolean;
  /**
   * Whether the value comes from the payload, labels, a response or a callback, not from the configuration or Trama
   * itself.
   */
  readonly fromData: boolean;
  readonly read: PathReader;
}

/** A path that a template or a condition reads. */
export interface TemplatePath extends Omit<Path, 'read' | 'root'> {
  /** `section` for a name within a section that can only refer to an item of it. */
  readonly root: PathRoot | 'section';
}

/** The paths that are allowed at a place. */
export interface PathScope {
  /** Ids of the definition's nodes. */
  readonly nodeIds: ReadonlySet<string>;
  /** Allowed roots. */
  readonly roots: ReadonlySet<PathRoot>;
  /** Whether `nodes.<id>` is allowed without a field, as in conditions. */
  readonly wholeNodes: boolean;
  /** The number of loops around the place. */
  readonly loops: number;
  /** How many more errors may name the closest word that is known; absent: none. */
  readonly hints?: Hints | undefined;
}

const scalars: Readonly<Partial<Record<string, PathReader>>> = {
  sagaId: (source) => source.context.sagaId,
  sagaName: (source) => source.context.sagaName,
  sagaVersion: (source) => source.context.sagaVersion,
  stepName: (source) => source.context.stepName,
  phase: (source) => source.context.phase,
  attempt: (source) => (source.stable ? 1 : source.context.attempt),
  round: (source) => (source.stable ? 1 : source.context.round),
};

/** The fields of a node and their parts. Only `body` and `headers` can be read deeper. */
const nodeFields: Readonly<Record<string, readonly string[]>> = {
  response: ['body', 'status', 'headers'],
  accepted: ['body', 'status', 'headers'],
  callback: ['body'],
  failure: ['outcome', 'statusCode', 'reason'],
  child: ['id', 'status', 'reason'],
  visit: [],
  idempotencyKey: [],
};

const failureFields: ReadonlySet<string> = new Set(['status', 'reason', 'nodeId', 'statusCode']);
const callbackFields: ReadonlySet<string> = new Set(['url', 'token', 'signedUrl']);
const stepFields: ReadonlySet<string> = new Set(['index', 'name', 'body', 'up', 'down']);

/** Replaces every volatile text while a request is fingerprinted. */
const constantText = '-';

/**
 * Checks a path and creates its reader, or returns an error sentence that names the path. Called once per path, when a
 * definition is compiled. Readers access own properties only, never those of a prototype.
 *
 * Node ids may contain dots: after `nodes` and `step`, the longest matching id of the definition wins; an id in
 * brackets must match exactly. For the syntax of keys see `path-keys.ts`.
 */
export function resolvePath(text: string, scope: PathScope): { readonly path: Path } | { readonly error: string } {
  const refuse: Refuse = (why, word, known) => ({
    error: `The path "${text}" ${why}${hinted(scope.hints, word, known)}`,
  });
  const named = namedValue(text, scope);
  if (named !== undefined) return named;
  const split = keysOfPath(text);
  if ('error' in split) return refuse(split.error);
  const { keys } = split;
  const first = keys[0] ?? '';
  const root = (first === 'input' ? 'payload' : first) as PathRoot;
  if (root === 'item' || root === 'index' || root === 'parent') return resolveItem(text, keys, scope, refuse);
  if (!scope.roots.has(root)) {
    if (root === 'runtime') return refuse('can be read in requests of async nodes only');
    if (root === 'failure') return refuse('can be read in failure hooks only');
    if (root === 'callback') return refuse('can be read in conditions on callbacks only');
    if (root === 'secrets') return refuse('can be read in calls only');
    const known = scope.loops === 0 ? [...scope.roots] : [...scope.roots, 'item', 'index', 'parent'];
    return refuse(`begins with an unknown name; known are ${known.join(', ')}`, first, known);
  }
  const facts = { text, root, anyNode: false, usesOrder: false, volatile: false, fromData: false };
  const scalar = scalars[root];
  if (scalar !== undefined) {
    if (keys.length > 1) return refuse(`goes on after ${root}, which has no fields`);
    return { path: { ...facts, volatile: root === 'attempt' || root === 'round', read: scalar } };
  }
  if (root === 'nodes' || root === 'step') return resolveNode(text, root, keys, scope, refuse);
  const second = keys[1];
  switch (root) {
    case 'payload':
      return {
        path: {
          ...facts,
          fromData: true,
          within: keys.slice(1),
          read: (source) => walk(source.context.payload, keys, 1),
        },
      };
    case 'labels':
    case 'vars':
    case 'secrets':
      if (root === 'labels' && second === undefined) {
        return { path: { ...facts, fromData: true, read: (source) => source.context.labels } };
      }
      if (second === undefined || second === '') return refuse('names nothing');
      if (keys.length > 2) return refuse(`goes on after ${root}["${second}"], which is a text`);
      return { path: pathOfName(text, root, second) };
    case 'steps': {
      const read: PathReader = (source) => walk(allSteps(source), keys, 1);
      return { path: { ...facts, anyNode: true, usesOrder: true, fromData: true, read } };
    }
    case 'prev':
      if (second !== 'body') return refuse('reads something else than prev.body');
      return {
        path: { ...facts, anyNode: true, fromData: true, read: (source) => walk(bodyOf(source.context.prev), keys, 2) },
      };
    case 'runtime': {
      const field = keys[2];
      if (second !== 'callback' || field === undefined || keys.length > 3 || !callbackFields.has(field)) {
        return refuse('is none of runtime.callback.url, runtime.callback.token and runtime.callback.signedUrl');
      }
      const read: PathReader = (source) => {
        const value = walk(source.context.callback, keys, 2);
        return source.stable && value !== undefined ? constantText : value;
      };
      return { path: { ...facts, field, volatile: true, read } };
    }
    case 'failure':
      if (second === undefined || keys.length > 2 || !failureFields.has(second)) {
        return refuse(`is none of ${[...failureFields].map((field) => `failure.${field}`).join(', ')}`);
      }
      return {
        path: { ...facts, fromData: true, read: (source) => walk(source.context.failure as unknown as Json, keys, 1) },
      };
    case 'callback':
      if (second !== 'body') return refuse('reads something else than callback.body');
      return { path: { ...facts, fromData: true, read: (source) => walk(source.callbackBody, keys, 2) } };
    default:
      return refuse('begins with an unknown name');
  }
}

/**
 * Resolves `labels.<name>`, `vars.<NAME>` and `secrets.<NAME>`; undefined for any other path. The values are texts, so
 * everything after the first dot is the name, including further dots and brackets.
 */
function namedValue(text: string, scope: PathScope): { readonly path: Path } | undefined {
  const [, root, name] = /^(labels|vars|secrets)\.(.+)$/s.exec(text) ?? [];
  if (name === undefined || !scope.roots.has(root as PathRoot)) return undefined;
  return { path: pathOfName(text, root as 'labels' | 'vars' | 'secrets', name) };
}

function pathOfName(text: string, root: 'labels' | 'vars' | 'secrets', name: string): Path {
  const facts = { text, root, anyNode: false, usesOrder: false, volatile: false, fromData: root === 'labels' };
  switch (root) {
    case 'labels':
      return { ...facts, read: (source) => walk(source.context.labels, [name], 0) };
    case 'vars':
      return { ...facts, read: (source) => source.context.variable(name) };
    case 'secrets':
      return { ...facts, read: (source) => source.secret(name) };
  }
}

/** Resolves `item`, `index` and, for loops around the innermost one, `parent.item` and so on. */
function resolveItem(
  text: string,
  keys: readonly string[],
  { loops }: PathScope,
  refuse: Refuse,
): { readonly path: Path } | { readonly error: string } {
  const level = keys.findIndex((key) => key !== 'parent');
  const root = keys[level];
  if (root !== 'item' && root !== 'index') return refuse('names neither item nor index after parent');
  if (loops === 0) return refuse('can be read within a forEach only');
  if (level >= loops) {
    return refuse(`leaves ${loops === 1 ? 'the one forEach' : `all ${String(loops)} forEach`} around it`);
  }
  const facts = { text, root, anyNode: false, usesOrder: false, volatile: false } as const;
  if (root === 'index') {
    if (keys.length > level + 1) return refuse('goes on after index, which is a number');
    return { path: { ...facts, fromData: false, read: (source) => source.context.item?.(level)?.index } };
  }
  const from = level + 1;
  return {
    path: { ...facts, fromData: true, read: (source) => walk(source.context.item?.(level)?.value, keys, from) },
  };
}

function resolveNode(
  text: string,
  root: 'nodes' | 'step',
  keys: readonly string[],
  scope: PathScope,
  refuse: Refuse,
): { path: Path } | { error: string } {
  const facts = { text, root, anyNode: false, usesOrder: false, volatile: false, fromData: true };
  const index = keys[1];
  if (index === undefined || index === '') return refuse('names no node');
  // An id in brackets must match exactly.
  const isExact = text.startsWith(`${root}[`);
  const length = isExact ? (scope.nodeIds.has(index) ? 1 : 0) : longestId(keys, scope.nodeIds);
  if (length === 0 && root === 'step' && /^\d{1,6}$/.test(index)) {
    return resolveStep(keys.slice(2), refuse, (source) => stepsOf(source).ids[Number(index)], {
      ...facts,
      anyNode: true,
      usesOrder: true,
    });
  }
  if (length === 0) {
    const id = isExact ? index : writtenId(root, keys);
    return refuse('names a node that the definition does not have', id, scope.nodeIds);
  }
  const nodeId = keys.slice(1, 1 + length).join('.');
  const rest = keys.slice(1 + length);
  if (root === 'step') return resolveStep(rest, refuse, () => nodeId, { ...facts, nodeId });
  const [field, part] = rest;
  if (field === undefined) {
    if (!scope.wholeNodes) return refuse(`names no field of the node; it has ${Object.keys(nodeFields).join(', ')}`);
    return { path: { ...facts, nodeId, volatile: true, read: (source) => wholeNode(source, nodeId) } };
  }
  const parts = Object.hasOwn(nodeFields, field) ? nodeFields[field] : undefined;
  if (parts === undefined) {
    const known = Object.keys(nodeFields);
    return refuse(`names an unknown field "${field}" of the node; it has ${known.join(', ')}`, field, known);
  }
  const found = { ...facts, nodeId, field };
  if (field === 'idempotencyKey' && part === undefined) {
    const read: PathReader = (source) => {
      const key = source.context.node(nodeId)?.idempotencyKey;
      return source.stable && key !== undefined ? constantText : key;
    };
    return { path: { ...found, volatile: true, fromData: false, read } };
  }
  if (part !== undefined && !parts.includes(part)) {
    return refuse(parts.length === 0 ? `goes on after ${field}, which has no fields` : `knows no ${field}.${part}`);
  }
  const within =
    part === 'headers' && rest.length > 2 ? ['headers', rest.slice(2).join('.').toLowerCase()] : rest.slice(1);
  if (part !== 'body' && part !== 'headers' && rest.length > 2) return refuse(`goes on after ${String(part)}`);
  const path = [field, ...within];
  return { path: { ...found, read: (source) => walk(viewOf(source.context.node(nodeId)), path, 0) } };
}

/** The id that a path means whose node is not known: all up to the first field of a node, else one key. */
function writtenId(root: 'nodes' | 'step', keys: readonly string[]): string {
  const end = keys.findIndex(
    (key, i) => i > 1 && (root === 'nodes' ? Object.hasOwn(nodeFields, key) : stepFields.has(key)),
  );
  return keys.slice(1, end < 0 ? 2 : end).join('.');
}

/** Longer than any node id. */
const maxIdLength = 512;

/** The number of keys after the first that make up the longest known id; 0 if none does. */
function longestId(keys: readonly string[], nodeIds: ReadonlySet<string>): number {
  let longest = 0;
  let id = '';
  for (let end = 1; end < keys.length; end++) {
    id = end === 1 ? (keys[1] as string) : `${id}.${keys[end] as string}`;
    if (id.length > maxIdLength) break;
    if (nodeIds.has(id)) longest = end;
  }
  return longest;
}

function resolveStep(
  rest: readonly string[],
  refuse: Refuse,
  idIn: (source: PathSource) => string | undefined,
  facts: Omit<Path, 'read'>,
): { path: Path } | { error: string } {
  const [field, part] = rest;
  if (field !== undefined && !stepFields.has(field)) {
    return refuse(`names an unknown field "${field}" of the step; it has index, name, body, up.body, down.body`);
  }
  if ((field === 'up' || field === 'down') && part !== undefined && part !== 'body') {
    return refuse(`knows no ${field}.${part}`);
  }
  if ((field === 'index' || field === 'name') && part !== undefined) return refuse(`goes on after ${field}`);
  const found = field === undefined ? facts : { ...facts, field };
  if (field === 'body' || (field === 'up' && part === 'body')) {
    const from = field === 'body' ? 1 : 2;
    const read: PathReader = (source) => {
      const id = idIn(source);
      return id === undefined ? undefined : walk(bodyOf(source.context.node(id)), rest, from);
    };
    return { path: { ...found, read } };
  }
  const read: PathReader = (source) => {
    const id = idIn(source);
    return id === undefined ? undefined : walk(stepOf(source, id), rest, 0);
  };
  return { path: { ...found, usesOrder: facts.usesOrder || field === undefined || field === 'index', read } };
}

function wholeNode(source: PathSource, nodeId: string): Json | undefined {
  const view = source.context.node(nodeId);
  if (view === undefined) return undefined;
  const whole: Record<string, Json> = {};
  for (const field of Object.keys(nodeFields)) {
    const value = walk(viewOf(view), [field], 0);
    if (value !== undefined) whole[field] = source.stable && field === 'idempotencyKey' ? constantText : value;
  }
  return whole;
}
