/**
 * The scripts, one per file beside this one: each is one atomic step of the port, and says there what it needs and what it
 * guarantees.
 *
 * Each begins with `#!lua`, which a replica of a cluster takes as a reason to answer `MOVED` where it would run a plain script on
 * data that may be old. They need Redis 7.0.
 */
import { readFileSync } from 'node:fs';

/** How many keys each script takes; undefined: its first argument says it. */
const numberOfKeys = {
  claim: 4,
  'claim-one': undefined,
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

/** Names a script. */
export type ScriptName = keyof typeof numberOfKeys;

/** A client that knows the scripts: each is a method that takes its keys, then its arguments. */
export type Scripted = Readonly<Record<ScriptName, (...values: (string | number)[]) => Promise<unknown>>>;

interface ScriptDefinition {
  readonly lua: string;
  readonly numberOfKeys?: number;
}

/** What a client must be created with to become {@link Scripted}. */
export const scripts: Readonly<Record<ScriptName, ScriptDefinition>> = Object.fromEntries(
  Object.entries(numberOfKeys).map(([name, numberOfKeys]) => {
    const lua = readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
    return [name, numberOfKeys === undefined ? { lua } : { lua, numberOfKeys }];
  }),
) as Record<ScriptName, ScriptDefinition>;

/**
 * A call of a script as `EVAL` takes it: the text, the number of keys, keys and arguments.
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

/** Whether a server did not run a script because it does not know its hash (the error `NOSCRIPT` of `EVALSHA`). */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
