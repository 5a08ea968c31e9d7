import { closest } from '../core/definition/problems.ts';
import { environmentName, keys } from './registry.ts';

/** Variables of the command line, besides the keys. */
const ownVariables: ReadonlySet<string> = new Set(['TRAMA_CONFIG', 'TRAMA_URL', 'TRAMA_API_KEY']);

/**
 * Prefixes of variable families: those of definitions, and those that Kubernetes gives every pod for a service named
 * `trama`.
 */
const families: readonly string[] = ['TRAMA_VAR_', 'TRAMA_SERVICE_', 'TRAMA_PORT'];

/** Shorter names resemble too many others. */
const minLength = 9;

/**
 * A warning for each environment variable that resembles a key of Trama but has no effect. `secretPrefix` is the prefix
 * of secrets (`secrets.envPrefix`).
 */
export function unreadVariables(
  env: Readonly<Record<string, string | undefined>>,
  secretPrefix: string,
): readonly string[] {
  const known = [...keys.map(({ path }) => environmentName(path)), ...ownVariables];
  const names = new Set(known);
  return Object.keys(env).flatMap((name) => {
    if (env[name] === undefined || names.has(name) || name.length < minLength) return [];
    if (name.startsWith(secretPrefix) || families.some((family) => name.startsWith(family))) return [];
    const meant = closest(name, known);
    if (meant === undefined && !name.startsWith('TRAMA_')) return [];
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    return [`Nothing reads the environment variable ${name}${hint}${hint === '' ? '.' : ''}`];
  });
}
