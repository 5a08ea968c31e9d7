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
  mark: 3,
  finish: undefined,
  renew: 3,
  'held-by': 1,
  count: 2,
  heartbeat: 2,
  leave: 2,
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
