import { keysOfPath } from '../../../../src/core/template/path-keys.ts';
import { isJsonObject, type Json, ownProperty } from '../../../../src/core/value/json.ts';

/** The keys of a path within the payload; none if it is no path. */
function keysOf(path: string): readonly string[] {
  const read = keysOfPath(path);
  return 'keys' in read ? read.keys : [];
}

/** What is under construction: an object without a prototype, so that every key is an ordinary one. */
type Made = Record<string, unknown>;

const made = (): Made => Object.create(null) as Made;

/** A payload that has every required path, each with an empty text. A path into a list makes a list of one item. */
export function templateOf(paths: readonly string[]): Json {
  const payload = made();
  for (const path of paths) {
    const keys = keysOf(path);
    let at: Made = payload;
    for (const [index, key] of keys.entries()) {
      const next = keys[index + 1];
      if (next === undefined) at[key] ??= '';
      else {
        if (typeof at[key] !== 'object' || at[key] === null) at[key] = next === '0' ? [] : made();
        at = at[key] as Made;
      }
    }
  }
  return payload as Json;
}

/** Required paths that a payload lacks, or has as null. An empty text is there, as for the server. */
export function missingPaths(payload: Json, paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    let value: Json | undefined = payload;
    for (const key of keysOf(path)) {
      if (Array.isArray(value)) value = (value as readonly Json[])[Number(key)];
      else value = value !== undefined && isJsonObject(value) ? ownProperty(value, key) : undefined;
    }
    return value === undefined || value === null;
  });
}
