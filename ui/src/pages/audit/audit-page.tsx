import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useInfiniteQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import type { JsonObject } from '../../../../src/core/value/json.ts';
import { ask } from '../../api/client.ts';
import { failureOf } from '../../api/queries.ts';
import { instantAt, objectAt, objectOf, textAt } from '../../api/reading.ts';
import type { Search } from '../../platform/search.ts';
import { Failure, Loading } from '../../parts/failure.tsx';
import { Time, ZoneName } from '../../parts/time.tsx';
import { shortId } from '../../parts/words.ts';

const pageSize = 100;
const filters = [
  { name: 'actor', text: 'Who' },
  { name: 'action', text: 'What' },
  { name: 'id', text: 'Changed' },
] as const;

interface Page {
  readonly rows: readonly JsonObject[];
  readonly cursor: string | undefined;
}

/** Who changed what, the newest first. */
export function AuditPage(): ReactNode {
  useTitle('Audit');
  const search: Search = useSearch({ from: '/audit' });
  const query = useInfiniteQuery<Page, Error, { pages: Page[] }, readonly unknown[], string | undefined>({
    queryKey: ['audit', search],
    initialPageParam: undefined,
    queryFn: async ({ pageParam, signal }) => {
      const parameters = { ...search, limit: pageSize, cursor: pageParam };
      const { json, headers } = await ask('/audit', { parameters, signal });
      return { rows: Array.isArray(json) ? json.map(objectOf) : [], cursor: headers.get('x-next-cursor') ?? undefined };
    },
    getNextPageParam: ({ cursor }) => cursor,
  });
  const rows = query.data?.pages.flatMap((page) => page.rows) ?? [];
  const failure = failureOf(query);
  return (
    <div className="page">
      <div className="page-head">
        <h1>Audit</h1>
        <span className="muted">every change, the newest first</span>
        <AuditFilter key={JSON.stringify(search)} search={search} />
      </div>
      {query.data === undefined ? (
        failure === null || failure === undefined ? (
          <Loading what="Reading the audit log" />
        ) : (
          <Failure error={failure} />
        )
      ) : rows.length === 0 ? (
        <div className="empty panel">
          <b>No entry matches.</b>
        </div>
      ) : (
        <section className="panel table-panel" aria-label="Entries">
          <table className="tbl">
            <thead>
              <tr>
                <th>
                  At, <ZoneName />
                </th>
                <th>Who</th>
                <th>What</th>
                <th>Changed</th>
                <th>Outcome</th>
                <th>Reason</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Entry key={textAt(row, 'entryId')} row={row} />
              ))}
            </tbody>
          </table>
          {query.hasNextPage && (
            <button type="button" className="new-rows" onClick={() => void query.fetchNextPage()}>
              Read older entries
            </button>
          )}
        </section>
      )}
    </div>
  );
}

function Entry({ row }: { readonly row: JsonObject }): ReactNode {
  const at = instantAt(row, 'at');
  const action = textAt(row, 'action') ?? '';
  const id = textAt(row, 'id') ?? '';
  const outcome = textAt(row, 'outcome') ?? '';
  return (
    <tr>
      <td>{at !== undefined && <Time at={at} zoned={false} />}</td>
      <td>{textAt(row, 'actor')}</td>
      <td>{action}</td>
      <td>
        {action.startsWith('execution.') && id !== '' ? (
          <Link className="id link" to="/executions/$id/$" params={{ id, _splat: '' }} title={id}>
            {shortId(id)}
          </Link>
        ) : (
          <span className="cut">{id}</span>
        )}
      </td>
      <td className={outcome === 'done' ? '' : 'is-failed tone-text'}>{outcome}</td>
      <td className="cut muted">{textAt(objectAt(row, 'details') ?? {}, 'reason')}</td>
    </tr>
  );
}

function AuditFilter({ search }: { readonly search: Search }): ReactNode {
  const navigate = useNavigate();
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(filters.map(({ name }) => [name, search[name]?.[0] ?? ''])),
  );
  return (
    <form
      className="row push audit-filter"
      onSubmit={(event) => {
        event.preventDefault();
        const set = Object.entries(values).filter(([, value]) => value.trim() !== '');
        void navigate({ to: '/audit', search: Object.fromEntries(set.map(([name, value]) => [name, [value.trim()]])) });
      }}
    >
      {filters.map(({ name, text }) => (
        <input
          key={name}
          className="input"
          aria-label={text}
          placeholder={text}
          value={values[name] ?? ''}
          onChange={(event) => {
            setValues({ ...values, [name]: event.target.value });
          }}
        />
      ))}
      <button type="submit" className="btn">
        Filter
      </button>
    </form>
  );
}
