import { compileDefinition } from '../../../src/core/definition/compile.ts';
import type { NodePlan, Plan } from '../../../src/core/plan.ts';
import { isJsonObject, type Json, type JsonObject, ownProperty } from '../../../src/core/value/json.ts';
import type { GraphEdge, GraphNode } from './model.ts';

/** A node before its layout. */
export type LooseNode = Omit<GraphNode, 'x' | 'y' | 'width' | 'height'>;

/** A definition as nodes and ways, as the core reads it. */
export type ReadGraph =
  | {
      readonly ok: true;
      readonly nodes: readonly LooseNode[];
      readonly edges: readonly GraphEdge[];
      readonly hooks: readonly { readonly name: string; readonly line: string }[];
      readonly warnings: readonly string[];
      readonly requiredPayload: readonly string[];
    }
  | { readonly ok: false; readonly errors: readonly string[] };

/** Generous limits: the server has accepted the definition by its own. */
const limits = { maxNodes: 100_000, maxBytes: 64 * 1_048_576 };

/** Normalises a definition with the engine's own compiler. */
export function readGraph(document: Json): ReadGraph {
  const compiled = compileDefinition(document, { hash: '', limits });
  if (!compiled.ok) return { ok: false, errors: compiled.errors };
  const { plan, warnings } = compiled;
  const nodes = [...plan.nodes.values()];
  return {
    ok: true,
    nodes: nodes.map((node) => looseNode(node, documentOf(document, node))),
    edges: edgesOf(plan),
    hooks: hooksOf(document),
    warnings,
    requiredPayload: requiredOf(document),
  };
}

/** The object of a node in the document, linear or not. */
function documentOf(document: Json, { index }: NodePlan): JsonObject {
  if (!isJsonObject(document)) return {};
  const list = ownProperty(document, 'nodes') ?? ownProperty(document, 'steps');
  const found = Array.isArray(list) ? (list as readonly Json[])[index] : undefined;
  return found !== undefined && isJsonObject(found) ? found : {};
}

function looseNode(node: NodePlan, source: JsonObject): LooseNode {
  const loop = node.loops?.at(-1);
  const undo = undoOf(node, source);
  const kind = node.kind === 'task' && node.mode === 'async' ? 'async' : node.kind;
  return {
    id: node.id,
    kind,
    line: lineOf(node, source),
    ...(undo !== undefined && { undo }),
    ...(loop !== undefined && { loop }),
  };
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const objectOf = (value: Json | undefined): JsonObject => (value !== undefined && isJsonObject(value) ? value : {});

/** Verb and target of a call, short: `POST bank.example/charges`. */
function requestLine(request: JsonObject): string {
  const url = textOf(ownProperty(request, 'url')).replace(/^https?:\/\//, '');
  return `${textOf(ownProperty(request, 'verb')) || 'GET'} ${url}`;
}

function lineOf(node: NodePlan, source: JsonObject): string {
  switch (node.kind) {
    case 'task': {
      const action = ownProperty(objectOf(ownProperty(source, 'action')), 'request');
      return requestLine(objectOf(action ?? ownProperty(source, 'up')));
    }
    case 'sleep':
      return (
        textOf(ownProperty(source, 'duration')) ||
        ('durationMillis' in node.wait
          ? `${String(node.wait.durationMillis)} ms`
          : `until ${textOf(ownProperty(source, 'until'))}`)
      );
    case 'workflow':
      return `${node.definition.name} ${node.definition.version}`;
    case 'forEach':
      return `${textOf(ownProperty(source, 'items')) || 'items'}, ${String(node.maxConcurrency)} at a time`;
    case 'join':
      return node.mode === 'first' ? 'the first' : '';
    case 'fail':
      return textOf(ownProperty(source, 'reason'));
    case 'split':
    case 'switch':
    case 'set':
      return '';
    default:
      return '';
  }
}

function undoOf(node: NodePlan, source: JsonObject): string | undefined {
  if (node.kind === 'workflow' && node.compensation === 'undo') return 'take back the child';
  const request = ownProperty(source, 'compensation') ?? ownProperty(source, 'down');
  return request !== undefined && isJsonObject(request) ? requestLine(request) : undefined;
}

function edgesOf({ nodes }: Plan): readonly GraphEdge[] {
  const edges: GraphEdge[] = [];
  const add = (from: string, to: string | undefined, kind: GraphEdge['kind'] = 'next', label?: string): void => {
    if (to === undefined || !nodes.has(to)) return;
    edges.push({ id: `${from}>${to}>${label ?? kind}`, from, to, kind, ...(label !== undefined && { label }) });
  };
  for (const node of nodes.values()) {
    switch (node.kind) {
      case 'split':
        for (const branch of node.branches) add(node.id, branch);
        break;
      case 'switch':
        for (const [index, { name, target }] of node.cases.entries()) {
          add(node.id, target, 'next', name ?? `case ${String(index + 1)}`);
        }
        add(node.id, node.default, 'next', 'default');
        break;
      case 'forEach':
        add(node.id, node.entry, 'next', 'each item');
        add(node.id, node.next, 'next', 'then');
        break;
      case 'fail':
        break;
      default:
        add(node.id, node.next);
    }
    add(node.id, node.onFailure, 'failure', 'on failure');
  }
  return edges;
}

function hooksOf(document: Json): readonly { name: string; line: string }[] {
  const names = ['onSuccessCallback', 'onFailureCallback'];
  return names.flatMap((name) => {
    const hook = ownProperty(objectOf(document), name);
    return hook !== undefined && isJsonObject(hook) ? [{ name, line: requestLine(hook) }] : [];
  });
}

function requiredOf(document: Json): readonly string[] {
  const list = ownProperty(objectOf(document), 'requiredPayload');
  return Array.isArray(list) ? list.filter((path): path is string => typeof path === 'string') : [];
}
