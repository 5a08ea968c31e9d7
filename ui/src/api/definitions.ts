import { type Json, ownProperty, stringifyJson } from '../../../src/core/value/json.ts';
import { instantAt, objectOf, textAt } from './reading.ts';

/** A stored definition. */
export interface StoredDefinition {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly createdAt?: number | undefined;
  readonly description?: string | undefined;
  /** The definition as it was submitted, as JSON text; undefined in lists without it. */
  readonly text?: string | undefined;
}

/** Reads a record of a definition. */
export function readDefinition(json: Json): StoredDefinition {
  const value = objectOf(json);
  const definition = ownProperty(value, 'definition');
  return {
    id: textAt(value, 'id') ?? '',
    name: textAt(value, 'name') ?? '',
    version: textAt(value, 'version') ?? '',
    hash: textAt(value, 'hash') ?? '',
    createdAt: instantAt(value, 'createdAt'),
    description: textAt(value, 'description') ?? textAt(objectOf(definition), 'description'),
    ...(definition !== undefined && { text: stringifyJson(definition) }),
  };
}
