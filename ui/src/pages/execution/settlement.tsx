import type { ReactNode } from 'react';
import type { Execution } from '../../api/executions.ts';

/** What a settlement by hand says of a call. */
export interface Settlement {
  readonly nodeId: string;
  readonly visit: number;
  readonly phase: 'UP' | 'DOWN';
  readonly outcome: 'succeeded' | 'failed';
}

/** The calls of a run that a person may settle: failed compensations, and nodes under way. */
export function settlementsOf(run: Execution): readonly Settlement[] {
  const down = run.compensations
    .filter(({ state }) => state === 'FAILED')
    .map(({ nodeId, visit }): Settlement => ({ nodeId, visit, phase: 'DOWN', outcome: 'succeeded' }));
  const up = run.currentNodes
    .filter(({ state, nodeId }) => nodeId !== '' && state !== 'HOOK' && state !== 'COMPENSATING')
    .map(({ nodeId, visit = 1 }): Settlement => ({ nodeId, visit, phase: 'UP', outcome: 'succeeded' }));
  return [...down, ...up];
}

/** What each choice leads to. */
function effectOf({ nodeId, phase, outcome }: Settlement): string {
  if (phase === 'DOWN') {
    return outcome === 'succeeded'
      ? `${nodeId} counts as undone. Once nothing else is unsettled, the run ends as it was to end.`
      : `${nodeId} is accepted as it is: its effect stands. Once nothing else is unsettled, the run ends as it was to end.`;
  }
  return outcome === 'succeeded'
    ? `${nodeId} counts as done, without a body; the run goes on behind it.`
    : `${nodeId} counts as failed; what was done before is undone.`;
}

const keyOf = ({ phase, nodeId, visit }: Settlement): string => `${phase} ${String(visit)} ${nodeId}`;

/** Chooses the call and what became of it. */
export function SettlementFields({
  run,
  settlement,
  onChange,
}: {
  readonly run: Execution;
  readonly settlement: Settlement | undefined;
  readonly onChange: (settlement: Settlement) => void;
}): ReactNode {
  const choices = settlementsOf(run);
  if (settlement === undefined) return <p className="muted">No call of this run can be settled by hand now.</p>;
  return (
    <>
      <div className="field">
        <label htmlFor="settled-call">Call</label>
        <select
          id="settled-call"
          className="input"
          value={keyOf(settlement)}
          onChange={(event) => {
            const chosen = choices.find((choice) => keyOf(choice) === event.target.value);
            if (chosen !== undefined) onChange({ ...chosen, outcome: settlement.outcome });
          }}
        >
          {choices.map((choice) => (
            <option key={keyOf(choice)} value={keyOf(choice)}>
              {choice.phase === 'DOWN' ? 'undo of ' : ''}
              {choice.nodeId}
              {choice.visit > 1 ? `, visit ${String(choice.visit)}` : ''}
            </option>
          ))}
        </select>
      </div>
      <fieldset className="choices">
        <legend>It has</legend>
        {(['succeeded', 'failed'] as const).map((outcome) => (
          <label key={outcome}>
            <input
              type="radio"
              name="outcome"
              checked={settlement.outcome === outcome}
              onChange={() => {
                onChange({ ...settlement, outcome });
              }}
            />
            {outcome}
          </label>
        ))}
      </fieldset>
      <p className="muted">{effectOf(settlement)}</p>
    </>
  );
}
