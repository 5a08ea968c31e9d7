import type { Config, ConfigPath, ConfigValue } from './config.ts';
import type { Kind } from './kinds.ts';

/** Reads another key's value to derive a default; that key must not have a derived default itself. */
export type ReadValue = <P extends ConfigPath>(path: P) => ConfigValue<P>;

interface Described<T> {
  /** Sentences for the reference page: the purpose, and the meaning of extreme values. */
  readonly meaning: string;
  readonly unit?: 'ms' | 'bytes' | 'days';
  readonly kind: Kind<T>;
  /** The value is never shown. */
  readonly secret?: true;
}

/**
 * The registry's entry for one key: its meaning, its kind with bounds, and its default, fixed or derived from other
 * keys.
 */
export type KeySpec<T> = Described<T> &
  (
    | { readonly default: T; /** What the page says instead of the value. */ readonly defaultText?: string }
    | { readonly derived: { readonly text: string; from(read: ReadValue): T } }
  );

/** The keys of some sections of the configuration, each exactly once and with a kind of the right type. */
export type SectionKeys<S extends keyof Config> = {
  readonly [P in ConfigPath as P extends S | `${S}.${string}` ? P : never]: KeySpec<ConfigValue<P>>;
};

/** A key without its value type, for code that treats all keys alike. */
export interface AnyKey {
  readonly path: ConfigPath;
  readonly spec: KeySpec<unknown>;
}
