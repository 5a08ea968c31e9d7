import { kindOf } from '../node/kinds.ts';
import type { NodePlan } from '../plan.ts';

/** Memory per byte of the document, for strings, lists and template sources. Measured: up to 22. */
const bytesPerByte = 24;
/** Memory per path that a template or condition reads, including its reader, in bytes. Measured: about 250. */
const bytesPerRead = 300;
/** Memory per condition, including its evaluation engine, in bytes. Measured: about 5500. */
const bytesPerCondition = 8_000;

/**
 * Estimates the memory of a plan in bytes, so that plan caches can be bounded by size: compiled parts take many times
 * the memory of their source. `documentBytes` is the size of the document, `reads` the number of paths that its
 * templates and conditions read, `values` that of its `$logic` expressions.
 */
export function weightOf(documentBytes: number, reads: number, nodes: readonly NodePlan[], values: number): number {
  let conditions = values;
  for (const node of nodes) conditions += kindOf(node).conditions?.(node) ?? 0;
  return bytesPerByte * documentBytes + bytesPerRead * reads + bytesPerCondition * conditions;
}
