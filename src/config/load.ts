import { hostname } from 'node:os';
import {
  parseConfigFile,
  readConfigFile,
  readEnvironment,
  readFlags,
  readVariables,
  type Assignment,
  type FlagValue,
  type Gathered,
} from './assignments.ts';
import type { Config, ConfigPath } from './config.ts';
import type { AnyKey, ReadValue } from './key.ts';
import { duplicateKeyIn } from '../core/value/unique-json.ts';
import { isRecord, unreadable } from './kinds.ts';
import { findLegacyKey } from './legacy-keys.ts';
import { findKey, keys } from './registry.ts';
import { rules } from './rules.ts';
import { unreadVariables } from './unread-variables.ts';

/** Sources of the configuration. The caller provides the environment; only the command line reads the real one. */
export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly FlagValue[];
  /** Path given with `--config`. */
  readonly configFile?: string;
  /** Text of a file to use instead of one on disk; `name` is for messages. */
  readonly fileText?: { readonly text: string; readonly name: string };
  /** Directory of `trama.yaml`; the working directory by default. */
  readonly directory?: string;
}

/** A value in force, formatted for display. */
export interface EffectiveValue {
  readonly path: ConfigPath;
  /** `***` for secrets that are set. */
  readonly value: unknown;
  /** `default`, or the sources as in messages. */
  readonly source: string;
}

/** The outcome of loading. Warnings do not prevent a start. */
export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly warnings: readonly string[];
      readonly effective: readonly EffectiveValue[];
    }
  | { readonly ok: false; readonly problems: readonly string[]; readonly warnings: readonly string[] };

/** Shown in place of secrets. */
const mask = '***';

/**
 * Loads the configuration: defaults < file < environment < flags. Collects every problem, each as a sentence that names
 * the key and the source of its value. Reads files but has no other side effects; never throws.
 */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const surroundings = { env: input.env, hostname: hostname() };
  const file =
    input.fileText === undefined
      ? readConfigFile(input.configFile, input.directory ?? '.', surroundings)
      : parseConfigFile(input.fileText.text, input.fileText.name, surroundings);
  const gathered: Gathered[] = [file, readEnvironment(input.env), readFlags(input.flags ?? [])];
  const assignments = gathered.flatMap((source) => source.assignments);

  const values = new Map<ConfigPath, { readonly value: unknown; readonly source: string }>();
  const warnings = ignoredKeys(assignments);
  const problems = gathered.flatMap((source) => source.problems);

  for (const { path, raw, source } of assignments) {
    const key = findKey(path);
    if (key === undefined) continue;
    const value = key.spec.kind.read(raw);
    if (value === unreadable) problems.push(wrongValue(key, raw, source));
    else values.set(key.path, { value, source });
  }
  addVariables(readVariables(input.env), values);
  addDefaults(values);
  if (problems.length > 0) return { ok: false, problems, warnings };

  const config = nest(values);
  warnings.push(...unreadVariables(input.env, config.secrets.envPrefix));
  const origin = (path: string): string => {
    const source = values.get(path as ConfigPath)?.source ?? 'default';
    return source === 'default' ? 'the default' : `from ${source}`;
  };
  for (const rule of rules) {
    (rule.severity === 'problem' ? problems : warnings).push(...rule.check(config, origin));
  }
  if (problems.length > 0) return { ok: false, problems, warnings };
  return { ok: true, config, warnings, effective: keys.map((key) => effectiveValue(key, values)) };
}

/** A sentence for each key that has no effect; the last source of a path counts. */
function ignoredKeys(assignments: readonly Assignment[]): string[] {
  const last = new Map(assignments.filter((a) => findKey(a.path) === undefined).map((a) => [a.path, a.source]));
  return [...last].map(([path, source]) => {
    const instead = findLegacyKey(path)?.instead ?? '';
    return `${path} (from ${source}) is a key of existing Trama and is ignored. ${instead}`.trimEnd();
  });
}

function wrongValue({ path, spec }: AnyKey, raw: unknown, source: string): string {
  const twice = typeof raw === 'string' ? duplicateKeyIn(raw) : undefined;
  if (twice !== undefined) return `${path} (from ${source}) is JSON that names a key twice: ${twice}`;
  const shown = spec.secret === true ? (raw === '' ? ', and it is empty' : '') : `, not ${shorten(raw)}`;
  return `${path} (from ${source}) must be ${spec.kind.expected}${shown}.`;
}

/** Formats a value for messages, without user information, which may contain a password. */
function shorten(raw: unknown): string {
  const text = JSON.stringify(withoutUserInformation(raw)) ?? String(raw);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/**
 * Masks everything before the last `@` of each text, except the scheme of a URL. Includes names of maps, which may be
 * hosts.
 */
function withoutUserInformation(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/^((?:[a-z][a-z\d+.-]*:)?\/\/)?.*@/is, '$1***@');
  if (Array.isArray(value)) return value.map((item) => withoutUserInformation(item));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [withoutUserInformation(name), withoutUserInformation(item)]),
  );
}

type Values = Map<ConfigPath, { readonly value: unknown; readonly source: string }>;

/** Single variables override the map of the file or of `VARS`, name by name. */
function addVariables(variables: readonly (Assignment & { readonly raw: string })[], values: Values): void {
  if (variables.length === 0) return;
  const map = values.get('vars');
  values.set('vars', {
    value: Object.freeze({
      ...(map?.value as Record<string, string> | undefined),
      ...Object.fromEntries(variables.map(({ path, raw }) => [path, raw])),
    }),
    source: [...(map === undefined ? [] : [map.source]), ...variables.map(({ source }) => source)].join(', '),
  });
}

function addDefaults(values: Values): void {
  for (const { path, spec } of keys) {
    if (!values.has(path) && 'default' in spec) values.set(path, { value: spec.default, source: 'default' });
  }
  const read = ((path: ConfigPath) => values.get(path)?.value) as ReadValue;
  for (const { path, spec } of keys) {
    if (!values.has(path) && 'derived' in spec) values.set(path, { value: spec.derived.from(read), source: 'default' });
  }
}

/** Nests dotted paths into frozen objects; the value of a path that is also a group becomes its `isOn`. */
function nest(values: Values): Config {
  const root: Record<string, unknown> = {};
  const groups = new Set([...values.keys()].map((path) => path.slice(0, Math.max(0, path.lastIndexOf('.')))));
  for (const [path, { value }] of values) {
    const parts = path.split('.');
    const last = parts.pop() ?? path;
    let group = root;
    for (const part of parts) group = (group[part] ??= {}) as Record<string, unknown>;
    if (groups.has(path)) ((group[last] ??= {}) as Record<string, unknown>)['isOn'] = value;
    else group[last] = value;
  }
  // The registry has a key of the right type for every path of Config, and every key has a value by now.
  return freezeDeep(root) as unknown as Config;
}

function freezeDeep<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) freezeDeep(inner as object);
  return Object.freeze(value);
}

function effectiveValue({ path, spec }: AnyKey, values: Values): EffectiveValue {
  const { value, source } = values.get(path) ?? { value: undefined, source: 'default' };
  const isSet = value !== undefined && !(Array.isArray(value) && value.length === 0);
  return { path, value: spec.secret === true && isSet ? mask : value, source };
}
