import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import type { Json } from '../../../src/core/value/json.ts';
import { ask } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { flagAt, listAt, numberAt, objectOf, textAt } from '../api/reading.ts';
import type { Search } from '../platform/search.ts';
import { Answered } from './question.tsx';
import { Dialog } from './dialog.tsx';
import { failureSentences } from './failure.tsx';
import { Icon } from './icon.tsx';
import { counted, shortId } from './words.ts';
import { useQuery } from '@tanstack/react-query';

/** A change of many runs. */
export interface Bulk {
  readonly action: 'retry' | 'cancel' | 'terminate' | 'wake' | 'redeliver';
  /** Either these runs, or all that match the filter of a list. */
  readonly ids?: readonly string[];
  readonly filter?: Search;
}

const words: Readonly<
  Record<Bulk['action'], { readonly title: string; readonly does: string; readonly says: string }>
> = {
  retry: {
    title: 'Retry runs',
    does: 'Starts a new round of each, or sends its unfinished compensations again.',
    says: 'Retry',
  },
  cancel: { title: 'Cancel runs', does: 'Undoes what each has done so far, and ends it.', says: 'Cancel' },
  terminate: {
    title: 'Terminate runs',
    does: 'Ends each at once. Nothing is undone: what has taken effect stands.',
    says: 'Terminate',
  },
  wake: { title: 'Wake runs', does: 'Ends the sleep of each now.', says: 'Wake' },
  redeliver: { title: 'Redeliver hooks', does: 'Calls the hook of each again.', says: 'Call hooks of' },
};

/** What a bulk change did, or would do. */
interface Result {
  readonly matched: number;
  readonly done: number;
  readonly ids: readonly string[];
  readonly more: boolean;
  readonly errors: readonly { readonly id: string; readonly sentence: string }[];
}

const maxRuns = 1000;

function bodyOf({ action, ids, filter }: Bulk, dryRun: boolean, reason: string): Json {
  const single = new Set(['status', 'label', 'state', 'callStatus']);
  const filters = Object.fromEntries(
    Object.entries(filter ?? {})
      .filter(([name]) => name !== 'order')
      .map(([name, values]): [string, Json] => [name, single.has(name) ? [...values] : (values[0] ?? '')]),
  );
  return {
    action,
    dryRun,
    ...(ids === undefined ? { filter: filters, max: maxRuns } : { ids: [...ids] }),
    ...(reason !== '' && { reason }),
  };
}

function readResult(json: Json): Result {
  const value = objectOf(json);
  return {
    matched: numberAt(value, 'matched') ?? 0,
    done: numberAt(value, 'done') ?? 0,
    ids: listAt(value, 'ids').filter((id): id is string => typeof id === 'string'),
    more: flagAt(value, 'more'),
    errors: listAt(value, 'errors').map((each) => {
      const row = objectOf(each);
      const sentence = listAt(row, 'errors').find((text): text is string => typeof text === 'string');
      return { id: textAt(row, 'id') ?? '', sentence: sentence ?? textAt(row, 'code') ?? '' };
    }),
  };
}

const bulkMillis = 60_000;

/** Says how many runs a change would reach, makes it, and lists what was refused. */
export function BulkDialog({ bulk, onClose }: { readonly bulk: Bulk; readonly onClose: () => void }): ReactNode {
  const [reason, setReason] = useState('');
  const [result, setResult] = useState<Result>();
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const dry = useQuery({
    queryKey: ['bulk', bulk],
    gcTime: 0,
    queryFn: async ({ signal }) => {
      const { json } = await ask('/workflows/bulk', {
        method: 'POST',
        body: bodyOf(bulk, true, ''),
        signal,
        timeoutMillis: bulkMillis,
      });
      return readResult(json);
    },
  });
  const { title, does, says } = words[bulk.action];
  const press = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      const { json } = await ask('/workflows/bulk', {
        method: 'POST',
        body: bodyOf(bulk, false, reason.trim()),
        timeoutMillis: bulkMillis,
      });
      setResult(readResult(json));
      await queryClient.invalidateQueries();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const matched = dry.data?.matched ?? 0;
  const isDangerous = bulk.action === 'cancel' || bulk.action === 'terminate';
  return (
    <Dialog
      title={title}
      lead={does}
      onClose={onClose}
      foot={
        <span className="btns push">
          <button type="button" className="btn large" onClick={onClose}>
            Close
          </button>
          {result === undefined && (
            <button
              type="button"
              className={`btn large ${isDangerous ? 'danger' : 'primary'}`}
              disabled={isBusy || matched === 0}
              onClick={() => void press()}
            >
              {isBusy ? 'Under way…' : `${says} ${counted(matched, 'run')}`}
            </button>
          )}
        </span>
      }
    >
      <div className="stack">
        {result === undefined ? (
          <>
            <Answered of={dry} what="Counting">
              {(data) => (
                <>
                  <p>
                    <b>{counted(data.matched, 'run matches', 'runs match')}</b>
                    {data.more && `, and more: one change reaches at most ${String(maxRuns)}`}. Nothing is changed until
                    you press the button.
                  </p>
                  <Runs ids={data.ids} />
                </>
              )}
            </Answered>
            <div className="field">
              <label htmlFor="bulk-reason">Reason kept in the audit log, for each run</label>
              <input
                id="bulk-reason"
                className="input"
                maxLength={2000}
                value={reason}
                onChange={(event) => {
                  setReason(event.target.value);
                }}
              />
            </div>
          </>
        ) : (
          <div role="status" className="stack">
            <p>
              <b>{counted(result.done, 'run')} changed</b>, {result.errors.length} refused.
              {result.more && ' More match: repeat it for the others.'}
            </p>
            <ul className="stack tight">
              {result.errors.slice(0, 50).map(({ id, sentence }) => (
                <li key={id}>
                  <RunLink id={id} /> {sentence}
                </li>
              ))}
            </ul>
          </div>
        )}
        {problem !== undefined && (
          <div className="banner bad" role="alert">
            <Icon name="st-failed" />
            <span>{failureSentences(problem).title}</span>
            <p>{failureSentences(problem).sentences.join(' ')}</p>
          </div>
        )}
      </div>
    </Dialog>
  );
}

function RunLink({ id }: { readonly id: string }): ReactNode {
  return (
    <Link className="id link" to="/executions/$id/$" params={{ id, _splat: '' }}>
      {shortId(id)}
    </Link>
  );
}

const maxLinks = 30;

function Runs({ ids }: { readonly ids: readonly string[] }): ReactNode {
  return (
    <p className="row wrap">
      {ids.slice(0, maxLinks).map((id) => (
        <RunLink key={id} id={id} />
      ))}
      {ids.length > maxLinks && <span className="muted">and {ids.length - maxLinks} more</span>}
    </p>
  );
}
