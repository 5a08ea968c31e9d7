import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Execution, HistoryRow, Place } from '../../api/executions.ts';
import type { JsonObject } from '../../../../src/core/value/json.ts';
import { countdownText, durationText } from '../../platform/times.ts';
import { Body } from '../../parts/body.tsx';
import { Copy } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { OutcomeBadge } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { outcomeLook, stateLook } from '../../parts/words.ts';
import { curlOf } from './curl.ts';
import { callPath } from './selection.ts';
import { useCall } from './use-run.ts';

/** Rows of one kind shown at the begin and at the end of a long list of attempts. */
const shownEnds = 6;

/** One attempt: what was sent, what came back, and why its outcome is what it is. */
export function Inspector({
  run,
  calls,
  call,
  place,
  now,
}: {
  readonly run: Execution;
  readonly calls: readonly HistoryRow[];
  readonly call: HistoryRow | undefined;
  /** Where the token at the chosen node is. */
  readonly place: Place | undefined;
  readonly now: number;
}): ReactNode {
  const navigate = useNavigate();
  const whole = useCall(run.id, call?.callId);
  if (call === undefined) {
    return (
      <section className="panel inspector" aria-label="Attempt">
        {place === undefined ? (
          <div className="empty">
            <b>No call was made here.</b>
            <span>An attempt is shown once it is recorded.</span>
          </div>
        ) : (
          <>
            <div className="panel-head">
              <h2>{place.nodeId}</h2>
              <span className="muted">no attempt yet</span>
            </div>
            <Waits place={place} now={now} />
          </>
        )}
      </section>
    );
  }
  const ofVisit = calls.filter(
    ({ nodeId, round, visit }) => nodeId === call.nodeId && round === call.round && visit === call.visit,
  );
  const forward = ofVisit.filter(({ phase }) => phase !== 'DOWN');
  const back = ofVisit.filter(({ phase }) => phase === 'DOWN');
  const at = ofVisit.indexOf(call);
  const go = (target: HistoryRow | undefined): void => {
    if (target === undefined) return;
    void navigate({ to: '/executions/$id/$', params: { id: run.id, _splat: callPath(target.callId) }, replace: true });
  };
  const same = call.phase === 'DOWN' ? back : forward;
  const lastUndo = call.phase === 'DOWN' ? undefined : back.at(-1);
  return (
    <section className="panel inspector" aria-label="Attempt">
      <div className="panel-head">
        <h2>
          {call.phase === 'DOWN' ? 'Undo of ' : ''}
          {call.nodeId}
        </h2>
        <span className="muted nowrap">
          {call.phase === 'HOOK' ? '' : `visit ${String(call.visit)} `}attempt {call.attempt} of{' '}
          {Math.max(...same.map(({ attempt }) => attempt))}
        </span>
        <OutcomeBadge word={call.outcome} />
        {call.stepStartedAt !== undefined && (
          <span className="small muted nowrap when">
            <Time at={call.stepStartedAt} />
            {call.latencyMillis !== undefined && `, ${durationText(call.latencyMillis)}`}
          </span>
        )}
        <span className="push row">
          <button
            type="button"
            className="btn quiet icon small"
            aria-label="Attempt before"
            disabled={at <= 0}
            onClick={() => {
              go(ofVisit[at - 1]);
            }}
          >
            <Icon name="chevron-up" />
          </button>
          <button
            type="button"
            className="btn quiet icon small"
            aria-label="Next attempt"
            disabled={at === ofVisit.length - 1}
            onClick={() => {
              go(ofVisit[at + 1]);
            }}
          >
            <Icon name="chevron-down" />
          </button>
          <Copy text={() => curlOf(whole.data ?? call)} name="the request as curl">
            <Icon name="curl" />
            curl <kbd>c</kbd>
          </Copy>
          <Copy text={() => location.href} name="the address">
            <Icon name="link" />
            Link
          </Copy>
        </span>
      </div>
      {place !== undefined && <Waits place={place} now={now} />}
      <div className={`inspector-in${lastUndo === undefined ? '' : ' has-undo'}`}>
        <div className="attempts">
          <AttemptList title={call.nodeId} rows={forward} call={call} onPick={go} />
          {back.length > 0 && <AttemptList title={`undo of ${call.nodeId}`} rows={back} call={call} onPick={go} />}
        </div>
        <Answered of={whole} what="Reading the attempt">
          {(read) => <CallParts call={read} />}
        </Answered>
        {lastUndo !== undefined && <UndoPart id={run.id} callId={lastUndo.callId} />}
      </div>
    </section>
  );
}

/** What was sent, what came back, and why its outcome is what it is. */
function CallParts({ call }: { readonly call: HistoryRow }): ReactNode {
  return (
    <>
      <div className="stack">
        <h3>Request</h3>
        <RequestLine call={call} />
        <Body body={call.requestBody} isCut={call.isRequestCut} name={`${call.nodeId}-${call.callId}-request.json`} />
        <Headers headers={call.requestHeaders} />
      </div>
      <div className="stack">
        <h3>Answer</h3>
        <Answer call={call} />
        <Rule call={call} />
        <Headers headers={call.responseHeaders} />
      </div>
    </>
  );
}

