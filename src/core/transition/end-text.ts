/** What the description of a CORRUPTED execution says: the nodes that an operator has to look at. */
import { quote } from '../definition/problems.ts';
import { type FailedCompensation, maxNamedTroubles, type State, type Token, type Verdict } from '../state.ts';

/** Why an execution is CORRUPTED: whose compensations could not be completed, and what it was to end as. */
export function corruptedText(
  { troubles, failedCompensations = [] }: Pick<State, 'troubles' | 'failedCompensations'>,
  verdict: Verdict,
): string {
  const where = verdict.nodeId === undefined ? '' : ` at ${quote(verdict.nodeId)}`;
  const cause =
    verdict.description === undefined
      ? ''
      : ` The execution was to end as ${verdict.status}${where}: ${verdict.description}`;
  return `${unfinished(troubles, failedCompensations)} could not be completed and must be settled by hand or retried.${cause}`;
}

function unfinished(troubles: number, named: readonly FailedCompensation[]): string {
  // Those that the state names may have been settled, and others left.
  if (named.length === 0) return troubles === 1 ? 'One compensation' : `${String(troubles)} compensations`;
  const names = named.map(({ nodeId, visit }) =>
    visit === 1 ? quote(nodeId) : `${quote(nodeId)} (visit ${String(visit)})`,
  );
  const more = troubles - names.length;
  const list = more > 0 ? [...names, `${String(more)} more`] : names;
  if (list.length === 1) return `The compensation of ${list.join('')}`;
  return `The compensations of ${list.slice(0, -1).join(', ')} and ${list.at(-1) ?? ''}`;
}

/** Where an execution stood, as a sentence after another one. Nodes beyond the first few are counted. */
export function placesText(tokens: readonly Token[]): string {
  const nodes = new Set(tokens.map(({ nodeId, stage }) => quote(nodeAt(stage) ?? nodeId)));
  if (nodes.size === 0) return '';
  const more = nodes.size - maxNamedTroubles;
  const named = [...nodes].slice(0, maxNamedTroubles).join(', ');
  return ` It stood at ${named}${more > 0 ? ` and ${String(more)} more` : ''}.`;
}

/** The node that is being compensated, if one is. */
function nodeAt(stage: Token['stage']): string | undefined {
  return stage.kind === 'unwinding' ? stage.undo?.target.nodeId : undefined;
}
