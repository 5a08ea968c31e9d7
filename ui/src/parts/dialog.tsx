import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Icon } from './icon.tsx';

/** A modal dialog: the browser's own, with its focus trap, its Escape and its backdrop. */
export function Dialog({
  title,
  lead,
  children,
  foot,
  onClose,
  className = '',
}: {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly children: ReactNode;
  readonly foot?: ReactNode;
  /** Called once when the reader closes it. */
  readonly onClose: () => void;
  readonly className?: string;
}): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={`dialog-box ${className}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="dialog">
        <header>
          <div>
            <h1 id={titleId}>{title}</h1>
            {lead !== undefined && <p>{lead}</p>}
          </div>
          <button type="button" className="btn quiet icon push" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div className="in">{children}</div>
        {foot !== undefined && <footer>{foot}</footer>}
      </div>
    </dialog>
  );
}
