/** How large a definition may be, and the check that comes before every other. */
import { isRawNumber, numberText } from '../value/json.ts';
import type { Problems } from './problems.ts';

/** Bounds of a definition, and of what is evaluated for it. */
export interface DefinitionLimits {
  /** Bytes of its compact JSON in UTF-8. Default 262144 (256 KiB). */
  readonly maxBytes: number;
  /** Nodes of a graph, or steps. Default 500. */
  readonly maxNodes: number;
  /** Objects and lists within one another. Default 64. */
  readonly maxDepth: number;
  /** Greatest `maxNodeVisits`. Default 1000000. */
  readonly maxNodeVisitsCap: number;
  /** Greatest `timeoutMillis` of a call, in milliseconds. Default 900000 (15 min); a call holds a place of its process for so long. */
  readonly maxTimeoutMillis: number;
  /** Bytes of URL, headers and body of a call, rendered. Default 1048576 (1 MiB). */
  readonly maxRenderedBytes: number;
  /** Steps of one rendering or one condition. Default 100000. */
  readonly maxEvaluationSteps: number;
}

/** Bounds of the labels of a definition and of a run, in entries and characters: lists can be filtered by what keeps within them. */
export const labelLimits = { count: 50, key: 128, value: 512 } as const;

/** The limits where the configuration says nothing else. */
export const defaultDefinitionLimits: DefinitionLimits = {
  maxBytes: 262_144,
  maxNodes: 500,
  maxDepth: 64,
  maxNodeVisitsCap: 1_000_000,
  maxTimeoutMillis: 900_000,
  maxRenderedBytes: 1_048_576,
  maxEvaluationSteps: 100_000,
};

/** Bytes of a text in UTF-8; an unpaired surrogate counts as its replacement character. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A pair takes four bytes, two for each half; everything else above U+07FF takes three.
    const paired =
      (unit >= 0xd800 && unit < 0xdc00 && text.charCodeAt(i + 1) >> 10 === 0x37) ||
      (unit >= 0xdc00 && unit < 0xe000 && i > 0 && text.charCodeAt(i - 1) >> 10 === 0x36);
    bytes += unit < 0x800 || paired ? 1 : 2;
  }
  return bytes;
}

/**
 * Reports a document that is too large or too deep. Walks without recursion and stops at the first bound, so that
 * neither deep nesting nor a value that holds itself (YAML aliases can make one) takes the process down.
 *
 * @returns the bytes of the document; undefined when it must not be looked at further.
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
