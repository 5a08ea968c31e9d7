/**
 * Reads answers of the API without trusting their form: what is absent or of another kind becomes undefined or empty, so
 * that a newer or older server never breaks a page. Words of enumerations stay texts.
 */
import { isJsonObject, isRawNumber, type Json, type JsonObject, ownProperty } from '../../../src/core/value/json.ts';

/** An object; empty if the value is none. */
export function objectOf(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}

/** A field that is a list; empty if it is none. */
export function listAt(value: JsonObject, name: string): readonly Json[] {
  const field = ownProperty(value, name);
  return Array.isArray(field) ? (field as readonly Json[]) : [];
}

/** A field that is an object; undefined if it is none. */
export function objectAt(value: JsonObject, name: string): JsonObject | undefined {
  const field = ownProperty(value, name);
  return field !== undefined && isJsonObject(field) ? field : undefined;
}

/** A field that is a text; undefined if it is none. */
export function textAt(value: JsonObject, name: string): string | undefined {
  const field = ownProperty(value, name);
  return typeof field === 'string' ? field : undefined;
}

/** A field that is a number; undefined if it is none. */
export function numberAt(value: JsonObject, name: string): number | undefined {
  const field = ownProperty(value, name);
  if (typeof field === 'number') return field;
  return isRawNumber(field) ? Number(field.rawJSON) : undefined;
}

/** A field that is true or false; false if it is neither. */
export function flagAt(value: JsonObject, name: string): boolean {
  return ownProperty(value, name) === true;
}

/** A field that is an instant, in milliseconds since 1970; undefined if it is none. */
export function instantAt(value: JsonObject, name: string): number | undefined {
  const at = Date.parse(textAt(value, name) ?? '');
  return Number.isNaN(at) ? undefined : at;
}
