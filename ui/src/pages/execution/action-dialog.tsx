import { type ReactNode, useState } from 'react';
import type { Json } from '../../../../src/core/value/json.ts';
import { ApiFailure, ask } from '../../api/client.ts';
import type { Execution } from '../../api/executions.ts';
import { failureOf, queryClient, useReading } from '../../api/queries.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Failure, failureSentences, Loading } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { type Previewed, previewParameters, readPreviewed } from './previewed.ts';
import { shortId } from '../../parts/words.ts';
import { type Action, confirmText, leadOf } from './actions.ts';
import { Consequences } from './consequences.tsx';
import { type Settlement, SettlementFields, settlementsOf } from './settlement.tsx';
import { Sends } from './sends.tsx';
import { wakeableOf, WakeFields, type WakeKind } from './wake-fields.tsx';

/** Refusals because the run had moved, after which the change is offered without a revision. */
const maxRefusals = 2;

const isMoved = (error: unknown): boolean => error instanceof ApiFailure && error.status === 412;

/** Says exactly what a button will send, and sends it. What was previewed is what runs, where the server tags it. */
export function ActionDialog({
  run,
  action,
  onClose,
  onDone,
}: {
  readonly run: Execution;
  readonly action: Action;
  readonly onClose: () => void;
  /** Called with a sentence once the server has accepted. */
  readonly onDone: (said: string) => void;
}): ReactNode {
  const preview = useReading({
    path: `/workflows/${run.id}/${action.preview ?? ''}`,
    parameters: previewParameters(action.preview ?? ''),
    enabled: action.preview !== undefined,
    read: readPreviewed,
  });
  const [reason, setReason] = useState('');
  const [settlement, setSettlement] = useState<Settlement | undefined>(settlementsOf(run)[0]);
  const [what, setWhat] = useState<readonly WakeKind[]>(() => wakeableOf(run));
  const [problem, setProblem] = useState<unknown>();
  /** How often the run had moved when the button was pressed. */
  const [refusals, setRefusals] = useState(0);
  const [isBusy, setBusy] = useState(false);
  // What was shown first stays until a press finds that the run has moved: no text changes under a pointer.
  const [shown, setShown] = useState<Previewed>();
  const previewed = shown ?? preview.data;
  if (shown === undefined && preview.data !== undefined) setShown(preview.data);
  const failure = action.preview === undefined ? null : failureOf(preview);
  // An older server has no preview of it: the action is possible all the same, and the dialog says so.
  const isWithout = failure instanceof ApiFailure && failure.isMissingRoute;
  const isReady = action.preview === undefined || previewed !== undefined || isWithout;
  const mayPress =
    isReady &&
    !isBusy &&
    (action.needsReason !== true || reason.trim() !== '') &&
    (action.name !== 'resolve' || settlement !== undefined) &&
    (action.name !== 'wake' || what.length > 0) &&
    // A run without compensations cannot be taken back.
    (action.name !== 'undo' || previewed?.calls.length !== 0);

  const send = async (tag: string | undefined): Promise<void> => {
    const body = bodyOf(action, run, { reason: reason.trim(), settlement, what });
    await ask(`/workflows/${run.id}/${action.path}`, {
      method: 'POST',
      ...(body !== undefined && { body }),
      ...(tag !== undefined && { headers: { 'if-match': tag } }),
    });
  };

  /** Sends at the revision that was previewed. If the run has moved but would do the same, it is sent once more. */
  const sendPreviewed = async (): Promise<void> => {
    try {
      await send(previewed?.tag);
    } catch (error) {
      if (!isMoved(error)) throw error;
      const { data: next } = await preview.refetch();
      if (next === undefined || next.text !== previewed?.text) throw error;
      await send(next.tag);
    }
  };

  const press = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      // Who has seen two previews that were out of date may have it done whatever the run does.
      await (refusals >= maxRefusals ? send(undefined) : sendPreviewed());
      onDone(`Accepted: ${action.title.toLowerCase()}.`);
      await queryClient.invalidateQueries({ queryKey: [`/workflows/${run.id}`] });
    } catch (error) {
      if (isMoved(error)) {
        setRefusals(refusals + 1);
        setShown((await preview.refetch()).data);
      } else setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  // A new round sends more than the requests of its preview: those whose effects stand.
  const isNewRound = action.name === 'retry' && run.status !== 'CORRUPTED';
  const count = isNewRound ? undefined : previewed?.calls.length;
  return (
    <Dialog
      title={action.title}
      lead={leadOf(action, run, count)}
      onClose={onClose}
      foot={
        <>
          <span className="small muted foot-note">
            {previewed?.tag === undefined
              ? 'The server checks again whether this is possible.'
              : 'If the run changes first, nothing is sent and you see a new preview.'}
          </span>
          <span className="btns push">
            <button type="button" className="btn large" onClick={onClose}>
              {action.name === 'cancel' || action.name === 'terminate' ? 'Leave it running' : 'Close'}
            </button>
            <button
              type="button"
              className={`btn large ${action.isDangerous === true ? 'danger' : 'primary'}`}
              disabled={!mayPress}
              onClick={() => void press()}
            >
              {refusals >= maxRefusals
                ? `${confirmText(action, undefined)}, whatever it does now`
                : confirmText(action, count)}
            </button>
          </span>
        </>
      }
    >
      <div className="stack">
        {refusals > 0 && (
          <div className="banner note" role="alert">
            <Icon name="info" />
            <span>The run changed; nothing was sent.</span>
            <p>This is the new preview.</p>
          </div>
        )}
        {isWithout && <p className="muted">This server gives no preview of it.</p>}
        {failure !== null && failure !== undefined && !isWithout ? (
          <Failure error={failure} />
        ) : previewed === undefined ? (
          action.preview !== undefined && !isWithout && <Loading what="Reading what it would send" />
        ) : (
          !(previewed.calls.length === 0 && (action.name === 'terminate' || action.name === 'retry')) && (
            <Sends calls={previewed.calls} run={run} isNewRound={isNewRound} />
          )
        )}
        {action.name === 'resolve' && <SettlementFields run={run} settlement={settlement} onChange={setSettlement} />}
        {action.name === 'wake' && <WakeFields run={run} what={what} onChange={setWhat} />}
        <Consequences action={action} run={run} previewed={previewed} />
        <div className="field">
          <label htmlFor="reason">Reason {action.needsReason === true ? 'required' : 'kept in the audit log'}</label>
          <input
            id="reason"
            className="input"
            maxLength={2000}
            value={reason}
            onChange={(event) => {
              setReason(event.target.value);
            }}
          />
        </div>
        <code className="muted">
          POST /workflows/…{shortId(run.id)}/{action.path}
          {previewed?.tag !== undefined && refusals < maxRefusals && ` If-Match: ${previewed.tag}`}
        </code>
        {problem !== undefined && (
          <div className="banner bad" role="alert">
            <Icon name="st-failed" />
            <span>{failureSentences(problem).title}</span>
            <p>{failureSentences(problem).sentences.join(' ')}</p>
          </div>
        )}
      </div>
    </Dialog>
  );
}

/** The body of the request; undefined where there is nothing to say. */
function bodyOf(
  action: Action,
  run: Execution,
  {
    reason,
    settlement,
    what,
  }: { readonly reason: string; readonly settlement: Settlement | undefined; readonly what: readonly WakeKind[] },
): Json | undefined {
  const body: Record<string, Json> = {
    ...(reason !== '' && { reason }),
    ...(action.name === 'retry' && run.status === 'TERMINATED' && { force: true }),
    ...(action.name === 'wake' && { what: [...what] }),
    ...(action.name === 'resolve' && settlement !== undefined && { ...settlement }),
  };
  return Object.keys(body).length === 0 ? undefined : body;
}
