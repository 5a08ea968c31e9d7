import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { readExecution, readHistoryRow } from '../../api/executions.ts';
import { failureOf, useReading } from '../../api/queries.ts';
import { serverNow } from '../../platform/clock.ts';
import { Body } from '../../parts/body.tsx';
import { Copy } from '../../parts/copy.tsx';
import { Failure, Loading } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { OutcomeBadge, StatusBadge } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { isOver, shortId } from '../../parts/words.ts';
import { sentenceOf } from '../execution/sentence.ts';
import { StandsLine } from '../execution/stands-line.tsx';

const everyMillis = 2000;

/** Most questions are answered here without leaving the list: why, the call that decided, and what stands. */
export function Preview({ id }: { readonly id: string }): ReactNode {
  const search = useSearch({ from: '/executions' });
  const navigate = useNavigate();
  const run = useReading({
    path: `/workflows/${id}`,
    parameters: { bodies: 'none' },
    read: readExecution,
    everyMillis: (data) => (data !== undefined && isOver(data) ? 10_000 : everyMillis),
  });
  const calls = useReading({
    path: `/workflows/${id}/steps/calls`,
    parameters: { order: 'desc', limit: 50 },
    read: (json) => (Array.isArray(json) ? json.map(readHistoryRow) : []),
    everyMillis: run.data !== undefined && isOver(run.data) ? undefined : everyMillis,
  });
  const failure = failureOf(run);
  const data = run.data;
  const failed = calls.data?.find(
    ({ outcome, phase }) => outcome !== 'succeeded' && outcome !== 'pending' && phase !== 'HOOK',
  );
  const close = (): void => {
    const { run: _run, ...rest } = search;
    void navigate({ to: '/executions', search: rest, replace: true });
  };
  return (
    <aside className="preview" aria-label="Preview">
      <div className="panel-head">
        <h2 className="cut">{data?.name ?? 'Run'}</h2>
        <span className="faint">{data?.version}</span>
        <span className="id">{shortId(id)}</span>
        <Copy text={id} name="the id" />
        <Link className="btn small push" to="/executions/$id/$" params={{ id, _splat: '' }}>
          Open
        </Link>
        <button type="button" className="btn quiet icon small" aria-label="Close the preview" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {data === undefined ? (
        failure === null || failure === undefined ? (
          <Loading />
        ) : (
          <Failure error={failure} />
        )
      ) : (
        <>
          <div className="pv">
            <div className="row">
              <StatusBadge word={data.status} />
              {data.completedAt !== undefined && (
                <span className="small muted push">
                  ended <Time at={data.completedAt} />
                </span>
              )}
            </div>
            <p className="says">
              <b>{sentenceOf(data, serverNow()).headline}</b>{' '}
              <span className="muted">{sentenceOf(data, serverNow()).detail}</span>
            </p>
            {failed !== undefined && (
              <div className="stack">
                <h3>
                  {failed.nodeId}, attempt {failed.attempt}
                  {failed.phase === 'DOWN' ? ' of its undo' : ''}
                </h3>
                {failed.verb !== undefined && (
                  <span className="http">
                    <b>{failed.verb}</b>
                    <span>{failed.url}</span>
                  </span>
                )}
                <div className="row">
                  <OutcomeBadge word={failed.outcome} />
                  <span className="small muted">{failed.error ?? failed.statusCode}</span>
                </div>
                {failed.responseBody !== undefined && (
                  <Body body={failed.responseBody} name={`${failed.nodeId}-answer.json`} />
                )}
              </div>
            )}
            {Object.keys(data.labels).length > 0 && (
              <div className="row wrap">
                {Object.entries(data.labels).map(([name, value]) => (
                  <span key={name} className="label">
                    {name}:{value}
                  </span>
                ))}
              </div>
            )}
          </div>
          <StandsLine run={data} />
        </>
      )}
    </aside>
  );
}
