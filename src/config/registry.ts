import type { ConfigPath, ConfigValue } from './config.ts';
import type { AnyKey, KeySpec } from './key.ts';
import { circuitBreakerKeys } from './keys/circuit-breaker.ts';
import { databaseKeys } from './keys/database.ts';
import { httpKeys } from './keys/http.ts';
import { redisKeys } from './keys/redis.ts';
import { runtimeKeys } from './keys/runtime.ts';
import { serverKeys } from './keys/server.ts';
import { telemetryKeys } from './keys/telemetry.ts';
import { uiKeys } from './keys/ui.ts';

// Does not compile if a key of `Config` is missing or has a kind of another type.
const specs: { readonly [P in ConfigPath]: KeySpec<ConfigValue<P>> } = {
  ...serverKeys,
  ...runtimeKeys,
  ...databaseKeys,
  ...redisKeys,
  ...httpKeys,
  ...circuitBreakerKeys,
  ...telemetryKeys,
  ...uiKeys,
};

/** Sections in the order of the reference page and of `trama config`. */
const sections = [
  'server',
  'ui',
  'runtime',
  'database',
  'redis',
  'http',
  'circuitBreaker',
  'hooks',
  'vars',
  'secrets',
  'metrics',
  'telemetry',
  'maintenance',
  'security',
  'logging',
];

/** The top-level section of a path. */
export function sectionOf(path: string): string {
  return path.split('.', 1)[0] ?? path;
}

/** Every key, in the order of sections. */
export const keys: readonly AnyKey[] = (Object.entries(specs) as [ConfigPath, KeySpec<unknown>][])
  .map(([path, spec]) => ({ path, spec }))
  .toSorted((a, b) => sections.indexOf(sectionOf(a.path)) - sections.indexOf(sectionOf(b.path)));

/** The key with this path; undefined if it does not exist. */
export function findKey(path: string): AnyKey | undefined {
  return Object.hasOwn(specs, path)
    ? { path: path as ConfigPath, spec: specs[path as ConfigPath] as KeySpec<unknown> }
    : undefined;
}

/** The environment variable of a key: the path in upper case with underscores for dots. */
export function environmentName(path: string): string {
  return path.toUpperCase().replaceAll('.', '_');
}
