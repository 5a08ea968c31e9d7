import { type ReactNode, useState } from 'react';
import type { Json } from '../../../../src/core/value/json.ts';
import { ask } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { failureSentences } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { counted } from '../../parts/words.ts';
import { heldText, type Hold } from './holds.ts';

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

/** Lifts a hold, after it was said what goes on then. */
export function LiftDialog({ hold, onClose }: { readonly hold: Hold; readonly onClose: () => void }): ReactNode {
  const { waiting = 0 } = hold;
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
            {waiting === 0 ? 'Lift the hold' : `Lift: ${counted(waiting, 'run goes', 'runs go')} on`}
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

/** Places a hold of a host or of a definition. */
export function PlaceDialog({
  host = '',
  onClose,
}: {
  /** The host that stands there to begin with. */
  readonly host?: string;
  readonly onClose: () => void;
}): ReactNode {
  const { problem, isBusy, change } = useChange(onClose);
  const [kind, setKind] = useState<'host' | 'name'>('host');
  const [held, setHeld] = useState(host);
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
