import { nodeKinds } from '../../node/kinds.ts';
import { callBook, callOptions } from './call-shape.ts';
import { id, millis, optional, ref, reference, required } from './fields.ts';
import type { ObjectShape, Shape, ShapeBook, TaggedShape } from './shape.ts';

const step: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    name: required(id, 'Unique name of the step; the id of its node.'),
    up: required(ref('HttpCall'), 'The call.'),
    down: optional(ref('HttpCall'), 'The call that undoes it.'),
    ...callOptions,
  },
};

/** The shape of a definition document; `maxNodeVisitsCap` is the maximum of its `maxNodeVisits`. */
export function documentShape(maxNodeVisitsCap: number): ObjectShape {
  return {
    type: 'object',
    extensible: true,
    exactlyOneOf: [['steps', 'nodes']],
    requires: { nodes: ['entrypoint'] },
    excludes: { steps: ['entrypoint'] },
    fields: {
      $schema: optional({ type: 'string' }, 'URL of this schema, for editors.'),
      name: required({ type: 'text', maxLength: 255 }, 'Name of the definition.'),
      version: required(
        { type: 'text', maxLength: 255, except: { latest: 'is reserved: it means the version that was created last' } },
        'Version of the definition: any text but "latest".',
      ),
      description: optional({ type: 'string' }, 'What the definition is for.'),
      labels: optional({ type: 'map', of: { type: 'string' } }, 'Labels of every execution; those of a run win.'),
      steps: optional({ type: 'list', of: ref('Step'), minItems: 1 }, 'Steps that run one after the other.'),
      entrypoint: optional(reference, 'Id of the node at which the graph begins.'),
      nodes: optional({ type: 'list', of: ref('Node'), minItems: 1 }, 'Nodes of the graph.'),
      failureHandling: optional(ref('RetryPolicy'), 'Retries of forward calls and hooks.'),
      compensationHandling: optional(ref('RetryPolicy'), 'Retries of compensations.'),
      onSuccessCallback: optional(ref('HttpCall'), 'Called when an execution has succeeded.'),
      onFailureCallback: optional(ref('HttpCall'), 'Called when an execution has failed or was cancelled.'),
      timeoutMillis: optional(millis, 'Longest duration of a round in milliseconds, waits included.'),
      maxNodeVisits: optional(
        { type: 'integer', min: 1, max: maxNodeVisitsCap, meaning: 'a number of visits' },
        'Bound of all node visits of a round together.',
      ),
      requiredPayload: optional(
        { type: 'list', of: { type: 'text', maxLength: 1024 } },
        'Paths within the payload that every run must bring.',
      ),
    },
  };
}

/** The object of a node: the kinds of the registry, told apart by `kind`. */
function nodeOfAnyKind(): TaggedShape {
  const variants = Object.entries(nodeKinds).map(([kind, { shape }]) => [kind, shape] as const);
  return { type: 'tagged', tag: 'kind', description: 'What the node does.', variants: Object.fromEntries(variants) };
}

/** The shapes that {@link documentShape} refers to. */
export function shapeBook(): ShapeBook {
  // The schema was first published in this order.
  const ofKinds = Object.values(nodeKinds)
    .toReversed()
    .flatMap(({ shapes }) => Object.entries(shapes ?? {}));
  return {
    Step: { shape: step, description: 'A step of a linear definition.' },
    Node: { shape: nodeOfAnyKind(), description: 'A node of a graph.' },
    ...Object.fromEntries(ofKinds),
    ...callBook,
  };
}
