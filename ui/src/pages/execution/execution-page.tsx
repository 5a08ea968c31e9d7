import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { readExecution } from '../../api/executions.ts';
import { failureOf, useReading } from '../../api/queries.ts';
import { useNow } from '../../platform/clock.ts';
import { Copy } from '../../parts/copy.tsx';
import { Failure, Loading } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { StatusBadge } from '../../parts/status.tsx';
import { isOver, shortId } from '../../parts/words.ts';
import { sentenceOf } from './sentence.ts';
import { StandsLine } from './stands-line.tsx';

const liveMillis = 1000;
const overMillis = 10_000;

/** One run: what it did, why it waits or how it ended, and what it left behind. */
export function ExecutionPage(): ReactNode {
  const { id } = useParams({ from: '/executions/$id/$' });
  const now = useNow();
  const result = useReading({
    path: `/workflows/${id}`,
    read: readExecution,
    everyMillis: (data) => (data !== undefined && isOver(data) ? overMillis : liveMillis),
  });
  const run = result.data;
  const failure = failureOf(result);
  if (run === undefined) return failure === null || failure === undefined ? <Loading /> : <Failure error={failure} />;
  const { headline, detail } = sentenceOf(run, now);
  return (
    <div className="run-page">
      <nav className="crumbs row" aria-label="Where you are">
        <Link className="link" to="/executions">
          Executions
        </Link>
        <Icon name="chevron-right" />
        <b>{run.name}</b> version {run.version}
        <Icon name="chevron-right" />
        <span className="id">{shortId(id)}</span>
        <Copy text={id} name="the id" />
      </nav>
      <div className="row">
        <StatusBadge word={run.status} large />
        <h1 className="sentence">
          {headline} <span>{detail}</span>
        </h1>
      </div>
      <StandsLine run={run} />
    </div>
  );
}
