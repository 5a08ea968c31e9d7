import type { ReactNode } from 'react';
import { Dialog } from '../parts/dialog.tsx';

const keys: readonly (readonly [string, string])[] = [
  ['/', 'Search: an id, label:value, a definition'],
  ['Ctrl K', 'The same'],
  ['j', 'Next row of a list'],
  ['k', 'Row before'],
  ['Enter', 'Open the row'],
  ['[', 'Attempt before'],
  [']', 'Next attempt'],
  ['g f', 'To the failure'],
  ['c', 'Copy the call as curl'],
  ['?', 'This list'],
];

/** All keys. They can be switched off in the settings. */
export function ShortcutList({ onClose }: { readonly onClose: () => void }): ReactNode {
  return (
    <Dialog
      title="Keys"
      lead="No key changes anything without a dialog. Settings switch single keys off."
      onClose={onClose}
    >
      <dl className="kv keys">
        {keys.map(([key, text]) => (
          <div key={key} className="kv-row">
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
