import type { Field, ObjectShape, Shape } from './shape.ts';

/** Maximum of durations in a definition, in milliseconds: a thousand years, which every date library can represent. */
export const maxMillis = 31_557_600_000_000;

/** Maximum length of a node id or step name, in characters. */
const maxIdLength = 128;

/** A field that may be absent. */
export const optional = (shape: Shape, description: string): Field => ({ shape, description });

/** A field that must be present. */
export const required = (shape: Shape, description: string): Field => ({ shape, description, required: true });

/** A reference to another shape of the book. */
export const ref = (name: string): Shape => ({ type: 'ref', name });

const reservedIds = { ['__proto__']: 'cannot be used as a name here' };

/** The id of a node, or the name of a step. */
export const id: Shape = { type: 'text', maxLength: maxIdLength, except: reservedIds };

/** A reference to a node. */
export const reference: Shape = { type: 'text' };

/** A duration of at least one millisecond. */
export const millis: Shape = { type: 'integer', min: 1, max: maxMillis, meaning: 'a time in milliseconds' };

/** A template that must not be blank. */
export const template: Shape = { type: 'template', mayBeBlank: false };

/** A template that must not be blank, or a value that is computed. */
export const templateOrValue: Shape = {
  type: 'either',
  options: [
    template,
    { type: 'object', fields: { $logic: { shape: { type: 'json' }, description: 'JSON Logic.', required: true } } },
    { type: 'object', fields: { $literal: { shape: { type: 'json' }, description: 'As it stands.', required: true } } },
  ],
  expected: 'a template, which is a string, or a value such as { "$logic": … }',
};

/** Any JSON value. */
export const json: Shape = { type: 'json' };

/** The field `next` of a node. */
export const next: Field = optional(
  reference,
  'Id of the node that follows; without it the run, or its branch, ends here.',
);

const nodeId = required(id, 'Unique id of the node, at most 128 characters; best of A-Z, a-z, 0-9, _ and -.');

/** The object of a node in a document: the fields of its kind beside `kind` and `id`. */
export function nodeShape(
  fields: ObjectShape['fields'],
  rules: Pick<ObjectShape, 'exactlyOneOf' | 'requires' | 'excludes'> = {},
): ObjectShape {
  return { type: 'object', extensible: true, ...rules, fields: { id: nodeId, ...fields } };
}
