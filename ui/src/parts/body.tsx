import { type ReactNode, useState } from 'react';
import { isJsonObject, isRawNumber, type Json, stringifyJson } from '../../../src/core/value/json.ts';
import { Icon } from './icon.tsx';

/** Characters beyond which a body is shown as plain text, and only on demand. */
const maxColoured = 64 * 1024;
const maxShown = 256 * 1024;

/** A body as indented JSON text, digit by digit; texts as they are. */
function bodyText(body: Json): string {
  return typeof body === 'string' ? body : JSON.stringify(body, undefined, 2);
}

/** Starts a download of a text that is already here. */
export function download(name: string, text: string, type = 'application/json'): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** A body of a request or an answer, as text: keys, texts and numbers coloured, masks visible, never interpreted. */
export function Body({
  body,
  isCut = false,
  name,
}: {
  readonly body: Json | undefined;
  readonly isCut?: boolean;
  /** File name of the download. */
  readonly name: string;
}): ReactNode {
  const [isWanted, setWanted] = useState(false);
  if (body === undefined || body === null) return <p className="small muted">No body.</p>;
  const text = bodyText(body);
  const isLarge = text.length > maxShown;
  const isShown = !isLarge || isWanted;
  return (
    <div className="body">
      {isShown && (
        <pre tabIndex={0} aria-label={`Text of ${name}`}>
          {text.length <= maxColoured && typeof body !== 'string' ? <Coloured value={body} indent="" /> : masked(text)}
        </pre>
      )}
      {(isCut || isLarge) && (
        <div className="foot">
          <span>
            {isCut ? 'Cut by the server. ' : ''}
            {isLarge ? `${String(Math.round(text.length / 1024))} KiB${isShown ? '' : ', not shown'}` : ''}
          </span>
          {!isShown && (
            <button
              type="button"
              className="btn quiet small push"
              onClick={() => {
                setWanted(true);
              }}
            >
              Show as text
            </button>
          )}
          <button
            type="button"
            className={`btn quiet small${isShown ? ' push' : ''}`}
            onClick={() => {
              download(name, text);
            }}
          >
            <Icon name="download" />
            Download
          </button>
        </div>
      )}
    </div>
  );
}

/** A text in which `***` stands for a secret. */
function masked(text: string): ReactNode {
  const parts = text.split('***');
  if (parts.length === 1 || parts.length > 200) return text;
  return parts.map((part, index) => (
    // The parts of one text never change places.
    // oxlint-disable-next-line react/no-array-index-key
    <span key={index}>
      {index > 0 && <span className="mask">***</span>}
      {part}
    </span>
  ));
}

function Coloured({ value, indent }: { readonly value: Json; readonly indent: string }): ReactNode {
  if (Array.isArray(value) || isJsonObject(value)) {
    const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
    const entries = Object.entries(value as Readonly<Record<string, Json>>);
    if (entries.length === 0) return `${open}${close}`;
    const inner = `${indent}  `;
    return (
      <>
        {`${open}\n`}
        {entries.map(([key, item], index) => (
          <span key={key}>
            {inner}
            {!Array.isArray(value) && (
              <>
                <span className="j-k">{JSON.stringify(key)}</span>
                {': '}
              </>
            )}
            <Coloured value={item} indent={inner} />
            {index < entries.length - 1 ? ',\n' : '\n'}
          </span>
        ))}
        {indent}
        {close}
      </>
    );
  }
  if (typeof value === 'string') return <span className="j-s">{masked(JSON.stringify(value))}</span>;
  if (typeof value === 'number' || isRawNumber(value)) return <span className="j-n">{stringifyJson(value)}</span>;
  return stringifyJson(value);
}
