import type { ReactNode } from 'react';
import type { Graph } from '../../graph/model.ts';
import { Icon } from '../../parts/icon.tsx';
import { orderClass, type Undo } from './undo-order.ts';

/** Compensations shown; the others are counted. */
const maxShown = 30;

/** The way back beside the graph: compensations from 1 upwards, and the hook at the end. */
export function UndoLane({
  undos,
  graph,
  onPick,
}: {
  readonly undos: readonly Undo[];
  readonly graph: Graph;
  readonly onPick: (nodeId: string) => void;
}): ReactNode {
  if (undos.length === 0) return null;
  const isGoing = undos.some(({ state }) => state !== 'if');
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
        {undos.slice(0, maxShown).map((undo) => (
          <li key={`${undo.nodeId} ${String(undo.visit)}`}>
            <UndoEntry undo={undo} line={lines.get(undo.nodeId)} onPick={onPick} />
          </li>
        ))}
      </ol>
      <p className="name">{isGoing ? 'Going back, from 1 upwards' : 'If it failed now: undone from 1 upwards'}</p>
    </section>
  );
}

const entryClass: Readonly<Partial<Record<Undo['state'], string>>> = { failed: 'bad', if: 'if' };
const entryTone: Readonly<Partial<Record<Undo['state'], string>>> = { failed: 'is-failed', done: 'is-succeeded' };

function UndoEntry({
  undo: { order, nodeId, visit, state, word, attempts, statusCode },
  line,
  onPick,
}: {
  readonly undo: Undo;
  readonly line: string | undefined;
  readonly onPick: (nodeId: string) => void;
}): ReactNode {
  const isAhead = state === 'if' || state === 'planned';
  return (
    <button
      type="button"
      className={`undo ${entryClass[state] ?? ''}`}
      onClick={() => {
        onPick(nodeId);
      }}
    >
      <span className={`order ${orderClass[state]}`}>{order}</span>
      <span className="cut">
        {nodeId}
        {visit > 1 && ` ${String(visit)}`}
      </span>
      <span className={`r ${entryTone[state] ?? ''}`}>{isAhead ? line?.split(' ')[0] : (statusCode ?? word)}</span>
      {attempts > 1 && <span className="s">{attempts} attempts</span>}
    </button>
  );
}
