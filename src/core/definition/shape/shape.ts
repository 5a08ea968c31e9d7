/**
 * The shape of a definition, or of a part of it, as data. The validation (`shape-check.ts`) and the JSON Schema for
 * editors and OpenAPI (`json-schema.ts`) are both derived from shapes, so they cannot diverge. Rules beyond the
 * structure (references, templates, the graph) are checked elsewhere.
 */
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
  /** `ifObject`: the option that reports what is wrong with an object. */
  | {
      readonly type: 'either';
      readonly options: readonly Shape[];
      readonly expected: string;
      readonly ifObject?: Shape;
    }
  | ObjectShape
  | TaggedShape
  /** A reference to another shape of the same {@link ShapeBook}. */
  | { readonly type: 'ref'; readonly name: string };

/** A string that is not blank and holds neither control characters nor unpaired surrogates: a name or an id. */
export interface TextShape {
  readonly type: 'text';
  /** Maximum length, in code points. */
  readonly maxLength?: number;
  /** Forbidden values, each with the reason. */
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
  /** What the number means, for error messages: `a time in milliseconds`. */
  readonly meaning?: string;
}

/** A list whose elements all have the same shape. */
export interface ListShape {
  readonly type: 'list';
  readonly of: Shape;
  readonly minItems?: number;
  /** Whether the list must not contain equal strings. */
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
  /** Groups of fields of which exactly one must be present. */
  readonly exactlyOneOf?: readonly (readonly string[])[];
  /**
   * For a field that is present, the fields that must be present with it (`requires`) or must be absent (`excludes`).
   */
  readonly requires?: Readonly<Record<string, readonly string[]>>;
  readonly excludes?: Readonly<Record<string, readonly string[]>>;
}

/** An object whose field `tag` selects the variant that defines its other fields. */
export interface TaggedShape {
  readonly type: 'tagged';
  readonly tag: string;
  readonly description: string;
  readonly variants: Readonly<Record<string, ObjectShape>>;
}

/** Named shapes that refer to one another. */
export type ShapeBook = Readonly<Record<string, { readonly shape: Shape; readonly description: string }>>;