/** The last attempt to undo the visit, beside the attempt that is shown. */
function UndoPart({ id, callId }: { readonly id: string; readonly callId: string }): ReactNode {
  const undo = useCall(id, callId);
  return (
    <div className="stack">
      <h3>Its undo, last attempt</h3>
      <Answered of={undo}>
        {(call) => (
          <>
            <RequestLine call={call} />
            <Answer call={call} />
            <Rule call={call} />
          </>
        )}
      </Answered>
    </div>
  );
}

/** Why a node waits, and until when. */
function Waits({ place, now }: { readonly place: Place; readonly now: number }): ReactNode {
  const { icon, tone } = stateLook(place.state);
  return (
    <div className={`waits ${tone}`}>
      <Icon name={icon} />
      <b>{place.state}</b>
      {place.detail !== undefined && <span>{place.detail}</span>}
      <span className="push small muted">
        {place.since !== undefined && (
          <>
            since <Time at={place.since} />
          </>
        )}
        {place.until !== undefined && place.until > now && (
          <>
            , until <Time at={place.until} />, in {countdownText(place.until - now)}
          </>
        )}
      </span>
    </div>
  );
}

function RequestLine({ call: { verb, url } }: { readonly call: HistoryRow }): ReactNode {
  if (url === undefined) return <p className="small muted">No request was recorded.</p>;
  return (
    <span className="http">
      <b>{verb}</b>
      <span>{url}</span>
    </span>
  );
}

/** What came back, or what is known instead. */
function Answer({ call }: { readonly call: HistoryRow }): ReactNode {
  const { statusCode, error, outcome, responseBody, isResponseCut, nodeId, callId } = call;
  if (statusCode === undefined && responseBody === undefined) {
    return (
      <div className={`no-answer ${outcomeLook(outcome).tone}${outcome === 'unknown' ? ' hatch' : ''}`}>
        <div>
          <b>{outcome === 'unsent' ? 'Nothing was sent' : 'No answer'}</b>
          <p>{error ?? 'Nothing more is known.'}</p>
        </div>
      </div>
    );
  }
  return (
    <>
      <span className={`http ${outcomeLook(outcome).tone}`}>
        <b className="code-of">{statusCode}</b>
        <span>{error}</span>
      </span>
      <Body body={responseBody} isCut={isResponseCut} name={`${nodeId}-${callId}-answer.json`} />
    </>
  );
}

/** Why the outcome was judged so: the server's rule, where it tells it, and the notes. */
function Rule({ call: { rule, note, outcome } }: { readonly call: HistoryRow }): ReactNode {
  if (rule === undefined && note === undefined && outcome !== 'unknown') return null;
  return (
    <div className="stack tight">
      <h3>Why {outcome}</h3>
      {rule !== undefined && <p className="small">{rule}</p>}
      {note !== undefined && <p className="small">{note}</p>}
      {outcome === 'unknown' && (
        <p className="small muted">The request may have taken effect. A repetition sends the same Idempotency-Key.</p>
      )}
    </div>
  );
}

function Headers({ headers }: { readonly headers: JsonObject | undefined }): ReactNode {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) return null;
  return (
    <details className="headers">
      <summary>Headers {entries.length}</summary>
      <dl className="kv">
        {entries.map(([name, value]) => (
          <div key={name} className="kv-row">
            <dt className="code">{name}</dt>
            <dd className="code">{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Attempts of a visit; of many, the first and the last. */
function AttemptList({
  title,
  rows,
  call,
  onPick,
}: {
  readonly title: string;
  readonly rows: readonly HistoryRow[];
  readonly call: HistoryRow;
  readonly onPick: (row: HistoryRow) => void;
}): ReactNode {
  const isLong = rows.length > shownEnds * 2;
  const shown = isLong
    ? rows.filter((row, index) => index < shownEnds || index >= rows.length - shownEnds || row === call)
    : rows;
  return (
    <>
      <p className="attempts-of">
        <span className="cut">{title}</span>
        <span className="push">{rows.length > 1 && rows.length}</span>
      </p>
      <ul>
        {shown.map((row) => (
          <li key={row.callId}>
            <button
              type="button"
              className={`attempt ${outcomeLook(row.outcome).tone}`}
              aria-current={row === call ? 'true' : undefined}
              onClick={() => {
                onPick(row);
              }}
            >
              <span className="num">{row.attempt}</span>
              <Icon name={outcomeLook(row.outcome).icon} />
              <span className="cut">{row.statusCode ?? row.error ?? row.outcome}</span>
              <span className="push faint nowrap">
                {row.latencyMillis === undefined ? '' : durationText(row.latencyMillis)}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {isLong && <p className="small muted attempts-more">{rows.length - shown.length} between them</p>}
    </>
  );
}
