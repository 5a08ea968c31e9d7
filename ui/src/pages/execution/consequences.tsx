import type { ReactNode } from 'react';
import type { Execution } from '../../api/executions.ts';
import { Status } from '../../parts/status.tsx';
import type { Action } from './actions.ts';
import type { Previewed, PreviewedEffect } from './previewed.ts';

/** Effects that are named one by one. */
const maxNamed = 20;

/** What an action leads to: what is under way, how the run would end, and what would stand then. */
export function Consequences({
  action,
  run,
  previewed,
}: {
  readonly action: Action;
  readonly run: Execution;
  readonly previewed: Previewed | undefined;
}): ReactNode {
  if (previewed === undefined) return null;
  const { calls, inFlight, stands, wouldEndAs } = previewed;
  const mayStay = calls.length > 0 && wouldEndAs !== undefined;
  return (
    <dl className="outcome-line">
      {(run.currentNodes.length > 0 || inFlight.length > 0) && (
        <>
          <dt>In flight now</dt>
          <dd>
            {inFlight.length === 0 ? (
              `Nothing. ${run.currentNodes.map(({ nodeId, state }) => `${nodeId}: ${state}`).join(', ')}`
            ) : (
              <Effects of={inFlight} />
            )}
          </dd>
        </>
      )}
      {wouldEndAs !== undefined && (
        <>
          <dt>Ends as</dt>
          <dd>
            <Status word={wouldEndAs} /> {mayStay && 'when all are undone'}
            {mayStay && (
              <div>
                <Status word="CORRUPTED" /> if one cannot be undone
              </div>
            )}
          </dd>
        </>
      )}
      {wouldEndAs !== undefined && (
        <>
          <dt>Stands afterwards</dt>
          <dd>
            {stands.length === 0 ? mayStay ? 'Nothing, if all are undone.' : 'Nothing.' : <Effects of={stands} />}
          </dd>
        </>
      )}
      {action.name === 'retry' && wouldEndAs === undefined && (
        <>
          <dt>Ends as</dt>
          <dd>It starts a new round; how that ends is open.</dd>
        </>
      )}
    </dl>
  );
}

function Effects({ of }: { readonly of: readonly PreviewedEffect[] }): ReactNode {
  return (
    <ul>
      {of.slice(0, maxNamed).map(({ nodeId, visit, verb, url, outcome }) => (
        <li key={`${nodeId} ${String(visit)} ${verb}`}>
          {nodeId}
          {visit > 1 && ` visit ${String(visit)}`}
          {outcome !== '' && `, ${outcome}`}{' '}
          <code>
            {verb} {url}
          </code>
        </li>
      ))}
      {of.length > maxNamed && <li className="muted">and {of.length - maxNamed} more</li>}
    </ul>
  );
}
