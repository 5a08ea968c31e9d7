/**
 * A small language in which the shape of a definition is written down once, as data. The validation with its sentences
 * (`shape-check.ts`) and the JSON Schema for editors and OpenAPI (`json-schema.ts`) both read it, so they cannot drift.
 * What a shape cannot say (references, templates, the graph) is checked elsewhere.
 */

/** What a value may be. */
export type Shape =
  | TextShape
  | { readonly type: 'string' }
  | { readonly type: 'boolean' }
  | TemplateShape
  | NumberShape
  | { readonly type: 'choice'; readonly values: readonly string[] }
  | ListShape
  | { readonly type: 'map'; readonly of: Shape }
  /** Any JSON value. */
  | { readonly type: 'json' }
  | { readonly type: 'either'; readonly options: readonly Shape[]; readonly expected: string }
  | ObjectShape
  | TaggedShape
  /** Another shape of the same {@link ShapeBook}. */
  | { readonly type: 'ref'; readonly name: string };

/** A string that is not blank and holds neither control characters nor unpaired surrogates: a name or an id. */
export interface TextShape {
  readonly type: 'text';
  /** In code points. */
  readonly maxLength?: number;
  /** Values that are not allowed, each with the reason. */
  readonly except?: Readonly<Record<string, string>>;
}

/** A template: a string, or `{ "value": string }`. */
export interface TemplateShape {
  readonly type: 'template';
  /** Whether it may be blank. */
  readonly mayBeBlank: boolean;
}

/** A number within bounds, both inclusive. */
export interface NumberShape {
  readonly type: 'integer' | 'number';
  readonly min: number;
  readonly max: number;
  /** What the number is, for the sentence: `a time in milliseconds`. */
  readonly meaning?: string;
}

/** A list of equal shapes. */
export interface ListShape {
  readonly type: 'list';
  readonly of: Shape;
  readonly minItems?: number;
  /** Whether no two elements may be equal strings. */
  readonly distinct?: boolean;
}

/** A field of an object; `null` equals absence. */
export interface Field {
  readonly shape: Shape;
  readonly required?: boolean;
  readonly description: string;
}

/** An object with known fields; every other field is a problem. */
export interface ObjectShape {
  readonly type: 'object';
  readonly fields: Readonly<Record<string, Field>>;
  /** Whether fields whose names begin with `x-` are allowed, with any value. */
  readonly extensible?: boolean;
  /** Groups of fields of which exactly one must be there. */
  readonly exactlyOneOf?: readonly (readonly string[])[];
  /** Fields that must be there, or must not, when another one is. */
  readonly requires?: Readonly<Record<string, readonly string[]>>;
  readonly excludes?: Readonly<Record<string, readonly string[]>>;
}

/** An object whose field `tag` decides which other fields it has. */
export interface TaggedShape {
  readonly type: 'tagged';
  readonly tag: string;
  readonly description: string;
  readonly variants: Readonly<Record<string, ObjectShape>>;
}

/** Named shapes that refer to one another. */
export type ShapeBook = Readonly<Record<string, { readonly shape: Shape; readonly description: string }>>;
