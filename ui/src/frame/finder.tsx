import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useReading } from '../api/queries.ts';
import { readSummary } from '../api/executions.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { Status } from '../parts/status.tsx';
import { shortId } from '../parts/words.ts';

const wholeId = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** One answer of the search. */
interface Found {
  readonly key: string;
  readonly content: ReactNode;
  readonly go: () => void;
}

/** Finds a run by its id, runs by a label or a definition, and pages by their names. */
export function Finder({ onClose }: { readonly onClose: () => void }): ReactNode {
  const [text, setText] = useState('');
  const wanted = text.trim();
  const navigate = useNavigate();
  const isId = wholeId.test(wanted);
  const { data: recent = [] } = useReading({
    path: '/workflows',
    parameters: { limit: 200 },
    read: (json) => (Array.isArray(json) ? json.map(readSummary) : []),
  });

  const go = (action: () => Promise<void>) => (): void => {
    onClose();
    void action();
  };
  const found: Found[] = [];
  if (isId) {
    found.push({
      key: 'id',
      content: `Run ${wanted}`,
      go: go(() => navigate({ to: '/executions/$id/$', params: { id: wanted.toLowerCase(), _splat: '' } })),
    });
  } else if (wanted.includes(':')) {
    found.push({
      key: 'label',
      content: `Runs with the label ${wanted}`,
      go: go(() => navigate({ to: '/executions', search: { label: [wanted] } })),
    });
  } else if (wanted !== '') {
    found.push({
      key: 'name',
      content: `Runs of the definition ${wanted}`,
      go: go(() => navigate({ to: '/executions', search: { name: [wanted] } })),
    });
  }
  const part = wanted.toLowerCase();
  const matches = recent.filter(
    ({ id, name }) => !isId && part.length > 1 && (id.startsWith(part) || id.endsWith(part) || name.includes(part)),
  );
  for (const run of matches.slice(0, 8)) {
    found.push({
      key: run.id,
      content: (
        <>
          <Status word={run.status} /> <span className="id">{shortId(run.id)}</span> {run.name} {run.version}
        </>
      ),
      go: go(() => navigate({ to: '/executions/$id/$', params: { id: run.id, _splat: '' } })),
    });
  }
  const submit = (event: Pick<Event, 'preventDefault'>): void => {
    event.preventDefault();
    found[0]?.go();
  };
  return (
    <Dialog title="Search" onClose={onClose} className="finder-box">
      <form className="stack" onSubmit={submit}>
        <div className="row">
          <Icon name="search" />
          <input
            className="input"
            aria-label="An id, the last 8 digits of a recent one, label:value, or a definition"
            placeholder="An id, label:value, a definition"
            autoFocus
            value={text}
            onChange={(event) => {
              setText(event.target.value);
            }}
          />
        </div>
        <ul className="found">
          {found.map(({ key, content, go: choose }) => (
            <li key={key}>
              <button type="button" className="btn quiet" onClick={choose}>
                {content}
              </button>
            </li>
          ))}
        </ul>
        <p className="small muted">Enter takes the first. Digits are compared with the 200 newest runs.</p>
      </form>
    </Dialog>
  );
}
