import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import { useReading } from '../../api/queries.ts';
import { serverNow } from '../../platform/clock.ts';
import { durationText } from '../../platform/times.ts';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { Time } from '../../parts/time.tsx';
import { counted } from '../../parts/words.ts';
import { LiftDialog, PlaceDialog } from './hold-dialogs.tsx';
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
