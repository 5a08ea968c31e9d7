import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { storagePrefix } from '../../platform/address.ts';
import type { Search } from '../../platform/search.ts';
import { Icon } from '../../parts/icon.tsx';
import { builtInViews, filterOf, isSameFilter, type View } from './filters.ts';

const key = `${storagePrefix}views`;
const maxViews = 20;

function isView(value: unknown): value is View {
  const { name, search } = (value ?? {}) as Partial<View>;
  return (
    typeof name === 'string' &&
    typeof search === 'object' &&
    Object.values(search).every((values) => Array.isArray(values) && values.every((each) => typeof each === 'string'))
  );
}

/** The reader's own views; anything that is none is left out. */
function readViews(): readonly View[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isView).slice(0, maxViews) : [];
  } catch {
    return [];
  }
}

/** Tabs over the list: built-in views and the reader's own, which stay in this browser. */
export function Views({ search }: { readonly search: Search }): ReactNode {
  const [own, setOwn] = useState(readViews);
  const [name, setName] = useState<string>();
  const keep = (views: readonly View[]): void => {
    setOwn(views);
    try {
      localStorage.setItem(key, JSON.stringify(views));
    } catch {
      // Storage is refused: the views last as long as the page.
    }
  };
  const submit = (event: Pick<Event, 'preventDefault'>): void => {
    event.preventDefault();
    if (name === undefined || name.trim() === '') return;
    keep(
      [...own.filter((view) => view.name !== name.trim()), { name: name.trim(), search: filterOf(search) }].slice(
        -maxViews,
      ),
    );
    setName(undefined);
  };
  const all = [...builtInViews, ...own];
  const isKnown = all.some((view) => isSameFilter(view.search, search));
  return (
    <div className="views">
      <nav className="tabs" aria-label="Views">
        {all.map((view) => (
          <span key={view.name} className="view">
            <Link
              to="/executions"
              search={view.search}
              aria-current={isSameFilter(view.search, search) ? 'page' : undefined}
            >
              {view.name}
            </Link>
            {own.includes(view) && isSameFilter(view.search, search) && (
              <button
                type="button"
                className="copy"
                aria-label={`Forget the view ${view.name}`}
                onClick={() => {
                  keep(own.filter((each) => each !== view));
                }}
              >
                <Icon name="close" small />
              </button>
            )}
          </span>
        ))}
      </nav>
      {!isKnown && name === undefined && (
        <button
          type="button"
          className="btn quiet small"
          onClick={() => {
            setName('');
          }}
        >
          <Icon name="bookmark" />
          Save view
        </button>
      )}
      {name !== undefined && (
        <form className="row" onSubmit={submit}>
          <input
            className="input"
            aria-label="Name of the view"
            placeholder="Name of the view"
            autoFocus
            maxLength={40}
            value={name}
            onChange={(event) => {
              setName(event.target.value);
            }}
            onKeyDown={(event) => {
              if (event.key === 'Escape') setName(undefined);
            }}
          />
          <button type="submit" className="btn small">
            Save
          </button>
        </form>
      )}
    </div>
  );
}
