/** The shape of a scenario document, as data. */
import type { Field, ObjectShape, Shape, ShapeBook } from '../../core/definition/shape/shape.ts';

/** A thousand years, as in definitions. */
const maxMillis = 31_557_600_000_000;

const optional = (shape: Shape, description: string): Field => ({ shape, description });
const required = (shape: Shape, description: string): Field => ({ shape, description, required: true });
const ref = (name: string): Shape => ({ type: 'ref', name });

const json: Shape = { type: 'json' };
const text: Shape = { type: 'string' };
const name: Shape = { type: 'text', maxLength: 1024 };
const texts: Shape = { type: 'map', of: text };
const millis: Shape = { type: 'integer', min: 0, max: maxMillis, meaning: 'a time in milliseconds' };
const count: Shape = { type: 'integer', min: 1, max: 1_000_000, meaning: 'a number that counts from 1' };
const object: Shape = { type: 'map', of: json };

/** Statuses that `expect.status` may name. */
const statuses = [
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'CORRUPTED',
  'TERMINATED',
  'IN_PROGRESS',
  'WAITING_CALLBACK',
  'SLEEPING',
  'COMPENSATING',
] as const;

const callback: ObjectShape = {
  type: 'object',
  fields: {
    afterMillis: optional(millis, 'Milliseconds from the call; together with its answer when left out.'),
    body: optional(json, 'Body of the callback; {} when left out.'),
  },
};

const answer: ObjectShape = {
  type: 'object',
  fields: {
    status: optional({ type: 'integer', min: 100, max: 599, meaning: 'an HTTP status code' }, 'Status of the answer.'),
    body: optional(json, 'Body of the answer; {} when left out.'),
    headers: optional(texts, 'Headers of the answer.'),
    afterMillis: optional(millis, 'Milliseconds from the call to its answer; 0 when left out.'),
    error: optional({ type: 'choice', values: ['timeout', 'connect', 'body'] }, 'Fails without an answer.'),
    callback: optional(
      { type: 'either', options: [ref('Callback'), { type: 'list', of: ref('Callback') }], expected: 'a callback' },
      'What the downstream of an async node calls back with; several in a list.',
    ),
  },
  excludes: { error: ['status', 'body', 'headers'] },
};

const when = required(millis, 'Milliseconds from the start.');
const where = optional(name, 'The workflow node whose execution it is about; the root when left out.');

const place: Shape = { type: 'integer', min: 0, max: 1_000_000, meaning: 'the place of an item, from 0' };
const item = optional(
  {
    type: 'either',
    options: [place, { type: 'list', of: place, minItems: 1 }],
    expected: 'a place or a list of places',
  },
  'Only the item at this place; a list of places in nested loops, outermost first.',
);

const action: Shape = {
  type: 'tagged',
  tag: 'do',
  description: 'An action of a person on the execution.',
  variants: {
    cancel: { type: 'object', fields: { atMillis: when, at: where, reason: optional(text, 'Why.') } },
    terminate: { type: 'object', fields: { atMillis: when, at: where } },
    wake: { type: 'object', fields: { atMillis: when, at: where, item } },
    undo: { type: 'object', fields: { atMillis: when, at: where, reason: optional(text, 'Why.') } },
    retry: {
      type: 'object',
      fields: {
        atMillis: when,
        at: where,
        force: optional({ type: 'either', options: [json], expected: 'true or false' }, 'Also a terminated one.'),
      },
    },
    resolve: {
      type: 'object',
      fields: {
        atMillis: when,
        at: where,
        nodeId: required(name, 'The node to settle.'),
        visit: optional(count, 'Which visit; the one to settle when left out.'),
        phase: required({ type: 'choice', values: ['UP', 'DOWN'] }, 'The node itself or its compensation.'),
        outcome: required({ type: 'choice', values: ['succeeded', 'failed'] }, 'How it is settled.'),
        body: optional(json, 'What the node is taken to have answered.'),
        reason: optional(text, 'Why.'),
      },
    },
  },
};

const effect: ObjectShape = {
  type: 'object',
  fields: {
    nodeId: required(name, 'The node.'),
    visit: optional(count, 'Its visit.'),
    round: optional(count, 'The round.'),
    outcome: optional({ type: 'choice', values: ['succeeded', 'unknown'] }, 'What stands.'),
  },
};

const expectation: ObjectShape = {
  type: 'object',
  fields: {
    status: optional({ type: 'choice', values: statuses }, 'Status at the end.'),
    calls: optional({ type: 'list', of: text }, 'Every call in order, retries and hooks included.'),
    standing: optional(
      { type: 'list', of: { type: 'either', options: [name, ref('Effect')], expected: 'a node id or an effect' } },
      'All effects that stand at the end.',
    ),
    result: optional(json, 'The result.'),
    failedNodeId: optional(text, 'The node that failed.'),
    reason: optional(text, 'Why it failed.'),
  },
};

/** The shape of a scenario in its own form. */
export const scenarioShape: ObjectShape = {
  type: 'object',
  extensible: true,
  fields: {
    $schema: optional(text, 'For editors.'),
    name: optional(text, 'A name for people.'),
    description: optional(text, 'What the scenario shows.'),
    startedAt: optional(text, 'Virtual time of the start, ISO 8601 with offset.'),
    payload: optional(object, 'What the execution is started with; {} when left out.'),
    labels: optional(texts, 'Labels of the execution.'),
    vars: optional(texts, 'Variables that templates see as vars.<NAME>.'),
    nodes: optional({ type: 'map', of: { type: 'list', of: ref('Answer'), minItems: 1 } }, 'Answers by node.'),
    actions: optional({ type: 'list', of: action }, 'What people do meanwhile.'),
    expect: optional(ref('Expectation'), 'How it is to end.'),
  },
};

/** The shapes that {@link scenarioShape} refers to. */
export const scenarioShapes: ShapeBook = {
  Answer: { shape: answer, description: 'How one call is answered.' },
  Callback: { shape: callback, description: 'A callback.' },
  Effect: { shape: effect, description: 'An effect that stands.' },
  Expectation: { shape: expectation, description: 'How the execution is to end.' },
};
