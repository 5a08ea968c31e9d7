import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BoundValues, type SearchedRequest } from './bound-values.ts';
import { ValueMask } from './masking.ts';
import { SecretHosts } from './secret-hosts.ts';

/** Where secrets and variables come from. */
export interface SecretsOptions {
  /** The process's environment or a part of it; read once. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Prefix of secrets in the environment; default `TRAMA_SECRET_`. */
  readonly environmentPrefix?: string;
  /** Directory with one file per secret, named after the secret. */
  readonly directory?: string;
  /** Configured variables; `TRAMA_VAR_<NAME>` in the environment wins. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The only places where some secrets may go (see {@link SecretHosts}); all other secrets may go everywhere. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** Called once per unusable file, with a sentence that quotes none of its content. */
  readonly report?: (problem: string) => void;
  /** Monotonic milliseconds; for tests. */
  readonly now?: () => number;
}

/** Larger files are not read. */
export const maxSecretBytes: number = 64 * 1024;

const checkIntervalMillis = 1000;
const variablePrefix = 'TRAMA_VAR_';
/** Rotated values kept for masking, all files together. */
const maxEarlierValues = 64;
/** Values passed to `conceal` that are kept for masking. */
const maxConcealedValues = 128;
/** Files used from the directory. Each is checked once a second, which takes some microseconds. */
const maxFiles = 1000;
/**
 * Names known to have no file, so that each is looked up at most once a second. Bounded, since templates can invent
 * names.
 */
const maxAbsentNames = 1000;

interface CachedFile {
  /** When the file was last checked. */
  checkedAt: number;
  /** Identifies the content without reading it; empty if there is no file. */
  stamp: string;
  value: string | undefined;
  problem: string | undefined;
}

/**
 * Secrets and variables by name, as templates see them at send time. Lookups never throw.
 *
 * A secret comes from the environment (`TRAMA_SECRET_<NAME>`), else from a directory with one file per secret, as
 * Kubernetes mounts them. Files are checked at most once a second, so that a rotated secret is used without a restart.
 * Masking still covers rotated values, because a downstream may echo them later.
 */
export class Secrets {
  readonly #fromEnvironment = new Map<string, string>();
  readonly #variables = new Map<string, string>();
  readonly #directory: string | undefined;
  /** Existing files by name. */
  readonly #files = new Map<string, CachedFile>();
  /** Names without a file, the least recently looked up first. */
  readonly #absent = new Map<string, CachedFile>();
  /** Values of rotated secrets, with their names. */
  readonly #earlier = new Map<string, string>();
  readonly #concealed = new Set<string>();
  #concealedMask: ValueMask | undefined;
  #concealedChanged = false;
  readonly #hosts: SecretHosts;
  readonly #boundNames: readonly string[];
  /** Undefined after a value has changed. */
  #bound: BoundValues | undefined;
  #boundReadAt = Number.NEGATIVE_INFINITY;
  readonly #report: (problem: string) => void;
  readonly #now: () => number;
  #listedAt = Number.NEGATIVE_INFINITY;
  #listProblem: string | undefined;
  #values: readonly string[] | undefined;

  /** @throws Error with a sentence for people if `hosts` has an invalid host. */
  constructor(options: SecretsOptions) {
    this.#hosts = new SecretHosts(options.hosts ?? {});
    this.#boundNames = this.#hosts.names;
    this.#directory = options.directory;
    this.#report = options.report ?? ((): void => undefined);
    this.#now = options.now ?? ((): number => performance.now());
    for (const [name, value] of Object.entries(options.variables ?? {})) this.#variables.set(name, value);
    const prefix = options.environmentPrefix ?? 'TRAMA_SECRET_';
    for (const [key, value] of Object.entries(options.environment)) {
      if (value === undefined) continue;
      if (key.startsWith(prefix) && value !== '') this.#fromEnvironment.set(key.slice(prefix.length), value);
      if (key.startsWith(variablePrefix)) this.#variables.set(key.slice(variablePrefix.length), value);
    }
  }

  /** The current value of a secret; undefined if it is not configured or empty. */
  secret(name: string): string | undefined {
    return this.#fromEnvironment.get(name) ?? this.#fileValue(name);
  }

