import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Yaml from 'yaml';
import { errorCode, expand, type Surroundings } from './expand.ts';
import { findLegacyKey, findLegacyVariable } from './legacy-keys.ts';
import { isRecord } from './kinds.ts';
import { nearest } from './nearest.ts';
import { environmentName, findKey, keys } from './registry.ts';

/** One untyped value for one key. */
export interface Assignment {
  readonly path: string;
  readonly raw: unknown;
  /** For people: `file trama.yaml`, `environment variable PORT`, `flag --port`. */
  readonly source: string;
}

/** The assignments of one source; later sources override earlier ones. */
export interface Gathered {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly string[];
}

/** A value given on the command line. `flag` is the flag's name, for messages. */
export interface FlagValue {
  readonly path: string;
  readonly value: string;
  readonly flag: string;
}

const knownPaths: readonly string[] = keys.map((key) => key.path);

function isKnown(path: string): boolean {
  return findKey(path) !== undefined || findLegacyKey(path) !== undefined;
}

function unknownKey(path: string, source: string): string {
  const hint = nearest(path, knownPaths);
  return `${path} (from ${source}) is not a key of Trama${hint === undefined ? '' : `; did you mean ${hint}?`}.`;
}

/** Default name of the configuration file. */
const defaultFileName = 'trama.yaml';

/** Environment variable with the path of the configuration file. */
const fileVariable = 'TRAMA_CONFIG';

const variablePrefix = 'TRAMA_VAR_';

const load = createRequire(import.meta.url);

/**
 * Reads the configuration file: the one of the flag, else of `TRAMA_CONFIG`, else `trama.yaml` in `directory` if it
 * exists. A named file that cannot be read is a problem.
 */
export function readConfigFile(named: string | undefined, directory: string, surroundings: Surroundings): Gathered {
  const asked = named ?? (surroundings.env[fileVariable] || undefined);
  const path = asked ?? join(directory, defaultFileName);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (asked === undefined && errorCode(error) === 'ENOENT') return { assignments: [], problems: [] };
    const by = named === undefined && asked !== undefined ? `, which ${fileVariable} names,` : '';
    return { assignments: [], problems: [`The configuration file ${path}${by} cannot be read (${errorCode(error)}).`] };
  }
  return parseConfigFile(text, asked ?? defaultFileName, surroundings);
}

function readYaml(text: string): { readonly root: unknown } | { readonly errors: readonly string[] } {
  // The file may contain secrets, so messages include neither the quoted lines nor the name of an alias, which may be a
  // password that begins with `*`.
  const first = (message: string): string =>
    message
      .replace(/^(Unresolved alias[^:]*):.*$/s, '$1')
      .split('\n', 1)[0]
      ?.replace(/:$/, '') ?? message;
  try {
    // Loaded where there is a file: it takes a MiB and seventy modules.
    const { parseDocument } = load('yaml') as typeof Yaml;
    const document = parseDocument(text, { prettyErrors: true });
    if (document.errors.length > 0) return { errors: document.errors.map(({ message }) => first(message)) };
    const root: unknown = document.toJS();
    // Fails for a value that contains itself through an alias.
    JSON.stringify(root);
    return { root };
  } catch (error) {
    // Too many aliases, too deep nesting, or a value that contains itself.
    return { errors: [first(error instanceof Error ? error.message : String(error))] };
  }
}

/**
 * Removes empty texts from a value of the file; they count as not set, because `${VAR:-}` is empty if the variable is
 * not set. Keeps texts inside maps, since a variable of `vars` may be empty. Undefined if nothing is left.
 */
function withoutBlanks(value: unknown): unknown {
  if (value === '') return undefined;
  return Array.isArray(value) ? value.filter((item) => item !== '') : value;
}

