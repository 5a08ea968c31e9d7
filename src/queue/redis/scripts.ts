import { readFileSync } from 'node:fs';

/** The number of keys of each script; undefined: the caller passes the number as the first argument. */
const numberOfKeys = {
  claim: 4,
  'claim-each': undefined,
  enqueue: undefined,
  restore: 3,
  'restore-held': 3,
  mark: 2,
  finish: undefined,
  renew: 3,
  'held-by': 1,
  count: 3,
  heartbeat: 3,
  leave: 3,
  ring: 1,
} as const;

/** The name of a script. */
export type ScriptName = keyof typeof numberOfKeys;

/** A client with the scripts as methods, which take keys, then arguments. */
export type Scripted = Readonly<Record<ScriptName, (...values: (string | number)[]) => Promise<unknown>>>;

interface ScriptDefinition {
  readonly lua: string;
  readonly numberOfKeys?: number;
}

/**
 * The scripts as an option of ioredis, which adds them to a client as methods ({@link Scripted}). Each file in
 * `scripts/` is one atomic step of the port and documents its input and its guarantees.
 *
 * Every script begins with `#!lua`: without it, a replica of a cluster would run the script on stale data instead of
 * answering `MOVED`. The scripts require Redis 7.0.
 */
export const scripts: Readonly<Record<ScriptName, ScriptDefinition>> = Object.fromEntries(
  Object.entries(numberOfKeys).map(([name, numberOfKeys]) => {
    const lua = readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
    return [name, numberOfKeys === undefined ? { lua } : { lua, numberOfKeys }];
  }),
) as Record<ScriptName, ScriptDefinition>;

/**
 * The arguments of `EVAL` for a script: the text, the number of keys, keys and arguments.
 *
 * @param values as {@link Scripted} takes them.
 */
export function textOf(
  name: ScriptName,
  values: readonly (string | number)[],
): [string, number, ...(string | number)[]] {
  const { lua, numberOfKeys } = scripts[name];
  if (numberOfKeys !== undefined) return [lua, numberOfKeys, ...values];
  const [keys, ...rest] = values;
  return [lua, Number(keys), ...rest];
}

/** Whether the server refused `EVALSHA` because it does not know the script (error `NOSCRIPT`). Nothing has run then. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