  /** Names of variables and of secrets that have a value. */
  names(): { readonly variables: readonly string[]; readonly secrets: readonly string[] } {
    this.#listFiles();
    const files = [...this.#files].flatMap(([name, { value }]) => (value === undefined ? [] : [name]));
    return {
      variables: [...this.#variables.keys()],
      secrets: [...new Set([...this.#fromEnvironment.keys(), ...files])],
    };
  }

  /** The value of a variable; undefined if it is not configured. Variables are not masked. */
  variable(name: string): string | undefined {
    return this.#variables.get(name);
  }

  /**
   * Whether a secret may go to the host and port of a URL. An unbound secret may not go to a host that comes from data.
   */
  mayGoTo(name: string, url: string, hostFromData: boolean = false): boolean {
    return this.#hosts.allows(name, url, hostFromData);
  }

  /**
   * The name of a bound secret whose current or rotated value a request would send to a forbidden place; undefined if
   * there is none.
   */
  misplaced(request: SearchedRequest): string | undefined {
    return this.#boundNames.length === 0 ? undefined : this.#boundValues().misplaced(request);
  }

  /** Reads the bound secrets again once a second, since a downstream may echo one that this process never used. */
  #boundValues(): BoundValues {
    const now = this.#now();
    if (now - this.#boundReadAt >= checkIntervalMillis) {
      this.#boundReadAt = now;
      for (const name of this.#boundNames) this.secret(name);
    }
    this.#bound ??= new BoundValues(
      this.#hosts,
      new Map(this.#boundNames.map((name) => [name, this.#everyValueOf(name)])),
    );
    return this.#bound;
  }

  #everyValueOf(name: string): readonly string[] {
    const value = this.secret(name);
    const earlier = Array.from(this.#earlier).flatMap(([before, of]) => (of === name ? [before] : []));
    return value === undefined ? earlier : [value, ...earlier];
  }

  /**
   * Every value to mask, including rotated values and secrets that were never looked up. The same array until a value
   * changes.
   */
  values(): readonly string[] {
    this.#listFiles();
    this.#values ??= [
      ...new Set([
        ...this.#fromEnvironment.values(),
        ...[...this.#files.values()].flatMap(({ value }) => (value === undefined ? [] : [value])),
        ...this.#earlier.keys(),
        ...this.#concealed,
      ]),
    ];
    return this.#values;
  }

  /**
   * Masks a value from now on as if it were a secret; above the limit, the least recently given one is forgotten.
   * Returns a function that masks the value in a text, even once it is forgotten.
   */
  conceal(value: string): (text: string) => string {
    if (!this.#concealed.has(value)) {
      this.#values = undefined;
      this.#concealedChanged = true;
    }
    keep(this.#concealed, value, maxConcealedValues);
    const { mask } = new ValueMask([value]);
    return mask;
  }

  /** Masks every remembered concealed value in a text, and nothing else; undefined while there is none. */
  concealed(): ((text: string) => string) | undefined {
    if (this.#concealedChanged) {
      this.#concealedChanged = false;
      this.#concealedMask = new ValueMask(this.#concealed, this.#concealedMask);
    }
    return this.#concealedMask?.mask;
  }

  #listFiles(): void {
    if (this.#directory === undefined || this.#now() - this.#listedAt < checkIntervalMillis) return;
    this.#listedAt = this.#now();
    let names: string[] = [];
    let problem: string | undefined;
    try {
      names = readdirSync(this.#directory);
    } catch (error) {
      problem = `The secrets directory cannot be listed: ${(error as Error).message}.`;
    }
    const files = names.filter(isFileName);
    if (files.length > maxFiles) {
      const count = `it holds ${String(files.length)} files, and at most ${String(maxFiles)} are used`;
      problem = `The secrets directory is too full: ${count}; remove files that are not secrets.`;
    }
    if (problem !== undefined && problem !== this.#listProblem) this.#report(problem);
    this.#listProblem = problem;
    for (const name of new Set([...files.sort().slice(0, maxFiles), ...this.#files.keys()])) this.#fileValue(name);
  }

  #fileValue(name: string): string | undefined {
    if (this.#directory === undefined || !isFileName(name)) return undefined;
    const known = this.#files.get(name) ?? this.#absent.get(name);
    const now = this.#now();
    if (known !== undefined && now - known.checkedAt < checkIntervalMillis) return known.value;
    const found = this.#readFile(join(this.#directory, name), known);
    const isThere = found.value !== undefined || found.problem !== undefined;
    const fits = this.#files.has(name) || this.#files.size < maxFiles;
    // Ignores files above the bound: a value that is not kept could not be masked.
    const read = isThere && !fits ? { stamp: '', value: undefined, problem: undefined } : found;
    if (read.problem !== undefined && read.problem !== known?.problem) {
      this.#report(`The secret ${name} cannot be used: ${read.problem}.`);
    }
    if (read.value !== known?.value) {
      if (known?.value !== undefined) this.#keepEarlier(known.value, name);
      this.#values = undefined;
      this.#bound = undefined;
    }
    this.#remember(name, { ...read, checkedAt: now }, isThere && fits);
    return read.value;
  }

  /** Above the limit, the value rotated longest ago is forgotten. */
  #keepEarlier(value: string, name: string): void {
    this.#earlier.delete(value);
    this.#earlier.set(value, name);
    const [oldest] = this.#earlier.keys();
    if (this.#earlier.size > maxEarlierValues && oldest !== undefined) this.#earlier.delete(oldest);
  }

  /** Existing files have a bound of their own, so that names without a file cannot evict them. */
  #remember(name: string, file: CachedFile, isThere: boolean): void {
    const [into, other] = isThere ? [this.#files, this.#absent] : [this.#absent, this.#files];
    other.delete(name);
    into.delete(name);
    into.set(name, file);
    if (this.#absent.size <= maxAbsentNames) return;
    const oldest = this.#absent.keys().next();
    if (oldest.done !== true) this.#absent.delete(oldest.value);
  }

  #readFile(path: string, known: CachedFile | undefined): Omit<CachedFile, 'checkedAt'> {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined) return { stamp: '', value: undefined, problem: undefined };
      const { mtimeMs, size, ino } = found;
      const stamp = `${mtimeMs}:${size}:${ino}`;
      if (stamp === known?.stamp) return known;
      if (size > maxSecretBytes) {
        return { stamp, value: undefined, problem: `it is larger than ${maxSecretBytes} bytes` };
      }
      const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      return value === '' ? { stamp, value: undefined, problem: 'it is empty' } : { stamp, value, problem: undefined };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return { stamp: '', value: undefined, problem: undefined };
      // After a temporary failure (or for a directory), the last known value is better than none.
      return { stamp: '', value: known?.value, problem: message };
    }
  }
}

/** Adds a value as the newest, and drops the oldest above `max`. */
function keep(values: Set<string>, value: string, max: number): void {
  values.delete(value);
  values.add(value);
  const oldest = values.values().next().value;
  if (values.size > max && oldest !== undefined) values.delete(oldest);
}

/**
 * Whether a name is that of a plain file: no path, and none of the hidden entries that Kubernetes keeps in the
 * directory.
 */
function isFileName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\\\0]/.test(name) && Buffer.byteLength(name) <= 255;
}
