import type { Run } from '../../core/apply.ts';
import { type OutputQuery, Outputs } from '../../core/context/outputs.ts';
import { lackQueries } from '../../core/context/wanted.ts';
import type { Store } from '../../ports/store.ts';
import { OutputsTooLarge } from '../../ports/store-bounds.ts';

/** Adds what was read to the present outputs. */
export type Restore = (outputs: Outputs) => Outputs;

/** The source of outputs, and the bound of a read. */
export interface OutputSource {
  readonly reads: Pick<Store, 'readOutputs'>;
  /** Maximum bytes of JSON that one template or condition may read back. */
  readonly maxOutputBytes: number;
}

/** Maximum number of nodes that an error names. */
const maxNamed = 3;

/** The sentence for a template or condition whose outputs are too large. */
function tooLargeText(nodeIds: readonly string[], maxBytes: number): string {
  const named = nodeIds.slice(0, maxNamed).join(', ');
  const more = nodeIds.length > maxNamed ? ` and ${String(nodeIds.length - maxNamed)} more` : '';
  return `The outputs of ${named}${more} that it reads take more than ${String(maxBytes)} bytes together (runtime.maxOutputBytes).`;
}

/**
 * Reads the outputs of these nodes from the store. If they are too large, the template or condition that uses them fails
 * with a sentence. Throws what the store throws.
 */
export async function readBack(
  { reads, maxOutputBytes }: OutputSource,
  run: Run,
  nodeIds: readonly string[],
): Promise<Restore> {
  try {
    const rows = await reads.readOutputs(run.header.id, run.state.round, lackQueries(run, nodeIds), maxOutputBytes);
    return (outputs) => outputs.restored(nodeIds, rows);
  } catch (error) {
    if (!(error instanceof OutputsTooLarge)) throw error;
    return (outputs) => outputs.refusing(nodeIds, tooLargeText(nodeIds, maxOutputBytes));
  }
}

/**
 * Reads exactly the outputs of these queries, for a compensation or to show a request again. Throws what the store
 * throws.
 */
export async function readAsked(
  { reads, maxOutputBytes }: OutputSource,
  id: string,
  round: number,
  queries: readonly OutputQuery[],
): Promise<Outputs> {
  if (queries.length === 0) return Outputs.empty;
  try {
    return Outputs.empty.with(await reads.readOutputs(id, round, queries, maxOutputBytes));
  } catch (error) {
    if (!(error instanceof OutputsTooLarge)) throw error;
    const nodeIds = queries.map(({ nodeId }) => nodeId);
    return Outputs.empty.refusing(nodeIds, tooLargeText(nodeIds, maxOutputBytes));
  }
}
