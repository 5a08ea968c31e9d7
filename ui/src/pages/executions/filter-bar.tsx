import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Icon } from '../../parts/icon.tsx';
import type { Search } from '../../platform/search.ts';
import { type Filter, filterOf, filters, withoutValue, withValue } from './filters.ts';

/** The filter as chips: what is set can be removed, what is not can be added. The address is the filter. */
export function FilterBar({ search, children }: { readonly search: Search; readonly children?: ReactNode }): ReactNode {
  const navigate = useNavigate();
  const [adding, setAdding] = useState<string>();
  const change = (next: Search): void => {
    setAdding(undefined);
    void navigate({ to: '/executions', search: next });
  };
  const set = Object.entries(filterOf(search)).flatMap(([name, values]) => values.map((value) => ({ name, value })));
  const names: ReadonlyMap<string, string> = new Map(filters.map(({ name, text }) => [name, text]));
  return (
    <div className="bar-filter" role="group" aria-label="Filter">
      {set.map(({ name, value }) => (
        <span key={`${name}:${value}`} className="chip">
          <span className="k">{names.get(name) ?? name}</span>
          <span className="cut">{value}</span>
          <button
            type="button"
            className="copy"
            aria-label={`Remove ${names.get(name) ?? name} ${value}`}
            onClick={() => {
              change(withoutValue(search, name, value));
            }}
          >
            <Icon name="close" small />
          </button>
        </span>
      ))}
      {filters
        .filter(({ name, isRepeatable }) => isRepeatable === true || search[name] === undefined)
        .map((filter) => (
          <span key={filter.name} className="adding">
            <button
              type="button"
              className="chip add"
              aria-expanded={adding === filter.name}
              onClick={() => {
                setAdding(adding === filter.name ? undefined : filter.name);
              }}
            >
              <Icon name="plus" small />
              {filter.text}
            </button>
            {adding === filter.name && (
              <Adding
                filter={filter}
                chosen={search[filter.name] ?? []}
                onChoose={(value) => {
                  change(withValue(search, filter, value));
                }}
                onClose={() => {
                  setAdding(undefined);
                }}
              />
            )}
          </span>
        ))}
      {children}
    </div>
  );
}

/** Where the value of a new chip is chosen or typed. */
function Adding({
  filter,
  chosen,
  onChoose,
  onClose,
}: {
  readonly filter: Filter;
  readonly chosen: readonly string[];
  readonly onChoose: (value: string) => void;
  readonly onClose: () => void;
}): ReactNode {
  const [text, setText] = useState('');
  const ref = useRef<HTMLFormElement>(null);
  useEffect(() => {
    ref.current?.querySelector<HTMLElement>('input, button')?.focus();
    const onPress = (event: PointerEvent): void => {
      const around = ref.current?.parentElement;
      if (event.target instanceof Node && around?.contains(event.target) === false) onClose();
    };
    document.addEventListener('pointerdown', onPress);
    return () => {
      document.removeEventListener('pointerdown', onPress);
    };
  }, [onClose]);
  const submit = (event: Pick<Event, 'preventDefault'>): void => {
    event.preventDefault();
    if (text.trim() !== '') onChoose(text.trim());
  };
  return (
    <form
      ref={ref}
      className="menu popover"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      {filter.choices !== undefined ? (
        <ul>
          {filter.choices
            .filter((choice) => !chosen.includes(choice))
            .map((choice) => (
              <li key={choice}>
                <button
                  type="button"
                  onClick={() => {
                    onChoose(choice);
                  }}
                >
                  {choice}
                </button>
              </li>
            ))}
        </ul>
      ) : (
        <div className="field">
          <label htmlFor={`filter-${filter.name}`}>{filter.text}</label>
          <input
            id={`filter-${filter.name}`}
            className="input"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
            }}
          />
          {filter.hint !== undefined && <p className="hint">{filter.hint}</p>}
          <button type="submit" className="btn small primary">
            Filter
          </button>
        </div>
      )}
    </form>
  );
}
