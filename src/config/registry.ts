/** All keys, in the order in which people read them, and the names that belong to them. */
import type { ConfigPath, ConfigValue } from './config.ts';
import type { AnyKey, KeySpec } from './key.ts';
import { circuitBreakerKeys } from './keys/circuit-breaker.ts';
import { databaseKeys } from './keys/database.ts';
import { httpKeys } from './keys/http.ts';
import { redisKeys } from './keys/redis.ts';
import { runtimeKeys } from './keys/runtime.ts';
import { serverKeys } from './keys/server.ts';
import { telemetryKeys } from './keys/telemetry.ts';

// Does not compile when a key of `Config` is missing here or has a kind of another type.
const specs: { readonly [P in ConfigPath]: KeySpec<ConfigValue<P>> } = {
  ...serverKeys,
  ...runtimeKeys,
  ...databaseKeys,
  ...redisKeys,
  ...httpKeys,
  ...circuitBreakerKeys,
  ...telemetryKeys,
};

/** The order of sections on the reference page and in `trama config`. */
const sections = [
  'server',
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

/** Every key of this build, sections in reading order. */
export const keys: readonly AnyKey[] = (Object.entries(specs) as [ConfigPath, KeySpec<unknown>][])
  .map(([path, spec]) => ({ path, spec }))
  .toSorted((a, b) => sections.indexOf(sectionOf(a.path)) - sections.indexOf(sectionOf(b.path)));

/** The key of a path, or undefined when there is none. */
export function findKey(path: string): AnyKey | undefined {
  return Object.hasOwn(specs, path)
    ? { path: path as ConfigPath, spec: specs[path as ConfigPath] as KeySpec<unknown> }
    : undefined;
}

/** The environment variable of a key: the path in capitals, dots as underscores. */
export function environmentName(path: string): string {
  return path.toUpperCase().replaceAll('.', '_');
}
