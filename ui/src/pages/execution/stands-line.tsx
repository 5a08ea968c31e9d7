import type { ReactNode } from 'react';
import type { Execution, PreviewedCall } from '../../api/executions.ts';
import { Icon } from '../../parts/icon.tsx';
import { counted, isOver } from '../../parts/words.ts';

/** The bottom line of a run, under a ledger's double rule: what stands. */
export function StandsLine({
  run,
  preview,
}: {
  readonly run: Execution;
  /** What a cancel would send now, where that was read. */
  readonly preview?: readonly PreviewedCall[] | undefined;
}): ReactNode {
  const { standing, compensations } = run;
  if (standing.length > 0) {
    return (
      <div className="bottom-line stands" role="region" aria-label="What stands">
        <span className="sum">
          <Icon name="stands" />
          {counted(standing.length, 'effect stands', 'effects stand')}
        </span>
        <span className="what small">
          <span className="cut">
            {standing
              .slice(0, 5)
              .map(
                ({ nodeId, visit, outcome }) => `${nodeId}${visit > 1 ? ` (visit ${String(visit)})` : ''}: ${outcome}`,
              )
              .join(', ')}
            {standing.length > 5 && ` and ${String(standing.length - 5)} more`}
          </span>
        </span>
      </div>
    );
  }
  if (!isOver(run)) {
    const planned = compensations.filter(({ state }) => state === 'PENDING');
    const pending = compensations.length > 0 ? planned : preview;
    if (pending === undefined) return null;
    return (
      <div className="bottom-line live" role="region" aria-label="What stands">
        <span className="sum">
          {counted(
            pending.length,
            run.status === 'COMPENSATING' ? 'effect to undo' : 'effect in force',
            run.status === 'COMPENSATING' ? 'effects to undo' : 'effects in force',
          )}
        </span>
        <span className="what small">
          <span className="cut">
            {pending.length === 0
              ? 'Nothing would have to be undone.'
              : `If it failed or were cancelled now, ${names(pending.map(({ nodeId }) => nodeId))} would be undone.`}
          </span>
        </span>
      </div>
    );
  }
  const undone = compensations.filter(({ state }) => state === 'DONE').length;
  return (
    <div className="bottom-line nothing" role="region" aria-label="What stands">
      <span className="sum">
        <Icon name="st-succeeded" />
        {run.status === 'SUCCEEDED' ? 'Done as a whole' : 'Nothing stands'}
      </span>
      <span className="what small">
        {run.status !== 'SUCCEEDED' && undone > 0 && `${counted(undone, 'effect was', 'effects were')} undone.`}
      </span>
    </div>
  );
}

/** `a, b and c`, at most five of them. */
function names(ids: readonly string[]): string {
  const distinct = [...new Set(ids)];
  const first = distinct.slice(0, 5);
  const more = distinct.length - first.length;
  return more > 0 ? `${first.join(', ')} and ${String(more)} more` : first.join(', ');
}
