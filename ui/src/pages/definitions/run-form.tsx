import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { isJsonObject, type Json, parseJson } from '../../../../src/core/value/json.ts';
import { faultOf } from '../../../../src/core/value/json-fault.ts';
import { ask } from '../../api/client.ts';
import { objectOf, textAt } from '../../api/reading.ts';
import { Copy } from '../../parts/copy.tsx';
import { failureSentences } from '../../parts/failure.tsx';
import { Icon } from '../../parts/icon.tsx';
import { shortId } from '../../parts/words.ts';
import { randomId } from '../../platform/uuid.ts';
import { missingPaths, templateOf } from './payload.ts';

/** Starts a run of a stored version. Its key is made when the form opens: pressing twice starts one run. */
export function RunForm({
  name,
  version,
  requiredPayload,
}: {
  readonly name: string;
  readonly version: string;
  readonly requiredPayload: readonly string[];
}): ReactNode {
  const [payload, setPayload] = useState(() => JSON.stringify(templateOf(requiredPayload), undefined, 2));
  const [labels, setLabels] = useState('');
  const [startAt, setStartAt] = useState('');
  const [key, setKey] = useState(randomId);
  const [problem, setProblem] = useState<unknown>();
  const [started, setStarted] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  const read = readPayload(payload);
  const missing = 'value' in read ? missingPaths(read.value, requiredPayload) : [];
  const wrongLabel = labels.split('\n').find((line) => line.trim() !== '' && !line.includes(':'));
  const problems = [
    ...('sentence' in read ? [read.sentence] : []),
    ...missing.map((path) => `${path} is required.`),
    ...(wrongLabel === undefined ? [] : [`Labels: “${wrongLabel}” has no colon.`]),
  ];

  const press = async (): Promise<void> => {
    if (!('value' in read)) return;
    setBusy(true);
    setProblem(undefined);
    try {
      const named = labelsOf(labels);
      const { json } = await ask(
        `/workflows/definitions/${encodeURIComponent(name)}/${encodeURIComponent(version)}/run`,
        {
          method: 'POST',
          body: {
            payload: read.value,
            ...(Object.keys(named).length > 0 && { labels: named }),
            ...(startAt.trim() !== '' && { startAt: startAt.trim() }),
          },
          headers: { 'idempotency-key': key },
        },
      );
      setStarted(textAt(objectOf(json), 'id'));
      // The next press starts another run.
      setKey(randomId());
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <section className="panel run-form" aria-label={`Run version ${version}`}>
      <div className="panel-head">
        <h2>Run version {version}</h2>
      </div>
      <div className="panel-body stack">
        <div className="field">
          <label htmlFor="payload">Payload, JSON; digits are kept</label>
          <textarea
            id="payload"
            className="input code"
            rows={10}
            spellCheck={false}
            value={payload}
            aria-invalid={problems.length > 0}
            aria-describedby="payload-problems"
            onChange={(event) => {
              setPayload(event.target.value);
            }}
          />
          <ul id="payload-problems">
            {problems.map((sentence) => (
              <li key={sentence} className="error">
                <Icon name="oc-rejected" small />
                {sentence}
              </li>
            ))}
          </ul>
        </div>
        <div className="field">
          <label htmlFor="labels">Labels, one name:value in each line</label>
          <textarea
            id="labels"
            className="input"
            rows={2}
            spellCheck={false}
            value={labels}
            onChange={(event) => {
              setLabels(event.target.value);
            }}
          />
        </div>
        <div className="field">
          <label htmlFor="start-at">Start at, empty: now</label>
          <input
            id="start-at"
            className="input"
            placeholder="2030-01-31T09:00:00Z"
            value={startAt}
            onChange={(event) => {
              setStartAt(event.target.value);
            }}
          />
        </div>
        <div className="field">
          <span className="name">Idempotency-Key</span>
          <span className="row">
            <span className="id">{key}</span>
            <Copy text={key} name="the key" />
          </span>
          <p className="hint">Made when this form opened: pressing twice starts one run.</p>
        </div>
        <code className="muted">
          POST /workflows/definitions/{name}/{version}/run
        </code>
        <div className="row wrap">
          <button
            type="button"
            className="btn primary large"
            disabled={isBusy || problems.length > 0}
            onClick={() => void press()}
          >
            <Icon name="a-run" />
            Run version {version}
          </button>
          {problems.length > 0 && <span className="small is-failed tone-text">Not valid yet</span>}
          {started !== undefined && (
            <span role="status">
              Started{' '}
              <Link className="link id" to="/executions/$id/$" params={{ id: started, _splat: '' }}>
                {shortId(started)}
              </Link>
            </span>
          )}
        </div>
        {problem !== undefined && (
          <div className="banner bad" role="alert">
            <Icon name="st-failed" />
            <span>{failureSentences(problem).title}</span>
            <p>{failureSentences(problem).sentences.join(' ')}</p>
          </div>
        )}
      </div>
    </section>
  );
}

function readPayload(text: string): { readonly value: Json } | { readonly sentence: string } {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? { value } : { sentence: 'The payload is an object.' };
  } catch {
    const { line, column, why } = faultOf(text);
    return { sentence: `No JSON: ${why} (line ${String(line)}, column ${String(column)}).` };
  }
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
