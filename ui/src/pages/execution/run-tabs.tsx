import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { type Json, ownProperty, parseJson } from '../../../../src/core/value/json.ts';
import { type Execution, readChild } from '../../api/executions.ts';
import { failureOf, useReading } from '../../api/queries.ts';
import { instantAt, objectAt, objectOf, textAt } from '../../api/reading.ts';
import type { TimelineRow } from '../../api/timeline.ts';
import { serverNow } from '../../platform/clock.ts';
import { Body, download } from '../../parts/body.tsx';
import { Copy } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Failure, Loading } from '../../parts/failure.tsx';
import { Answered } from '../../parts/question.tsx';
import { Status } from '../../parts/status.tsx';
import { Time, ZoneName } from '../../parts/time.tsx';
import { shortId } from '../../parts/words.ts';
import { runFile, runMarkdown } from './export-run.ts';
import { sentenceOf } from './sentence.ts';

/** Tabs of a run, each with an address. */
export function RunTabs({
  run,
  tab,
  rows,
  definition,
}: {
  readonly run: Execution;
  readonly tab: string;
  readonly rows: readonly TimelineRow[];
  readonly definition: string | undefined;
}): ReactNode {
  const [problem, setProblem] = useState('');
  const save = async (): Promise<void> => {
    setProblem('');
    try {
      download(`${run.name}-${run.id}.json`, await runFile(run.id, definition));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const children = run.children?.count ?? 0;
  const tabs = [
    { name: 'run', text: 'Run', path: '' },
    { name: 'payload', text: 'Payload', path: 'payload' },
    { name: 'result', text: 'Result', path: 'result' },
    { name: 'definition', text: 'Definition', path: 'definition' },
    ...(children > 0 ? [{ name: 'children', text: 'Children', path: 'children', count: children }] : []),
    { name: 'audit', text: 'Audit', path: 'audit', ...(run.changes.length > 0 && { count: run.changes.length }) },
  ];
  return (
    <div className="tabs-row">
      <nav className="tabs run-tabs" aria-label="Parts of the run">
        {tabs.map(({ name, text, path, ...more }) => (
          <Link
            key={name}
            to="/executions/$id/$"
            params={{ id: run.id, _splat: path }}
            aria-current={tab === name ? 'page' : undefined}
          >
            {text}
            {'count' in more && more.count !== undefined && <span className="count">{more.count}</span>}
          </Link>
        ))}
      </nav>
      <span className="row push">
        <span className="small" role="alert">
          {problem}
        </span>
        <Copy text={() => runMarkdown(run, sentenceOf(run, serverNow()), rows)} name="the run as Markdown">
          <Icon name="file" />
          Copy as Markdown
        </Copy>
        <button type="button" className="btn quiet small" onClick={() => void save()}>
          <Icon name="download" />
          Save as file
        </button>
      </span>
    </div>
  );
}

/** The content of a tab other than the run itself. */
export function TabContent({
  run,
  tab,
  definition,
}: {
  readonly run: Execution;
  readonly tab: string;
  readonly definition: string | undefined;
}): ReactNode {
  switch (tab) {
    case 'payload':
      return <RunBody name="payload" id={run.id} />;
    case 'result':
      return <RunBody name="result" id={run.id} />;
    case 'definition':
      return definition === undefined ? (
        <Loading />
      ) : (
        <Document name="definition" body={parseJson(definition)} id={run.id} />
      );
    case 'children':
      return <Children id={run.id} />;
    default:
      return <Changes id={run.id} />;
  }
}

/** The payload or the result, read when its tab is opened. */
function RunBody({ name, id }: { readonly name: 'payload' | 'result'; readonly id: string }): ReactNode {
  const whole = useReading({ path: `/workflows/${id}`, read: objectOf });
  return (
    <Answered of={whole} what={`Reading the ${name}`}>
      {(run) => <Document name={name} body={ownProperty(run, name)} id={id} />}
    </Answered>
  );
}

function Document({
  name,
  body,
  id,
}: {
  readonly name: string;
  readonly body: Json | undefined;
  readonly id: string;
}): ReactNode {
  return (
    <section className="panel" aria-label={name}>
      <div className="panel-body">
        {body === undefined ? (
          <p className="muted">There is no {name}.</p>
        ) : (
          <Body body={body} name={`${id}-${name}.json`} />
        )}
      </div>
    </section>
  );
}

function Children({ id }: { readonly id: string }): ReactNode {
  const result = useReading({
    path: `/workflows/${id}/children`,
    parameters: { limit: 200 },
    read: (json) => (Array.isArray(json) ? json.map(readChild) : []),
    everyMillis: 3000,
  });
  const failure = failureOf(result);
  if (result.data === undefined)
    return failure === null || failure === undefined ? <Loading /> : <Failure error={failure} />;
  return (
    <section className="panel" aria-label="Children">
      <table className="tbl">
        <thead>
          <tr>
            <th>Status</th>
            <th>Definition</th>
            <th>Id</th>
            <th>Started at</th>
            <th className="num">Round</th>
          </tr>
        </thead>
        <tbody>
          {result.data.map((child) => (
            <tr key={child.id}>
              <td>
                <Status word={child.status} />
              </td>
              <td>
                {child.name} <span className="faint">{child.version}</span>
              </td>
              <td>
                <Link className="id link" to="/executions/$id/$" params={{ id: child.id, _splat: '' }}>
                  {shortId(child.id)}
                </Link>
              </td>
              <td>
                {child.nodeId}
                {child.item !== undefined && ` [${child.item}]`}
                {child.visit > 1 && ` visit ${String(child.visit)}`}
              </td>
              <td className="num">{child.round}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Changes({ id }: { readonly id: string }): ReactNode {
  const result = useReading({
    path: `/workflows/${id}/audit`,
    parameters: { limit: 200 },
    read: (json) => (Array.isArray(json) ? json.map(objectOf) : []),
  });
  const failure = failureOf(result);
  if (result.data === undefined)
    return failure === null || failure === undefined ? <Loading /> : <Failure error={failure} />;
  if (result.data.length === 0) return <div className="empty">Nobody has changed this run.</div>;
  return (
    <section className="panel" aria-label="Audit">
      <table className="tbl">
        <thead>
          <tr>
            <th>
              At, <ZoneName />
            </th>
            <th>Who</th>
            <th>What</th>
            <th>Outcome</th>
            <th>Reason</th>
          </tr>
        </thead>
        <tbody>
          {result.data.map((row) => {
            const at = instantAt(row, 'at');
            return (
              <tr key={textAt(row, 'entryId')}>
                <td>{at !== undefined && <Time at={at} zoned={false} />}</td>
                <td>{textAt(row, 'actor')}</td>
                <td>{textAt(row, 'action')}</td>
                <td>{textAt(row, 'outcome')}</td>
                <td>{textAt(objectAt(row, 'details') ?? {}, 'reason')}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
