import type { ReactNode } from 'react';
import type { Execution, PreviewedCall } from '../../api/executions.ts';
import { Body } from '../../parts/body.tsx';
import { Icon } from '../../parts/icon.tsx';

/** The requests of a preview exactly as the API gives them, in their order; headers and body on demand. */
export function Sends({
  calls,
  run,
  isNewRound,
}: {
  readonly calls: readonly PreviewedCall[];
  readonly run: Execution;
  /** Whether these are requests of an earlier round whose effects stand. */
  readonly isNewRound: boolean;
}): ReactNode {
  if (calls.length === 0) return <p className="muted">No request.</p>;
  return (
    <>
      {isNewRound && (
        <p>
          <b>{calls.length === 1 ? 'This effect stands.' : `These ${String(calls.length)} effects stand.`}</b> Where the
          new round makes the same request, it sends the key of before.
        </p>
      )}
      <ol className="sends">
        {calls.map((call, index) => (
          <li key={`${call.nodeId} ${String(call.visit)} ${call.verb}`}>
            <span className={`order ${isNewRound ? 'if' : ''}`}>{index + 1}</span>
            <span className="cut">
              {call.nodeId}
              {call.visit > 1 && <span className="faint"> visit {call.visit}</span>}
            </span>
            <details>
              <summary>
                <span className="http">
                  <b>{call.verb}</b>
                  <span>{call.url}</span>
                </span>
              </summary>
              <dl className="kv">
                {Object.entries(call.headers).map(([name, value]) => (
                  <div key={name} className="kv-row">
                    <dt className="code">{name}</dt>
                    <dd className="code">{value as string}</dd>
                  </div>
                ))}
              </dl>
              <Body body={call.body} isCut={call.isCut} name={`${run.id}-${call.nodeId}-preview.json`} />
            </details>
            {call.error !== undefined && (
              <span className="more is-failed small">
                <Icon name="oc-rejected" small /> {call.error}
              </span>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}
