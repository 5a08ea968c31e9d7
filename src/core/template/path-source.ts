import type { RenderContext } from '../context/context.ts';
import { isRawNumber, type Json, type JsonObject } from '../value/json.ts';

/** The source of values for path readers. */
export interface PathSource {
  readonly context: RenderContext;
  /** Whether `runtime.*`, `round`, `attempt` and idempotency keys are replaced by constants. */
  readonly stable: boolean;
  /** The value of `callback.body`; conditions on callbacks only. */
  readonly callbackBody?: Json | undefined;
  /**
   * The completed nodes in the order of their first completion; set when a reader of this evaluation first needs them.
   */
  steps?: StepsView;
  /** Returns the value of a secret, or undefined if it is not configured. */
  secret(name: string): string | undefined;
  /** Charges work, in steps. Throws when the limit is exceeded. */
  spend(steps: number): void;
}

/** The completed nodes, listed once per evaluation because every item of a section may read them. */
export interface StepsView {
  readonly ids: readonly string[];
  readonly indexes: ReadonlyMap<string, number>;
  /** The value of `steps`; built on first use. */
  all?: Json;
}

/** Returns the value of a path; undefined if it is missing. */
export type PathReader = (source: PathSource) => Json | undefined;

/** Returns the value at `keys[from…]` within a value, or undefined if it is missing. Reads own properties only. */
export function walk(value: Json | undefined, keys: readonly string[], from: number): Json | undefined {
  let current = value;
  for (let i = from; i < keys.length; i++) {
    const key = keys[i] as string;
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    // The internal property of a raw number, which is a number to all readers.
    if (key === 'rawJSON' && isRawNumber(current)) return undefined;
    current = (current as JsonObject)[key];
  }
  return current;
}
