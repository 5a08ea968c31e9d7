import { isJsonObject, ownProperty, type Json } from '../value/json.ts';

/** The text of a template, given as a string or as `{ "value": string }`; undefined for any other value. */
export function templateText(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (!isJsonObject(value) || Object.keys(value).length !== 1) return undefined;
  const text = ownProperty(value, 'value');
  return typeof text === 'string' ? text : undefined;
}
