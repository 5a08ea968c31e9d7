/** About how much memory a plan takes, so that caches of plans have a bound in bytes: compiled parts take many times their text. */
import type { NodePlan } from '../plan.ts';

/** Of a byte of the document: strings, lists and the sources of templates. Measured: up to 22. */
const bytesPerByte = 24;
/** Of a path that a template or a condition reads, with its reader. Measured: about 250. */
const bytesPerRead = 300;
/** Of a condition, with the engine that evaluates it. Measured: about 7700. */
const bytesPerCondition = 8_000;

/** Bytes of memory of a plan with these nodes, from a document of that many bytes whose templates and conditions read `reads` paths. */
export function weightOf(documentBytes: number, reads: number, nodes: readonly NodePlan[]): number {
  let conditions = 0;
  for (const node of nodes) {
    if (node.kind === 'switch') conditions += node.cases.length;
    else if (node.kind === 'task' && node.callback !== undefined) conditions += 3;
  }
  return bytesPerByte * documentBytes + bytesPerRead * reads + bytesPerCondition * conditions;
}
