import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import type { Json } from '../../../../src/core/value/json.ts';
import { ask } from '../../api/client.ts';
import { queryClient, useReading } from '../../api/queries.ts';
import { serverNow } from '../../platform/clock.ts';
import { durationText } from '../../platform/times.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { failureSentences } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { Time } from '../../parts/time.tsx';
import { counted } from '../../parts/words.ts';
import { heldText, type Hold, readHold } from './holds.ts';

const everyMillis = 5000;

/** What operators hold back, since when and why; places and lifts holds. */
export function HoldsPage(): ReactNode {
  useTitle('Holds');
  const result = useReading({
    path: '/holds',
    read: (json) => (Array.isArray(json) ? json.map(readHold) : []),
    everyMillis,
  });
  const [lifting, setLifting] = useState<Hold>();
  const [isPlacing, setPlacing] = useState(false);
  return (
    <div className="page">
      <div className="page-head">
        <h1>Holds</h1>
        <span className="muted">{result.data !== undefined && `${String(result.data.length)} stand`}</span>
        <button
          type="button"
          className="btn push"
          onClick={() => {
            setPlacing(true);
          }}
        >
          <Icon name="a-hold" />
          Hold a host or a definition…
        </button>
      </div>
      <Answered of={result} what="Reading holds">
        {(holds) =>
          holds.length === 0 ? (
            <div className="empty panel">
              <b>Nothing is held.</b>
              <span>A hold makes calls wait without spending attempts.</span>
            </div>
          ) : (
            <ul className="stack">
              {holds.map((hold) => (
                <li key={hold.id} className="panel hold">
                  <div className="row wrap">
                    <h2>{heldText(hold)}</h2>
                    {hold.createdAt !== undefined && (
                      <span className="badge is-blocked">
                        <Icon name="clock" />
                        {durationText(serverNow() - hold.createdAt)}
                        {hold.until === undefined && ', no end'}
                      </span>
                    )}
                    {hold.waiting !== undefined && (
                      <span className="small">{counted(hold.waiting, 'run waits', 'runs wait')}</span>
                    )}
                    <span className="btns push">
                      <Link
                        className="btn quiet"
                        to="/executions"
                        search={hold.host === undefined ? { name: [hold.name ?? ''] } : { host: [hold.host] }}
                      >
                        Runs
                      </Link>
                      <button
                        type="button"
                        className="btn"
                        onClick={() => {
                          setLifting(hold);
                        }}
                      >
                        Lift…
                      </button>
                    </span>
                  </div>
                  <p className="muted">
                    “{hold.reason}”{hold.actor !== undefined && ` ${hold.actor},`}{' '}
                    {hold.createdAt !== undefined && <Time at={hold.createdAt} />}
                    {hold.until !== undefined && (
                      <>
                        , until <Time at={hold.until} />
                      </>
                    )}
                    , id <code>{hold.id}</code>
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Answered>
      {lifting !== undefined && (
        <LiftDialog
          hold={lifting}
          onClose={() => {
            setLifting(undefined);
          }}
        />
      )}
      {isPlacing && (
        <PlaceDialog
          onClose={() => {
            setPlacing(false);
          }}
        />
      )}
    </div>
  );
}

/** Sends a change of a hold, and reads the list again. */
function useChange(onDone: () => void): {
  readonly problem: unknown;
  readonly isBusy: boolean;
  readonly change: (method: 'PUT' | 'DELETE', id: string, body?: Json) => Promise<void>;
} {
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  return {
    problem,
    isBusy,
    change: async (method, id, body) => {
      setBusy(true);
      setProblem(undefined);
      try {
        await ask(`/holds/${encodeURIComponent(id)}`, { method, ...(body !== undefined && { body }) });
        await queryClient.invalidateQueries({ queryKey: ['/holds'] });
        onDone();
      } catch (error) {
        setProblem(error);
      } finally {
        setBusy(false);
      }
    },
  };
}

function Problem({ of }: { readonly of: unknown }): ReactNode {
  if (of === undefined) return null;
  const { title, sentences } = failureSentences(of);
  return (
    <div className="banner bad" role="alert">
      <Icon name="st-failed" />
      <span>{title}</span>
      <p>{sentences.join(' ')}</p>
    </div>
  );
}

function LiftDialog({ hold, onClose }: { readonly hold: Hold; readonly onClose: () => void }): ReactNode {
  const { problem, isBusy, change } = useChange(onClose);
  return (
    <Dialog
      title={`Lift the hold on ${heldText(hold)}`}
      lead="Within seconds the calls that wait for it go out by themselves."
      onClose={onClose}
      foot={
        <span className="btns push">
          <button type="button" className="btn large" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className="btn large primary"
            disabled={isBusy}
            onClick={() => void change('DELETE', hold.id)}
          >
            {hold.waiting === undefined ? 'Lift the hold' : `Lift: ${counted(hold.waiting, 'run goes', 'runs go')} on`}
          </button>
        </span>
      }
    >
      <div className="stack">
        <p>“{hold.reason}”</p>
        <code className="muted">DELETE /holds/{hold.id}</code>
        <Problem of={problem} />
      </div>
    </Dialog>
  );
}

function PlaceDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { problem, isBusy, change } = useChange(onClose);
  const [kind, setKind] = useState<'host' | 'name'>('host');
  const [held, setHeld] = useState('');
  const [version, setVersion] = useState('');
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('');
  const id =
    `ui-${held.trim().replaceAll(/[^\w.-]+/g, '-')}${kind === 'name' && version.trim() !== '' ? `-${version.trim().replaceAll(/[^\w.-]+/g, '-')}` : ''}`.slice(
      0,
      128,
    );
  const body: Json = {
    [kind]: held.trim(),
    ...(kind === 'name' && version.trim() !== '' && { version: version.trim() }),
    reason: reason.trim(),
    ...(until.trim() !== '' && { until: until.trim() }),
  };
  return (
    <Dialog
      title="Hold a host or a definition"
      lead="Its calls wait as BLOCKED, without spending attempts, until the hold is lifted."
      onClose={onClose}
      foot={
        <span className="btns push">
          <button type="button" className="btn large" onClick={onClose}>
            Close
          </button>
          <button
            type="button"
            className="btn large primary"
            disabled={isBusy || held.trim() === '' || reason.trim() === ''}
            onClick={() => void change('PUT', id, body)}
          >
            Hold {held.trim()}
          </button>
        </span>
      }
    >
      <div className="stack">
        <fieldset className="choices">
          <legend>Hold</legend>
          {(['host', 'name'] as const).map((choice) => (
            <label key={choice}>
              <input
                type="radio"
                name="held-kind"
                checked={kind === choice}
                onChange={() => {
                  setKind(choice);
                }}
              />
              {choice === 'host' ? 'a host' : 'a definition'}
            </label>
          ))}
        </fieldset>
        <Field
          id="held"
          text={kind === 'host' ? 'Host, with a port or for any' : 'Name of the definition'}
          value={held}
          onChange={setHeld}
        />
        {kind === 'name' && (
          <Field id="held-version" text="Version, empty: all" value={version} onChange={setVersion} />
        )}
        <Field id="held-reason" text="Reason required; runs that wait show it" value={reason} onChange={setReason} />
        <Field
          id="held-until"
          text="Until, empty: no end"
          value={until}
          onChange={setUntil}
          placeholder="2030-01-31T06:00:00Z"
        />
        <code className="muted">PUT /holds/{id}</code>
        <Problem of={problem} />
      </div>
    </Dialog>
  );
}

function Field({
  id,
  text,
  value,
  onChange,
  placeholder,
}: {
  readonly id: string;
  readonly text: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
}): ReactNode {
  return (
    <div className="field">
      <label htmlFor={id}>{text}</label>
      <input
        id={id}
        className="input"
        value={value}
        placeholder={placeholder}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      />
    </div>
  );
}
