import type { NodeView } from '../context/context.ts';
import type { Json } from '../value/json.ts';
import type { PathSource, StepsView } from './path-source.ts';

/** All fields of a view are JSON values, although its type does not express that. */
export function viewOf(view: NodeView | undefined): Json | undefined {
  return view as unknown as Json | undefined;
}

/** The response body of a node. */
export function bodyOf(view: NodeView | undefined): Json | undefined {
  return view?.response?.body;
}

/** Cost, in steps, of looking up one completed node, and of building its view for templates. */
const stepsPerNode = 2;

/** The completed nodes; lists them on first use. */
export function stepsOf(source: PathSource): StepsView {
  if (source.steps !== undefined) return source.steps;
  const ids = source.context.completed;
  source.spend(ids.length * stepsPerNode);
  source.steps = { ids, indexes: new Map(ids.map((id, i) => [id, i])) };
  return source.steps;
}

/** A completed node as `step.<id>` shows it. */
export function stepOf(source: PathSource, id: string): Json | undefined {
  const view = source.context.node(id);
  if (view === undefined) return undefined;
  const index = stepsOf(source).indexes.get(id) ?? null;
  const body = bodyOf(view) ?? null;
  return { index, name: id, body, up: { body }, down: { body: view.downBody ?? null } };
}

/** The value of `steps`. */
export function allSteps(source: PathSource): Json {
  const steps = stepsOf(source);
  if (steps.all === undefined) {
    source.spend(steps.ids.length * stepsPerNode);
    steps.all = steps.ids.map((id) => stepOf(source, id) ?? null);
  }
  return steps.all;
}
