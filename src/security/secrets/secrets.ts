import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BoundValues, type SearchedRequest } from './bound-values.ts';
import { ValueMask } from './masking.ts';
import { SecretHosts } from './secret-hosts.ts';

/** Where secrets and variables come from. */
export interface SecretsOptions {
  /** The process's environment, or a part of it; read once. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of secrets in the environment; default `TRAMA_SECRET_`. */
  readonly environmentPrefix?: string;
  /** One file per secret, named as the secret. */
  readonly directory?: string;
  /** Configured variables; `TRAMA_VAR_<NAME>` in the environment wins. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The only places where some secrets may go, as {@link SecretHosts} reads them; all others may go everywhere. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** Called once per unusable file, with a sentence without its content. */
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
/** Concealed values kept for masking. */
const maxConcealedValues = 128;
/** Files of the directory that are used: each is looked at once a second, which takes some microseconds. */
const maxFiles = 1000;
/** Remembered names without a file, so that each is looked up at most once a second. Bounded, since templates can make up names. */
const maxAbsentNames = 1000;

interface CachedFile {
  /** When it was last looked at. */
  checkedAt: number;
  /** Identifies the content without reading it; empty when there is no file. */
  stamp: string;
  value: string | undefined;
  problem: string | undefined;
}

/**
 * Secrets and variables by name, as templates see them at send time.
 *
 * A secret comes from the environment (`TRAMA_SECRET_<NAME>`) or, where it is not there, from a directory with one file
 * per secret, as Kubernetes mounts them. Files are looked at again at most once a second, so a rotated secret is used
 * without a restart; earlier values stay known for masking, since an echo of them may still come.
 *
 * Looking up never throws.
 */
export class Secrets {
  readonly #fromEnvironment = new Map<string, string>();
  readonly #variables = new Map<string, string>();
  readonly #directory: string | undefined;
  /** Files that are there, by name. */
  readonly #files = new Map<string, CachedFile>();
  /** Names that have no file, the one looked up longest ago first. */
  readonly #absent = new Map<string, CachedFile>();
  /** Values of rotated secrets, with their names. */
  readonly #earlier = new Map<string, string>();
  readonly #concealed = new Set<string>();
  #concealedMask: ValueMask | undefined;
  #concealedChanged = false;
  readonly #hosts: SecretHosts;
  readonly #boundNames: readonly string[];
  /** Undefined when a value has changed. */
  #bound: BoundValues | undefined;
  #boundReadAt = Number.NEGATIVE_INFINITY;
  readonly #report: (problem: string) => void;
  readonly #now: () => number;
  #listedAt = Number.NEGATIVE_INFINITY;
  #listProblem: string | undefined;
  #values: readonly string[] | undefined;

  /** @throws Error with a sentence when `hosts` names something that is no host. */
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

  /** The secret's value now, or undefined when it is not configured. An empty one counts as not configured. */
  secret(name: string): string | undefined {
    return this.#fromEnvironment.get(name) ?? this.#fileValue(name);
  }

  /** The variable's value, or undefined when it is not configured. Variables are not masked. */
  variable(name: string): string | undefined {
    return this.#variables.get(name);
  }

  /** Whether a secret may go to the host and port of a URL. One that is not bound goes to no host that comes from data. */
  mayGoTo(name: string, url: string, hostFromData: boolean = false): boolean {
    return this.#hosts.allows(name, url, hostFromData);
  }

  /**
   * The name of a bound secret whose value, now or before it was rotated, a request would carry to a place where the secret may not
   * go; undefined when there is none.
   */
  misplaced(request: SearchedRequest): string | undefined {
    return this.#boundNames.length === 0 ? undefined : this.#boundValues().misplaced(request);
  }

  /** Reads the bound secrets again once a second: also one that this process never used may be echoed. */
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
   * Every secret value that must not show, also of secrets not yet asked for and of earlier values of rotated ones. The
   * same array until one changes.
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
   * Counts a value as a secret from now on, as far as masking goes; the one given longest ago is forgotten when there are
   * too many. Answers what takes it out of a text, also when it has been forgotten.
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

  /** Takes every concealed value that is not forgotten out of a text, and nothing else; undefined while there is none. */
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
    // A value that is not kept would not be masked.
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

  /** The value rotated away longest ago is forgotten when there are too many. */
  #keepEarlier(value: string, name: string): void {
    this.#earlier.delete(value);
    this.#earlier.set(value, name);
    const [oldest] = this.#earlier.keys();
    if (this.#earlier.size > maxEarlierValues && oldest !== undefined) this.#earlier.delete(oldest);
  }

  /** Files that are there are bounded apart from names that have none, which must not push them out. */
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
      // On a temporary failure (or a directory), the last known value is better than none.
      return { stamp: '', value: known?.value, problem: message };
    }
  }
}

/** Adds a value as the newest; the oldest goes when there are more than `max`. */
function keep(values: Set<string>, value: string, max: number): void {
  values.delete(value);
  values.add(value);
  const oldest = values.values().next().value;
  if (values.size > max && oldest !== undefined) values.delete(oldest);
}

/** Whether a name is a plain file's: no path, and none of the hidden entries that Kubernetes keeps beside them. */
function isFileName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\\\0]/.test(name) && Buffer.byteLength(name) <= 255;
}
