import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { Execution } from '../../api/executions.ts';
import { useSession } from '../../api/server.ts';
import { durationText, countdownText } from '../../platform/times.ts';
import { Copy } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icon.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { isOver, shortId } from '../../parts/words.ts';
import { placeWords } from '../executions/place.tsx';
import { PlaceDialog } from '../operations/hold-dialogs.tsx';
import { type Action, actionsOf } from './actions.ts';
import { ActionDialog } from './action-dialog.tsx';
import { mostUrgent, sentenceOf } from './sentence.ts';

const operators: ReadonlySet<string> = new Set(['operator', 'admin']);

/** The head of a run: its status, one sentence why, what can be pressed, and the facts. */
export function RunHead({
  run,
  now,
  host,
}: {
  readonly run: Execution;
  readonly now: number;
  /** The host that the run waits for. */
  readonly host: string | undefined;
}): ReactNode {
  const { headline, detail } = sentenceOf(run, now);
  const [action, setAction] = useState<Action>();
  const [said, setSaid] = useState('');
  const [heldHost, setHeldHost] = useState<string>();
  const roles = useSession()?.roles;
  const isAllowed = roles === undefined || roles.some((role) => operators.has(role));
  return (
    <header className="run-head">
      <nav className="crumbs row" aria-label="Where you are">
        <Link className="link" to="/executions">
          Executions
        </Link>
        <Icon name="chevron-right" small />
        <b className="cut">{run.name}</b>
        <span className="nowrap">version {run.version}</span>
        <Icon name="chevron-right" small />
        <span className="id">{shortId(run.id)}</span>
        <Copy text={run.id} name="the id" />
        <span className="push small muted nowrap" role="status">
          {said}
        </span>
      </nav>
      <div className="run-why">
        <StatusBadge word={run.status} large />
        <h1 className="sentence">
          {headline} <span>{detail}</span>
        </h1>
        <div className="btns wrap">
          {actionsOf(run).map((each, index) => (
            <button
              key={each.name}
              type="button"
              className={`btn large ${index === 0 && each.isDangerous !== true ? 'primary' : ''} ${each.name === 'terminate' ? 'danger-quiet' : ''}`}
              disabled={!isAllowed}
              title={isAllowed ? undefined : 'This needs the role operator.'}
              onClick={() => {
                setAction(each);
              }}
            >
              <Icon name={each.icon} />
              {each.button}
            </button>
          ))}
          {host !== undefined && (
            <button
              type="button"
              className="btn large"
              disabled={!isAllowed}
              onClick={() => {
                setHeldHost(host);
              }}
            >
              <Icon name="a-hold" />
              Hold host…
            </button>
          )}
        </div>
      </div>
      {!isAllowed && (
        <p className="small muted row">
          <Icon name="lock" small />
          You may look, not change: changes need the role operator.
        </p>
      )}
      <Facts run={run} now={now} />
      {heldHost !== undefined && (
        <PlaceDialog
          host={heldHost}
          onClose={() => {
            setHeldHost(undefined);
          }}
        />
      )}
      {action !== undefined && (
        <ActionDialog
          run={run}
          action={action}
          onClose={() => {
            setAction(undefined);
          }}
          onDone={(text) => {
            setAction(undefined);
            setSaid(text);
          }}
        />
      )}
    </header>
  );
}

function Facts({ run, now }: { readonly run: Execution; readonly now: number }): ReactNode {
  const place = isOver(run) ? undefined : mostUrgent(run.currentNodes);
  const took = run.durationMillis ?? (run.startedAt === undefined ? undefined : now - run.startedAt);
  const { parent, hook } = run;
  return (
    <dl className="facts">
      {run.startedAt !== undefined && (
        <Fact name="Started">
          <Time at={run.startedAt} />
        </Fact>
      )}
      {run.completedAt !== undefined && (
        <Fact name="Ended">
          <Time at={run.completedAt} />
        </Fact>
      )}
      {took !== undefined && <Fact name={isOver(run) ? 'Took' : 'Runs for'}>{durationText(took)}</Fact>}
      {run.round > 1 && <Fact name="Round">{run.round}</Fact>}
      {place !== undefined && <Fact name="Stands">{placeWords({ ...place, until: undefined }, now)}</Fact>}
      {place?.until !== undefined && (
        <Fact name="Until">
          <Time at={place.until} />
          <span className="muted">, in {countdownText(place.until - now)}</span>
        </Fact>
      )}
      {run.reason !== undefined && <Fact name="Reason">{run.reason}</Fact>}
      {run.failedNodeId !== undefined && (
        <Fact name="Failed at">
          {run.failedNodeId}
          {run.failedItem !== undefined && ` [${run.failedItem}]`}
        </Fact>
      )}
      {hook !== undefined && (
        <Fact name="Hook">
          {hook.state}, {hook.attempts} {hook.attempts === 1 ? 'call' : 'calls'}
        </Fact>
      )}
      {parent !== undefined && (
        <Fact name="Started by">
          <Link className="link id" to="/executions/$id/$" params={{ id: parent.id, _splat: '' }}>
            {shortId(parent.id)}
          </Link>
          at {parent.nodeId}
        </Fact>
      )}
      {Object.keys(run.labels).length > 0 && (
        <Fact name="Labels">
          {Object.entries(run.labels).map(([name, value]) => (
            <Link key={name} className="label" to="/executions" search={{ label: [`${name}:${value}`] }}>
              {name}:{value}
            </Link>
          ))}
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
