import { Link, useParams } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import { parseJson } from '../../../../src/core/value/json.ts';
import { readDefinition, type StoredDefinition } from '../../api/definitions.ts';
import { useReading } from '../../api/queries.ts';
import { drawGraph } from '../../graph/draw.ts';
import { Body, download } from '../../parts/body.tsx';
import { Copy } from '../../parts/copy.tsx';
import { Loading } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Answered } from '../../parts/question.tsx';
import { Time } from '../../parts/time.tsx';
import { counted } from '../../parts/words.ts';
import { RunGraph } from '../execution/run-graph.tsx';
import { RunForm } from './run-form.tsx';

/** One version of a definition: what it is, and how to run it. */
export function DefinitionPage(): ReactNode {
  const { name, version } = useParams({ from: '/definitions/$name/$version' });
  useTitle(`${name} ${version}`);
  const record = useReading({
    path: `/workflows/definitions/${encodeURIComponent(name)}/${encodeURIComponent(version)}`,
    read: readDefinition,
  });
  return (
    <div className="page definition-page">
      <nav className="crumbs row" aria-label="Where you are">
        <Link className="link" to="/definitions">
          Definitions
        </Link>
        <Icon name="chevron-right" small />
        <b>{name}</b>
        <Icon name="chevron-right" small />
        version {version}
        {record.data !== undefined && (
          <span className="push row small muted">
            hash <span className="id">{record.data.hash.slice(0, 8)}</span>
            <Copy text={record.data.hash} name="the hash" />
          </span>
        )}
      </nav>
      <Answered of={record} what="Reading the definition">
        {(definition) => <Definition definition={definition} />}
      </Answered>
    </div>
  );
}

function Definition({ definition }: { readonly definition: StoredDefinition }): ReactNode {
  const { name, version, text = '{}', description, createdAt } = definition;
  const [view, setView] = useState<'graph' | 'text'>('graph');
  const drawn = useQuery({ queryKey: ['graph', text], staleTime: Infinity, queryFn: () => drawGraph(text) });
  const graph = drawn.data?.ok === true ? drawn.data.graph : undefined;
  return (
    <>
      <div className="page-head">
        <h1>
          {name} {version}
        </h1>
        <span className="muted cut">{description}</span>
        <span className="btns push">
          <Link className="btn" to="/executions" search={{ name: [name], version: [version] }}>
            Runs
          </Link>
          <button
            type="button"
            className="btn"
            onClick={() => {
              download(`${name}-${version}.json`, JSON.stringify(parseJson(text), undefined, 2));
            }}
          >
            <Icon name="download" />
            Export
          </button>
        </span>
      </div>
      <dl className="facts">
        {createdAt !== undefined && (
          <div>
            <dt>Stored</dt>
            <dd>
              <Time at={createdAt} />
            </dd>
          </div>
        )}
        {graph !== undefined && (
          <div>
            <dt>Nodes</dt>
            <dd>{graph.nodes.length}</dd>
          </div>
        )}
        {graph !== undefined && (
          <div>
            <dt>With a compensation</dt>
            <dd>{graph.nodes.filter(({ undo }) => undo !== undefined).length}</dd>
          </div>
        )}
      </dl>
      <div className="definition-columns">
        <Versions name={name} version={version} />
        <section className="panel graph-panel" aria-label={view === 'graph' ? 'Graph' : 'Text'}>
          <div className="panel-head">
            <h2>{view === 'graph' ? 'Graph' : 'Text'}</h2>
            <div className="seg small push" role="group" aria-label="Show as">
              {(['graph', 'text'] as const).map((choice) => (
                <button
                  key={choice}
                  type="button"
                  aria-pressed={view === choice}
                  onClick={() => {
                    setView(choice);
                  }}
                >
                  {choice === 'graph' ? 'Graph' : 'Text'}
                </button>
              ))}
            </div>
          </div>
          {view === 'text' ? (
            <div className="panel-body definition-text">
              <Body body={parseJson(text)} name={`${name}-${version}.json`} />
            </div>
          ) : (
            <div className="graph-in">
              <div className="graph-flow">
                {graph !== undefined ? (
                  <RunGraph graph={graph} />
                ) : drawn.data?.ok === false ? (
                  <div className="empty" role="alert">
                    <b>The graph cannot be drawn.</b>
                    <span>{drawn.data.errors[0]}</span>
                  </div>
                ) : (
                  <Loading what="Drawing" />
                )}
              </div>
            </div>
          )}
          {graph !== undefined && graph.warnings.length > 0 && (
            <details className="warnings">
              <summary className="is-unknown">
                <Icon name="stands" />
                {counted(graph.warnings.length, 'warning')}
              </summary>
              <ul>
                {graph.warnings.map((warning) => (
                  <li key={warning}>{warning}</li>
                ))}
              </ul>
            </details>
          )}
        </section>
        {drawn.data !== undefined && (
          <RunForm name={name} version={version} requiredPayload={graph?.requiredPayload ?? []} />
        )}
      </div>
    </>
  );
}

function Versions({ name, version }: { readonly name: string; readonly version: string }): ReactNode {
  const result = useReading({
    path: '/workflows/definitions',
    parameters: { limit: 200 },
    read: (json) => (Array.isArray(json) ? json.map(readDefinition) : []),
  });
  return (
    <section className="panel versions" aria-label="Versions">
      <div className="panel-head">
        <h2>Versions</h2>
      </div>
      <Answered of={result}>
        {(versions) => (
          <ul>
            {versions
              .filter((each) => each.name === name)
              .map((each, index) => (
                <li key={each.id}>
                  <Link
                    to="/definitions/$name/$version"
                    params={{ name, version: each.version }}
                    aria-current={each.version === version ? 'page' : undefined}
                  >
                    <b>version {each.version}</b> {index === 0 && <span className="small muted">latest</span>}
                    {each.createdAt !== undefined && (
                      <span className="small muted">
                        <br />
                        <Time at={each.createdAt} />
                      </span>
                    )}
                  </Link>
                </li>
              ))}
          </ul>
        )}
      </Answered>
    </section>
  );
}
