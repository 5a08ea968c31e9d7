/**
 * Builders of JSON Schema, for Ajv and the OpenAPI document alike: a plain object per schema, and `required` made from what is
 * not optional. No more than the API's own shapes need. Meant to be imported as a whole: `shape.object({ id: shape.string() })`.
 */

/** Marks a property that may be left out. A symbol, so that it is in no JSON; it is copied with the object. */
const mayBeAbsent: unique symbol = Symbol('may be absent');

/** A schema. */
export interface Schema {
  readonly [keyword: string]: unknown;
  readonly [mayBeAbsent]?: true;
}

/** A schema of one type. */
export interface TypedSchema extends Schema {
  readonly type: string;
}

/** Keywords of a schema besides its type, such as `description` and `minimum`. */
type Keywords = Readonly<Record<string, unknown>>;

/** A text. */
export function string(keywords?: Keywords): TypedSchema {
  return { type: 'string', ...keywords };
}

/** An integer. */
export function integer(keywords?: Keywords): TypedSchema {
  return { type: 'integer', ...keywords };
}

/** A number. */
export function number(keywords?: Keywords): TypedSchema {
  return { type: 'number', ...keywords };
}

/** True or false. */
export function boolean(keywords?: Keywords): TypedSchema {
  return { type: 'boolean', ...keywords };
}

/** Any value that is JSON. */
export function any(keywords?: Keywords): Schema {
  return { ...keywords };
}

/** One of these texts. */
export function oneOf(texts: readonly string[]): Schema {
  return { enum: texts };
}

/** What fits at least one of these. */
export function anyOf(schemas: readonly Schema[], keywords?: Keywords): Schema {
  return { anyOf: schemas, ...keywords };
}

/** What fits, or null. */
export function orNull(schema: Schema): Schema {
  return anyOf([schema, { type: 'null' }]);
}

/** An array of these. */
export function array(items: Schema, keywords?: Keywords): TypedSchema {
  return { type: 'array', items, ...keywords };
}

/** Texts by names of any kind. */
export function texts(): TypedSchema {
  return { type: 'object', additionalProperties: string() };
}

/** An object with these properties, of which those that are not {@link optional} are required; others pass unless `keywords` forbid them. */
export function object(properties: Readonly<Record<string, Schema>>, keywords?: Keywords): TypedSchema {
  const required = Object.keys(properties).filter((name) => properties[name]?.[mayBeAbsent] !== true);
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...keywords };
}

/** The same, of a property that may be left out. */
export function optional<S extends Schema>(schema: S): S {
  return { ...schema, [mayBeAbsent]: true };
}