/** Reads the text of a configuration file. `name` is for messages. Empty texts count as not set. */
export function parseConfigFile(text: string, name: string, surroundings: Surroundings): Gathered {
  const source = `file ${name}`;
  const read = readYaml(text);
  if ('errors' in read) {
    return { assignments: [], problems: read.errors.map((error) => `The file ${name} is not YAML: ${error}.`) };
  }
  const assignments: Assignment[] = [];
  const problems: string[] = [];

  const resolve = (path: string, value: unknown): unknown => {
    if (typeof value === 'string') {
      const expanded = expand(value, surroundings);
      if ('text' in expanded) return expanded.text;
      problems.push(...expanded.problems.map((problem) => `${path} (from ${source}) ${problem}.`));
      return undefined;
    }
    if (Array.isArray(value)) return value.map((item) => resolve(path, item));
    if (!isRecord(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(path, item)]));
  };

  const walk = (group: Readonly<Record<string, unknown>>, prefix: string): void => {
    for (const [name, value] of Object.entries(group)) {
      const path = prefix === '' ? name : `${prefix}.${name}`;
      const isGroup = knownPaths.some((known) => known.startsWith(`${path}.`));
      if (isKnown(path) && !(isGroup && isRecord(value))) {
        // As in definitions, null counts as absent.
        if (value === null) continue;
        if (assignments.some((earlier) => earlier.path === path)) {
          problems.push(`${path} (from ${source}) is set twice, nested and with dots; remove one of them.`);
          continue;
        }
        if (findKey(path) === undefined) {
          // Nothing reads the value, so its placeholders are not expanded.
          assignments.push({ path, raw: undefined, source });
          continue;
        }
        const before = problems.length;
        const raw = withoutBlanks(resolve(path, value));
        if (problems.length === before && raw !== undefined) assignments.push({ path, raw, source });
      } else if (!isGroup) {
        problems.push(unknownKey(path, source));
      } else if (isRecord(value)) {
        walk(value, path);
      } else if (value !== null) {
        problems.push(`${path} (from ${source}) is a group of keys and cannot have a value of its own.`);
      }
    }
  };

  const { root } = read;
  if (isRecord(root)) walk(root, '');
  else if (root !== null && root !== undefined) problems.push(`The file ${name} must hold keys with values.`);
  return { assignments, problems };
}

/**
 * Reads the values of environment variables. An empty variable counts as not set, but an empty secret is a problem,
 * since it was probably meant to have a value. Ignores variables that match no key.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Gathered {
  const assignments: Assignment[] = [];
  const add = (path: string, variable: string): void => {
    const raw = env[variable];
    if (raw === undefined || (raw === '' && findKey(path)?.spec.secret !== true)) return;
    assignments.push({ path, raw, source: `environment variable ${variable}` });
  };
  add('server.host', 'HOST');
  add('server.port', 'PORT');
  for (const path of knownPaths) add(path, environmentName(path));
  for (const [variable, raw] of Object.entries(env)) {
    const legacy = raw === undefined || raw === '' ? undefined : findLegacyVariable(variable);
    if (legacy === undefined) continue;
    const path = legacy.path.replace(/\*$/, '');
    assignments.push({ path, raw: undefined, source: `environment variable ${variable}` });
  }
  return { assignments, problems: [] };
}

/** Reads single variables from the environment (`TRAMA_VAR_<NAME>`), each with its source. */
export function readVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly (Assignment & { raw: string })[] {
  return Object.entries(env).flatMap(([variable, raw]) =>
    raw !== undefined && variable.startsWith(variablePrefix) && variable.length > variablePrefix.length
      ? [{ path: variable.slice(variablePrefix.length), raw, source: `environment variable ${variable}` }]
      : [],
  );
}

/** Reads the values of flags. */
export function readFlags(flags: readonly FlagValue[]): Gathered {
  const problems = flags.filter(({ path }) => !isKnown(path)).map(({ path, flag }) => unknownKey(path, `flag ${flag}`));
  const byPath = Map.groupBy(flags, ({ path }) => path);
  for (const [path, [first, second]] of byPath) {
    if (first === undefined || second === undefined) continue;
    problems.push(`${path} is given twice, by flag ${first.flag} and by flag ${second.flag}; give one of them.`);
  }
  const assignments = flags
    .filter(({ path }) => isKnown(path))
    .map(({ path, value, flag }) => ({ path, raw: value, source: `flag ${flag}` }));
  return { assignments, problems };
}
