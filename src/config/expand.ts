/**
 * Placeholders in the texts of a configuration file: `${VAR}`, `${VAR:-default}` and `${file:/path}`; `$${` is a literal
 * `${`. What a placeholder brings in is not expanded again, so a secret may hold any character.
 */
import { readFileSync } from 'node:fs';

/** The sources of placeholders. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The system's host name: `${HOSTNAME}` where the variable is not set. */
  readonly hostname: string;
}

/** A text with every placeholder replaced, or why that cannot be done: each problem ends the sentence "key …". */
export type Expanded = { readonly text: string } | { readonly problems: readonly string[] };

const placeholder = /\$\$\{|\$\{([^{}]*)\}/g;

/** Replaces every placeholder of a text. Reads the files that `${file:…}` names; a line break at their end is dropped. */
export function expand(text: string, surroundings: Surroundings): Expanded {
  const problems: string[] = [];
  const result = text.replace(placeholder, (whole, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const value = valueOf(inner, surroundings);
    if (typeof value === 'string') return value;
    problems.push(value.problem);
    return whole;
  });
  return problems.length > 0 ? { problems } : { text: result };
}

function valueOf(inner: string, { env, hostname }: Surroundings): string | { readonly problem: string } {
  if (inner.startsWith('file:')) return readSecretFile(inner.slice('file:'.length));
  const [, name, fallback] = /^(\w+)(?::-(.*))?$/s.exec(inner) ?? [];
  if (name === undefined) {
    // The message quotes nothing, since the text may be part of a literal password.
    return {
      problem: 'has a placeholder that is none of ${VAR}, ${VAR:-default} and ${file:/path}; $${ stands for ${',
    };
  }
  // As in a shell, `:-` also stands in for a variable that is set but empty.
  const value = env[name] === '' && fallback !== undefined ? undefined : env[name];
  return (
    value ??
    fallback ??
    (name === 'HOSTNAME' ? hostname : { problem: `needs the environment variable ${name}, which is not set` })
  );
}

function readSecretFile(path: string): string | { readonly problem: string } {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    return { problem: `needs the file ${path}, which cannot be read (${errorCode(error)})` };
  }
}

/** The code of a system error (`ENOENT`), else its message. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
