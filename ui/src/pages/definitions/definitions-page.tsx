import { Link } from '@tanstack/react-router';
import { useInfiniteQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import { ask } from '../../api/client.ts';
import { readDefinition, type StoredDefinition } from '../../api/definitions.ts';
import { failureOf } from '../../api/queries.ts';
import { Failure, Loading } from '../../parts/failure.tsx';
import { Time, ZoneName } from '../../parts/time.tsx';
import { counted } from '../../parts/words.ts';

const pageSize = 200;

interface Page {
  readonly definitions: readonly StoredDefinition[];
  readonly cursor: string | undefined;
}

/** Stored definitions by name, the newest first, with their versions. */
export function DefinitionsPage(): ReactNode {
  useTitle('Definitions');
  const [part, setPart] = useState('');
  const query = useInfiniteQuery<Page, Error, { pages: Page[] }, readonly unknown[], string | undefined>({
    queryKey: ['definitions'],
    initialPageParam: undefined,
    queryFn: async ({ pageParam, signal }) => {
      const parameters = { limit: pageSize, cursor: pageParam };
      const { json, headers } = await ask('/workflows/definitions', { parameters, signal });
      const definitions = Array.isArray(json) ? json.map(readDefinition) : [];
      return { definitions, cursor: headers.get('x-next-cursor') ?? undefined };
    },
    getNextPageParam: ({ cursor }) => cursor,
  });
  const all = query.data?.pages.flatMap(({ definitions }) => definitions) ?? [];
  const names = [...Map.groupBy(all, ({ name }) => name)].filter(([name]) =>
    name.toLowerCase().includes(part.trim().toLowerCase()),
  );
  const failure = failureOf(query);
  return (
    <div className="page">
      <div className="page-head">
        <h1>Definitions</h1>
        <span className="muted">
          {query.data !== undefined && `${query.hasNextPage ? 'more than ' : ''}${counted(all.length, 'version')}`}
        </span>
        <input
          className="input push filter-input"
          aria-label="Part of a name"
          placeholder="Part of a name"
          value={part}
          onChange={(event) => {
            setPart(event.target.value);
          }}
        />
      </div>
      {query.data === undefined ? (
        failure === null || failure === undefined ? (
          <Loading what="Reading definitions" />
        ) : (
          <Failure error={failure} />
        )
      ) : names.length === 0 ? (
        <div className="empty panel">
          <b>{all.length === 0 ? 'No definition is stored.' : 'No name matches.'}</b>
          {all.length === 0 && <span>Store one with POST /workflows/definitions, or run one inline.</span>}
        </div>
      ) : (
        <section className="panel table-panel" aria-label="Definitions">
          <table className="tbl">
            <thead>
              <tr>
                <th>Definition</th>
                <th>Description</th>
                <th>Versions</th>
                <th>
                  Latest stored, <ZoneName />
                </th>
                <th>
                  <span className="sr">Runs</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {names.map(([name, versions]) => {
                const [latest] = versions;
                if (latest === undefined) return null;
                return (
                  <tr key={name}>
                    <td>
                      <Link
                        className="link"
                        to="/definitions/$name/$version"
                        params={{ name, version: latest.version }}
                      >
                        <b>{name}</b>
                      </Link>
                    </td>
                    <td className="cut muted">{latest.description}</td>
                    <td>
                      <span className="row">
                        {versions.slice(0, 6).map(({ version }) => (
                          <Link
                            key={version}
                            className="label"
                            to="/definitions/$name/$version"
                            params={{ name, version }}
                          >
                            {version}
                          </Link>
                        ))}
                        {versions.length > 6 && <span className="small muted">and {versions.length - 6} more</span>}
                      </span>
                    </td>
                    <td>{latest.createdAt !== undefined && <Time at={latest.createdAt} zoned={false} />}</td>
                    <td className="num">
                      <Link className="link" to="/executions" search={{ name: [name] }}>
                        Runs
                      </Link>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {query.hasNextPage && (
            <button type="button" className="new-rows" onClick={() => void query.fetchNextPage()}>
              Read more
            </button>
          )}
        </section>
      )}
    </div>
  );
}
