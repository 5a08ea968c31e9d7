import type { Run } from '../../core/apply.ts';
import { type OutputQuery, Outputs } from '../../core/context/outputs.ts';
import { lackQueries } from '../../core/context/wanted.ts';
import type { Store } from '../../ports/store.ts';
import { OutputsTooLarge } from '../../ports/store-bounds.ts';

/** Adds what was read to the present outputs. */
export type Restore = (outputs: Outputs) => Outputs;

/** Where outputs are read from. */
export interface OutputSource {
  readonly reads: Pick<Store, 'readOutputs'>;
  /** Most bytes that one place may read back at once, as JSON. */
  readonly maxOutputBytes: number;
}

/** Most nodes that an error names. */
const maxNamed = 3;

/** Why a place cannot have the outputs that it asks for. */
function tooLargeText(nodeIds: readonly string[], maxBytes: number): string {
  const named = nodeIds.slice(0, maxNamed).join(', ');
  const more = nodeIds.length > maxNamed ? ` and ${String(nodeIds.length - maxNamed)} more` : '';
  return `The outputs of ${named}${more} that it reads take more than ${String(maxBytes)} bytes together (runtime.maxOutputBytes).`;
}

/**
 * Reads the outputs of these nodes back from the store. If they are too large, whatever asks for them fails with a
 * sentence. Throws what the store throws.
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
 * Reads the outputs of these queries and no others, for a compensation or for a request that is shown again. Throws
 * what the store throws.
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
