/** Environment variables that resemble keys of Trama but are read by nothing. */
import { closest } from '../core/definition/problems.ts';
import { environmentName, keys } from './registry.ts';

/** Variables of the command line, beside the keys. */
const ownVariables: ReadonlySet<string> = new Set(['TRAMA_CONFIG', 'TRAMA_URL', 'TRAMA_API_KEY']);

/** Beginnings of whole families: variables of definitions, and what Kubernetes gives every pod for a service named `trama`. */
const families: readonly string[] = ['TRAMA_VAR_', 'TRAMA_SERVICE_', 'TRAMA_PORT'];

/** Shorter names resemble too many others. */
const minLength = 9;

/** A sentence for each. `secretPrefix` is that of secrets in the environment (`secrets.envPrefix`). */
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
