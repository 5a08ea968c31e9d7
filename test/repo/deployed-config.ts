/** What a deployment sets, judged as the server itself would judge it. */
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts';
import { environmentName, keys } from '../../src/config/registry.ts';

/** Variables that the server reads besides those of keys. */
const others = ['PORT', 'HOST', 'TRAMA_CONFIG'];

const known = new Set([...keys.map(({ path }) => environmentName(path)), ...others]);

/** Variables of an environment that mean nothing to any build. */
export function unknownVariables(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(env).filter((name) => !known.has(name));
}

/** Leaves of a nested map, by dotted path. */
export function leavesOf(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, path === '' ? key : `${path}.${key}`));
}

/** Loads a deployment's file and environment; `TRAMA_CONFIG` names the file, which is given. */
export function loadDeployed(fileText: string, env: Readonly<Record<string, string>>): LoadedConfig {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'TRAMA_CONFIG'));
  return loadConfig({ env: own, fileText: { text: fileText, name: 'trama.yaml' } });
}
