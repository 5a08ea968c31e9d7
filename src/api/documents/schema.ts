/**
 * Builders of JSON Schema for Ajv and the OpenAPI document: one plain object per schema, with `required` derived from
 * the properties that are not optional. Covers only what the API's own shapes need. Import it as a namespace:
 * `shape.object({ id: shape.string() })`.
 */

/** Marks an optional property. A symbol stays out of JSON but is copied with the object. */
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

/** A string. */
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

/** Any JSON value. */
export function any(keywords?: Keywords): Schema {
  return { ...keywords };
}

/** One of these strings. */
export function oneOf(texts: readonly string[]): Schema {
  return { enum: texts };
}

/** One of these values. */
export function oneOfMixed(values: readonly (string | boolean)[], keywords?: Keywords): Schema {
  return { enum: values, ...keywords };
}

/** A value that matches at least one of these schemas. */
export function anyOf(schemas: readonly Schema[], keywords?: Keywords): Schema {
  return { anyOf: schemas, ...keywords };
}

/** A value that matches the schema, or null. */
export function orNull(schema: Schema): Schema {
  return anyOf([schema, { type: 'null' }]);
}

/** An array of such items. */
export function array(items: Schema, keywords?: Keywords): TypedSchema {
  return { type: 'array', items, ...keywords };
}

/** An object with strings under any names. */
export function texts(): TypedSchema {
  return { type: 'object', additionalProperties: string() };
}

/**
 * An object with these properties. All are required, except {@link optional} ones; others are allowed unless `keywords`
 * forbid them.
 */
export function object(properties: Readonly<Record<string, Schema>>, keywords?: Keywords): TypedSchema {
  const required = Object.keys(properties).filter((name) => properties[name]?.[mayBeAbsent] !== true);
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...keywords };
}

/** The same schema, for an optional property. */
export function optional<S extends Schema>(schema: S): S {
  return { ...schema, [mayBeAbsent]: true };
}
