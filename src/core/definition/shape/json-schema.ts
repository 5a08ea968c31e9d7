import { isJsonObject, type Json, type JsonObject } from '../../value/json.ts';
import { defaultDefinitionLimits, type DefinitionLimits } from '../limits.ts';
import { callShapeWithin } from './call-shape.ts';
import { documentShape, shapeBook } from './document-shape.ts';
import type { Field, ObjectShape, Shape, TaggedShape } from './shape.ts';

/**
 * The JSON Schema (draft 2020-12) of definitions, for editors and OpenAPI. It is generated from the same shapes as the
 * validation and accepts exactly the documents whose structure is valid; it does not cover references between nodes,
 * templates and conditions.
 *
 * @param limits bounds of `maxNodeVisits` and of the `timeoutMillis` of a call; default limits if absent.
 */
export function definitionJsonSchema(
  limits: Pick<DefinitionLimits, 'maxNodeVisitsCap' | 'maxTimeoutMillis'> = defaultDefinitionLimits,
): JsonObject {
  const definitions = Object.entries(shapeBook()).map(([name, { shape, description }]): [string, Json] => [
    name,
    { description, ...schemaOf(name === 'HttpCall' ? callShapeWithin(limits.maxTimeoutMillis) : shape) },
  ]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Trama definition',
    description: 'A saga: steps in a row, or a graph of nodes, made of HTTP calls with compensations.',
    ...schemaOf(documentShape(limits.maxNodeVisitsCap)),
    $defs: Object.fromEntries(definitions),
  };
}

function schemaOf(shape: Shape): JsonObject {
  switch (shape.type) {
    case 'json':
      return {};
    case 'string':
      return { type: 'string' };
    case 'boolean':
      return { type: 'boolean' };
    case 'text': {
      const length = shape.maxLength === undefined ? {} : { maxLength: shape.maxLength };
      const text = { type: 'string', ...length, pattern: '^(?=[^]*\\S)[^\\p{Cc}\\p{Cs}]*$' };
      return shape.except === undefined ? text : { ...text, not: { enum: Object.keys(shape.except) } };
    }
    case 'template': {
      const text: JsonObject = shape.mayBeBlank ? { type: 'string' } : { type: 'string', pattern: '\\S' };
      const wrapped = { type: 'object', required: ['value'], properties: { value: text }, additionalProperties: false };
      return { anyOf: [text, wrapped] };
    }
    case 'integer':
    case 'number':
      return { type: shape.type, minimum: shape.min, maximum: shape.max };
    case 'choice':
      return { enum: shape.values };
    case 'list':
      return {
        type: 'array',
        items: schemaOf(shape.of),
        ...(shape.minItems === undefined ? {} : { minItems: shape.minItems }),
        ...(shape.distinct === true ? { uniqueItems: true } : {}),
      };
    case 'map':
      return { type: 'object', additionalProperties: orNull(schemaOf(shape.of)) };
    case 'either':
      return { anyOf: shape.options.map(schemaOf) };
    case 'object':
      return objectSchema(shape);
    case 'tagged':
      return taggedSchema(shape);
    case 'ref':
      return { $ref: `#/$defs/${shape.name}` };
    default:
      return shape satisfies never;
  }
}

/** One subschema per tag; with `if` and `then`, editors report and complete only the variant that the tag selects. */
function taggedSchema(shape: TaggedShape): JsonObject {
  const tags = Object.keys(shape.variants);
  return {
    type: 'object',
    required: [shape.tag],
    properties: { [shape.tag]: { description: shape.description, enum: tags } },
    allOf: Object.entries(shape.variants).map(([tag, variant]) => {
      const foreign = Object.values(shape.variants).flatMap((other) => Object.keys(other.fields));
      const { properties, ...rest } = objectSchema(variant);
      const absent = foreign
        .filter((key) => !Object.hasOwn(variant.fields, key))
        .map((key): [string, Json] => [key, { type: 'null' }]);
      return {
        if: { properties: { [shape.tag]: { const: tag } }, required: [shape.tag] },
        // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
        then: {
          ...rest,
          properties: { [shape.tag]: { const: tag }, ...asObject(properties), ...Object.fromEntries(absent) },
        },
      };
    }),
  };
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function objectSchema(shape: ObjectShape): JsonObject {
  const fields = Object.entries(shape.fields);
  const rules = [
    ...(shape.exactlyOneOf ?? []).map((group): Json => ({ oneOf: group.map((key) => given(key)) })),
    ...dependencies(shape.requires, (key) => given(key)),
    ...dependencies(shape.excludes, (key) => ({ not: given(key) })),
  ];
  return {
    type: 'object',
    required: fields.flatMap(([key, field]) => (field.required === true ? [key] : [])),
    properties: Object.fromEntries(fields.map(([key, field]): [string, Json] => [key, fieldSchema(field)])),
    additionalProperties: false,
    ...(shape.extensible === true ? { patternProperties: { '^x-': {} } } : {}),
    ...(rules.length === 0 ? {} : { allOf: rules }),
  };
}

function fieldSchema(field: Field): JsonObject {
  const schema = schemaOf(field.shape);
  return {
    description: field.description,
    ...(field.required === true ? notNull(field.shape, schema) : orNull(schema)),
  };
}

/** A required field of arbitrary JSON must not be null, since null equals absence. */
function notNull(shape: Shape, schema: JsonObject): JsonObject {
  return shape.type === 'json' ? { not: { type: 'null' } } : schema;
}

/** Allows null as well, since null equals absence. */
function orNull(schema: JsonObject): JsonObject {
  if (Object.keys(schema).length === 0) return schema;
  const { type } = schema;
  return typeof type === 'string' ? { ...schema, type: [type, 'null'] } : { anyOf: [schema, { type: 'null' }] };
}

/** Matches objects in which the field is present and not null. */
function given(key: string): JsonObject {
  return { required: [key], properties: { [key]: { not: { type: 'null' } } } };
}

function dependencies(
  rule: Readonly<Record<string, readonly string[]>> | undefined,
  consequence: (key: string) => JsonObject,
): Json[] {
  return Object.entries(rule ?? {}).map(([key, others]) => ({
    if: given(key),
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { allOf: others.map(consequence) },
  }));
}
