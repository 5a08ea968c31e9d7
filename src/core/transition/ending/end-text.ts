import { quote } from '../../definition/problems.ts';
import { type FailedCompensation, maxNamedTroubles, type State, type Token, type Verdict } from '../../state.ts';

type Named = Pick<FailedCompensation, 'nodeId' | 'visit'>;

/**
 * The description of a CORRUPTED execution: the nodes whose compensations could not be completed, for the operator, and
 * the status in which the execution was to end.
 */
export function corruptedText(
  { troubles, failedCompensations = [] }: Pick<State, 'troubles'> & { readonly failedCompensations?: readonly Named[] },
  verdict: Verdict,
): string {
  const where = verdict.nodeId === undefined ? '' : ` at ${quote(verdict.nodeId)}`;
  const cause =
    verdict.description === undefined
      ? ''
      : ` The execution was to end as ${verdict.status}${where}: ${verdict.description}`;
  return `${unfinished(troubles, failedCompensations)} could not be completed and must be settled by hand or retried.${cause}`;
}

function unfinished(troubles: number, named: readonly Named[]): string {
  // All named ones may have been settled while others are still open.
  if (named.length === 0) return troubles === 1 ? 'One compensation' : `${String(troubles)} compensations`;
  const names = named.map(({ nodeId, visit }) =>
    visit === 1 ? quote(nodeId) : `${quote(nodeId)} (visit ${String(visit)})`,
  );
  const more = troubles - names.length;
  const list = more > 0 ? [...names, `${String(more)} more`] : names;
  if (list.length === 1) return `The compensation of ${list.join('')}`;
  return `The compensations of ${list.slice(0, -1).join(', ')} and ${list.at(-1) ?? ''}`;
}

/** The nodes at which an execution was, as a sentence to append. Nodes beyond the first few are only counted. */
export function placesText(tokens: readonly Token[]): string {
  const nodes = new Set(tokens.map(({ nodeId, stage }) => quote(nodeAt(stage) ?? nodeId)));
  if (nodes.size === 0) return '';
  const more = nodes.size - maxNamedTroubles;
  const named = [...nodes].slice(0, maxNamedTroubles).join(', ');
  return ` It stood at ${named}${more > 0 ? ` and ${String(more)} more` : ''}.`;
}

/** The node that is being compensated, if any. */
function nodeAt(stage: Token['stage']): string | undefined {
  return stage.kind === 'unwinding' ? stage.undo?.target.nodeId : undefined;
}
