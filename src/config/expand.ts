import { readFileSync } from 'node:fs';

/** Sources of placeholder values. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The system's host name, used for `${HOSTNAME}` if that variable is not set. */
  readonly hostname: string;
}

/** A text with every placeholder replaced, or the problems; each one completes a sentence that begins with the key. */
export type Expanded = { readonly text: string } | { readonly problems: readonly string[] };

const placeholder = /\$\$\{|\$\{([^{}]*)\}/g;

/**
 * Replaces the placeholders of a configuration text: `${VAR}`, `${VAR:-default}` and `${file:/path}`; `$${` is a
 * literal `${`. Replacements are not expanded again, so a secret may contain any character. Reads the files of
 * `${file:…}` and drops a line break at their end.
 */
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
  // As in a shell, `:-` also replaces a variable that is set but empty.
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
