import { isRawNumber, numberText } from '../value/json.ts';
import { utf8Length } from '../value/utf8.ts';
import type { Problems } from './problems.ts';

/** Bounds of a definition document, and of what is evaluated for it. */
export interface DefinitionLimits {
  /** Maximum size as compact JSON in UTF-8, in bytes. Default 262144 (256 KiB). */
  readonly maxBytes: number;
  /** Maximum number of nodes or steps. Default 500. */
  readonly maxNodes: number;
  /** Maximum nesting of objects and lists. Default 64. */
  readonly maxDepth: number;
  /** Maximum value of `maxNodeVisits`. Default 1000000. */
  readonly maxNodeVisitsCap: number;
  /**
   * Maximum `timeoutMillis` of a call, in milliseconds. Default 900000 (15 min). A call occupies one of its process's
   * concurrency slots until it ends.
   */
  readonly maxTimeoutMillis: number;
  /** Maximum size of the rendered URL, headers and body of a call together, in bytes. Default 1048576 (1 MiB). */
  readonly maxRenderedBytes: number;
  /** Maximum number of steps of one rendering or one condition. Default 100000. */
  readonly maxEvaluationSteps: number;
}

/**
 * Bounds of the labels of a definition and of a run: number of entries, and characters per key and value. Filters of
 * lists accept the same lengths.
 */
export const labelLimits = { count: 50, key: 128, value: 512 } as const;

/** The limits without overrides from the configuration. */
export const defaultDefinitionLimits: DefinitionLimits = {
  maxBytes: 262_144,
  maxNodes: 500,
  maxDepth: 64,
  maxNodeVisitsCap: 1_000_000,
  maxTimeoutMillis: 900_000,
  maxRenderedBytes: 1_048_576,
  maxEvaluationSteps: 100_000,
};

/**
 * Reports a document that is too large or too deep. Runs before all other checks. It does not recurse and stops at the
 * first exceeded bound, so deep nesting and cyclic values (which YAML aliases can produce) cannot crash the process.
 *
 * @returns the size of the document in bytes, or undefined if it was rejected and must not be processed further.
 */
export function checkSize(document: unknown, limits: DefinitionLimits, problems: Problems): number | undefined {
  const pending: { value: unknown; depth: number }[] = [{ value: document, depth: 1 }];
  let bytes = 0;
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { value, depth } = entry;
    if (typeof value === 'string') bytes += utf8Length(JSON.stringify(value));
    else if (typeof value === 'number') bytes += String(value).length;
    else if (typeof value === 'boolean') bytes += value ? 4 : 5;
    else if (isRawNumber(value)) bytes += numberText(value).length;
    else if (typeof value !== 'object' || value === null) bytes += 4;
    else {
      if (depth > limits.maxDepth) {
        problems.error('', `Objects and lists are nested more than ${String(limits.maxDepth)} deep.`);
        return undefined;
      }
      const keys = Array.isArray(value) ? undefined : Object.keys(value);
      const children: unknown[] = Array.isArray(value) ? value : Object.values(value);
      bytes += 2 + Math.max(0, children.length - 1);
      for (const key of keys ?? []) bytes += utf8Length(JSON.stringify(key)) + 1;
      if (bytes <= limits.maxBytes) for (const child of children) pending.push({ value: child, depth: depth + 1 });
    }
    if (bytes > limits.maxBytes) {
      problems.error('', `The definition is larger than ${String(limits.maxBytes)} bytes.`);
      return undefined;
    }
  }
  return bytes;
}
