import type { ReactNode } from 'react';
import type { Execution } from '../../api/executions.ts';
import type { Graph } from '../../graph/model.ts';
import { Icon } from '../../parts/icon.tsx';

const shownStates: Readonly<Record<string, { readonly order: string; readonly tone: string }>> = {
  DONE: { order: 'done', tone: '' },
  RESOLVED: { order: 'done', tone: '' },
  FAILED: { order: 'bad', tone: 'bad' },
};

/** Compensations shown; the others are counted. */
const maxShown = 30;

/** The way back beside the graph: compensations from 1 upwards, and the hook at the end. */
export function UndoLane({
  run,
  graph,
  onPick,
}: {
  readonly run: Execution;
  readonly graph: Graph;
  readonly onPick: (nodeId: string) => void;
}): ReactNode {
  const undos = run.compensations;
  if (undos.length === 0) return null;
  const isGoing = run.status === 'COMPENSATING' || (run.completedAt !== undefined && run.status !== 'SUCCEEDED');
  const lines = new Map(graph.nodes.map(({ id, undo }) => [id, undo]));
  const hook = graph.hooks.find(({ name }) => name === 'onFailureCallback');
  return (
    <section
      className={`undo-lane${isGoing ? '' : ' if'}`}
      aria-label={isGoing ? 'The way back' : 'The way back, if it failed now'}
    >
      {hook !== undefined && (
        <div className={`undo hook${isGoing ? '' : ' if'}`}>
          <Icon name="pl-hook" small />
          <span className="cut">{hook.name}</span>
        </div>
      )}
      {undos.length > maxShown && <p className="small muted">{undos.length - maxShown} more</p>}
      <ol>
        {undos.slice(0, maxShown).map(({ nodeId, visit, state, attempts, statusCode }, index) => {
          const { order, tone } = shownStates[state] ?? { order: isGoing ? '' : 'if', tone: isGoing ? '' : 'if' };
          return (
            <li key={`${nodeId} ${String(visit)}`}>
              <button
                type="button"
                className={`undo ${tone}`}
                onClick={() => {
                  onPick(nodeId);
                }}
              >
                <span className={`order ${order}`}>{index + 1}</span>
                <span className="cut">
                  {nodeId}
                  {visit > 1 && ` ${String(visit)}`}
                </span>
                <span className={`r ${state === 'FAILED' ? 'is-failed' : state === 'DONE' ? 'is-succeeded' : ''}`}>
                  {statusCode ?? (state === 'PENDING' ? lines.get(nodeId)?.split(' ')[0] : state)}
                </span>
                {attempts > 1 && <span className="s">{attempts} attempts</span>}
              </button>
            </li>
          );
        })}
      </ol>
      <p className="name">{isGoing ? 'Going back, from 1 upwards' : 'If it failed now: undone from 1 upwards'}</p>
    </section>
  );
}
