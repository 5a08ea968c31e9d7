import { useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useCallback, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import { failureOf } from '../../api/queries.ts';
import { useShortcuts } from '../../frame/shortcuts.ts';
import { useNow } from '../../platform/clock.ts';
import type { Search } from '../../platform/search.ts';
import { Failure, Loading } from '../../parts/failure.tsx';
import { counted } from '../../parts/words.ts';
import { BulkBar } from './bulk-bar.tsx';
import { FilterBar } from './filter-bar.tsx';
import { filterOf } from './filters.ts';
import { Preview } from './preview.tsx';
import { RunTable } from './run-table.tsx';
import { useRuns } from './use-runs.ts';
import { Views } from './views.tsx';

/** Where does each run stand? A list of any length, with its filter in the address and a preview beside it. */
export function ExecutionsPage(): ReactNode {
  useTitle('Executions');
  const search: Search = useSearch({ from: '/executions' });
  const filter = filterOf(search);
  const navigate = useNavigate();
  const now = useNow();
  const { runs, newCount, isComplete, query, showNew } = useRuns(filter);
  const [checked, setChecked] = useState<ReadonlySet<string>>(new Set());
  const [isAll, setAll] = useState(false);
  const shown = search['run']?.[0];

  const show = (id: string): void => {
    void navigate({ to: '/executions', search: { ...search, run: [id] }, replace: true });
  };
  const move = (step: number): void => {
    const at = runs.findIndex(({ id }) => id === shown);
    const next = runs[at === -1 ? 0 : Math.min(runs.length - 1, Math.max(0, at + step))];
    if (next !== undefined) show(next.id);
  };
  useShortcuts({
    j: () => {
      move(1);
    },
    k: () => {
      move(-1);
    },
    Enter: () => {
      if (shown !== undefined) void navigate({ to: '/executions/$id/$', params: { id: shown, _splat: '' } });
    },
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  const failure = failureOf(query);
  return (
    <div className="list-page">
      <h1 className="sr">Executions</h1>
      <Views search={search} />
      <FilterBar search={search}>
        <span className="push small muted nowrap">
          {query.data !== undefined && `${isComplete ? '' : 'more than '}${counted(runs.length, 'run')}`}
        </span>
      </FilterBar>
      <div className={`split-list${shown === undefined ? '' : ' has-preview'}`}>
        <section className="list" aria-label="List">
          {newCount > 0 && (
            <button type="button" className="new-rows" onClick={showNew}>
              {newCount} new, show them
            </button>
          )}
          {failure !== null && failure !== undefined ? (
            <Failure error={failure} />
          ) : query.data === undefined ? (
            <Loading what="Reading executions" />
          ) : runs.length === 0 && isComplete ? (
            <div className="empty">
              <b>No run matches.</b>
              <span>
                {Object.keys(filter).length === 0 ? 'Nothing has been started yet.' : 'Remove a filter to see more.'}
              </span>
            </div>
          ) : (
            <RunTable
              runs={runs}
              now={now}
              shown={shown}
              checked={checked}
              onShow={show}
              onCheck={(id) => {
                const next = new Set(checked);
                if (!next.delete(id)) next.add(id);
                setChecked(next);
              }}
              onEnd={onEnd}
            />
          )}
          {(checked.size > 0 || isAll) && (
            <BulkBar
              checked={checked}
              filter={filter}
              isAll={isAll}
              onAll={() => {
                setAll(true);
              }}
              onClear={() => {
                setChecked(new Set());
                setAll(false);
              }}
            />
          )}
        </section>
        {shown !== undefined && <Preview key={shown} id={shown} />}
      </div>
    </div>
  );
}
