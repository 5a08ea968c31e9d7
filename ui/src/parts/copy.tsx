import { type ReactNode, useState } from 'react';
import { Icon } from './icon.tsx';

/**
 * Copies a text. Without a secure context browsers have no clipboard; then the text is selected in a field, as people did
 * before.
 */
export async function copyText(text: string): Promise<void> {
  if (globalThis.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement('textarea');
  field.value = text;
  field.setAttribute('readonly', '');
  field.className = 'sr';
  document.body.append(field);
  field.select();
  // The only way to copy without a secure context.
  // oxlint-disable-next-line typescript/no-deprecated
  document.execCommand('copy');
  field.remove();
}

/** A button that copies a text and says that it did. */
export function Copy({
  text,
  name,
  children,
}: {
  readonly text: string | (() => string);
  readonly name: string;
  readonly children?: ReactNode;
}): ReactNode {
  const [said, setSaid] = useState('');
  const copy = (): void => {
    copyText(typeof text === 'string' ? text : text()).then(
      () => {
        setSaid('copied');
      },
      () => {
        setSaid('not copied: the browser refused');
      },
    );
  };
  return (
    <>
      <button
        type="button"
        className={children === undefined ? 'copy' : 'btn quiet small'}
        aria-label={children === undefined ? `Copy ${name}` : undefined}
        onClick={copy}
        onBlur={() => {
          setSaid('');
        }}
      >
        {children ?? <Icon name={said === 'copied' ? 'check' : 'copy'} />}
      </button>
      <span className={children === undefined ? 'sr' : 'small muted'} role="status">
        {said}
      </span>
    </>
  );
}
