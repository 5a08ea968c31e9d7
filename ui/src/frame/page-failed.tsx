import type { ErrorComponentProps } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** Shown for an address below `/ui/` that no page has. */
export function NotFound(): ReactNode {
  return (
    <div className="empty">
      <b>There is no such page.</b>
    </div>
  );
}

/** Whether a part of the program could not be loaded: after an update its file has another name. */
const isMissingPart = (message: string): boolean =>
  /dynamically imported module|Importing a module script/i.test(message);

/** Shown in place of a page that broke. The frame around it stays. */
export function PageFailed({ error }: ErrorComponentProps): ReactNode {
  const message = error instanceof Error ? error.message : String(error);
  const isMissing = isMissingPart(message);
  return (
    <div className="empty" role="alert">
      <b>{isMissing ? 'A new version is there.' : 'This page broke.'}</b>
      <span>{isMissing ? 'Reload the page to use it.' : message}</span>
      <button
        type="button"
        className="btn"
        onClick={() => {
          location.reload();
        }}
      >
        Reload
      </button>
    </div>
  );
}
